//! The vault's signing key: that of its TLS certificate, exchanged together with it when the files are renewed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use shared::jws::{VaultSigner, X5c};
use shared::mtls::reload::{Reload, Reloaded};

/// How it is described in the inventory of cryptography.
pub const SIGNER: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "attestations and Vault-Proofs",
    algorithm: "ECDSA P-256 with SHA-256 (ES256)",
    source: "RFC 7518",
    library: "ring",
    names: &["VaultSigner"],
};

/// A signer that follows its files.
pub struct ReloadingSigner {
    certificate: PathBuf,
    key: PathBuf,
    current: Arc<ArcSwap<VaultSigner>>,
    tls: Arc<dyn Reload>,
    behind: AtomicBool,
}

/// Certificate and key that cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// A file cannot be read, or holds no PEM of its kind.
    #[error("{0}: {1}")]
    File(PathBuf, rustls_pki_types::pem::Error),
    /// No certificate, or too many.
    #[error("{0}: one to four certificates are needed")]
    Chain(PathBuf),
    /// Another key than P-256 in PKCS#8, or not that of the certificate.
    #[error("{0}: not the P-256 key of the certificate, as PKCS#8")]
    Key(PathBuf),
}

impl ReloadingSigner {
    /// Reads the signer. `tls` is the certificate as the listener has it: both are looked at together.
    ///
    /// # Errors
    /// [`SignerError`].
    pub fn load(certificate: PathBuf, key: PathBuf, tls: Arc<dyn Reload>) -> Result<Self, SignerError> {
        let current = Arc::new(ArcSwap::from_pointee(read(&certificate, &key)?));
        Ok(Self {
            certificate,
            key,
            current,
            tls,
            behind: AtomicBool::new(false),
        })
    }

    /// The signer in force, as a handle that follows.
    #[must_use]
    pub fn handle(&self) -> Arc<ArcSwap<VaultSigner>> {
        Arc::clone(&self.current)
    }
}

impl Reload for ReloadingSigner {
    fn reload(&self) -> Reloaded {
        let reloaded = self.tls.reload();
        if matches!(reloaded, Reloaded::Replaced) || self.behind.swap(false, Ordering::AcqRel) {
            match read(&self.certificate, &self.key) {
                Ok(signer) => self.current.store(Arc::new(signer)),
                Err(error) => {
                    // Looked at again next time, also if the listener's half is settled by then.
                    self.behind.store(true, Ordering::Release);
                    tracing::error!(%error, "the renewed certificate cannot sign; the old one goes on signing");
                }
            }
        }
        reloaded
    }
}

fn read(certificate: &PathBuf, key: &PathBuf) -> Result<VaultSigner, SignerError> {
    let unreadable = |path: &PathBuf| {
        let path = path.clone();
        move |error| SignerError::File(path, error)
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate)
        .map_err(unreadable(certificate))?
        .collect();
    let x5c = X5c::new(chain.map_err(unreadable(certificate))?)
        .ok_or_else(|| SignerError::Chain(certificate.clone()))?;
    let pkcs8 = PrivatePkcs8KeyDer::from_pem_file(key).map_err(unreadable(key))?;
    let signer = VaultSigner::from_pkcs8(pkcs8.secret_pkcs8_der(), &x5c);
    signer.map_err(|_| SignerError::Key(key.clone()))
}
