//! A certificate chain with its private key, from files, replaced while the process runs.
//!
//! The same type answers for a listener and for a client. What is in force was valid and a pair when it was read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use zeroize::Zeroizing;

use super::reload::{LoadError, Reload, Reloaded, Watched, read, read_private};
use crate::clock::Clock;

/// Our own certificate chain and key.
pub struct ReloadingCertificate {
    chain_path: PathBuf,
    key_path: PathBuf,
    watched: Watched,
    clock: Clock,
    current: ArcSwap<Current>,
}

struct Current {
    certified: Arc<CertifiedKey>,
    not_after: OffsetDateTime,
}

impl ReloadingCertificate {
    /// Reads the chain (PEM, own certificate first) and its private key (PEM; PKCS#8, PKCS#1 or SEC1).
    ///
    /// # Errors
    /// [`LoadError`]; among others when the key file is open to group or others, when the two are not a pair, and when
    /// the certificate is not valid now.
    pub fn load(chain: impl Into<PathBuf>, key: impl Into<PathBuf>, clock: Clock) -> Result<Self, LoadError> {
        let (chain_path, key_path) = (chain.into(), key.into());
        let watched = Watched::new(vec![chain_path.clone(), key_path.clone()]);
        let current = ArcSwap::from_pointee(load(&chain_path, &key_path, &clock)?);
        Ok(Self {
            chain_path,
            key_path,
            watched,
            clock,
            current,
        })
    }

    /// The chain in force, own certificate first.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current.load().certified.cert.clone()
    }

    /// The last valid instant of the certificate in force, for the expiry alarm.
    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.current.load().not_after
    }
}

impl Reload for ReloadingCertificate {
    fn reload(&self) -> Reloaded {
        self.watched
            .if_changed(|| match load(&self.chain_path, &self.key_path, &self.clock) {
                Ok(current) => {
                    let (path, not_after) = (self.chain_path.display(), current.not_after);
                    tracing::info!(%path, %not_after, "new certificate in force");
                    self.current.store(Arc::new(current));
                    Reloaded::Replaced
                }
                Err(error) => {
                    tracing::warn!(%error, "new certificate refused, the old one stays in force");
                    Reloaded::Kept(error)
                }
            })
    }
}

impl ResolvesServerCert for ReloadingCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().certified))
    }
}

impl ResolvesClientCert for ReloadingCertificate {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for ReloadingCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReloadingCertificate")
            .field("chain", &self.chain_path)
            .finish_non_exhaustive()
    }
}

fn load(chain_path: &Path, key_path: &Path, clock: &Clock) -> Result<Current, LoadError> {
    let unusable = |path: &Path, reason: String| LoadError::Unusable {
        path: path.to_owned(),
        reason,
    };
    let no_pem = |path: &Path, expected| LoadError::NoPem {
        path: path.to_owned(),
        expected,
    };

    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(chain_path)?)
        .collect::<Result<_, _>>()
        .map_err(|_| no_pem(chain_path, "certificate"))?;
    let leaf = chain.first().ok_or_else(|| no_pem(chain_path, "certificate"))?;
    let not_after = valid_until(leaf, chain_path, clock)?;

    let key = PrivateKeyDer::from_pem_slice(&read_private(key_path)?)
        .map_err(|_| no_pem(key_path, "private key"))?;
    let key = Zeroizing::new(key);
    let signer = any_supported_type(&key).map_err(|error| unusable(key_path, error.to_string()))?;
    let certified = CertifiedKey::new(chain, signer);
    certified.keys_match().map_err(|_| LoadError::NotAPair {
        certificate: chain_path.to_owned(),
        key: key_path.to_owned(),
    })?;
    Ok(Current {
        certified: Arc::new(certified),
        not_after,
    })
}

fn valid_until(
    certificate: &CertificateDer<'_>,
    path: &Path,
    clock: &Clock,
) -> Result<OffsetDateTime, LoadError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| LoadError::Unusable {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let not_before = parsed.validity().not_before.to_datetime();
    let not_after = parsed.validity().not_after.to_datetime();
    if (not_before..=not_after).contains(&clock.now()) {
        Ok(not_after)
    } else {
        Err(LoadError::NotValidNow {
            path: path.to_owned(),
            not_before,
            not_after,
        })
    }
}
