//! TLS towards endpoints: the public authorities (compiled in, so that nothing on the machine adds one), one more if the
//! operator names it, and a client certificate for endpoints that ask for one. TLS 1.3.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use shared::clock::Clock;
use shared::mtls::certificate::ReloadingCertificate;
use shared::mtls::reload::LoadError;

use crate::config::Webhooks;

/// Why TLS towards endpoints cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum WebhookTlsError {
    /// The further authority cannot be read.
    #[error("webhooks.extra_ca: {} holds no certificate that can be used", .0.display())]
    ExtraCa(PathBuf),
    /// The client certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] LoadError),
    /// rustls does not take it.
    #[error("webhooks: {0}")]
    Tls(#[from] rustls::Error),
}

/// The configuration, and the certificate that is to be looked at again and again.
pub struct WebhookTls {
    /// For the client.
    pub config: ClientConfig,
    /// The client certificate, if there is one.
    pub certificate: Option<Arc<ReloadingCertificate>>,
}

impl WebhookTls {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// [`WebhookTlsError`].
    pub fn load(config: &Webhooks, clock: &Clock) -> Result<Self, WebhookTlsError> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        if let Some(path) = &config.extra_ca {
            let unusable = || WebhookTlsError::ExtraCa(path.clone());
            let known = roots.len();
            for certificate in CertificateDer::pem_file_iter(path).map_err(|_| unusable())? {
                let certificate = certificate.map_err(|_| unusable())?;
                roots.add(certificate).map_err(|_| unusable())?;
            }
            if roots.len() == known {
                return Err(unusable());
            }
        }
        let certificate = match (&config.client_certificate, &config.client_key) {
            (Some(chain), Some(key)) => {
                Some(Arc::new(ReloadingCertificate::load(chain, key, clock.clone())?))
            }
            _ => None,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match &certificate {
            Some(certificate) => builder.with_client_cert_resolver(Arc::clone(certificate) as _),
            None => builder.with_no_client_auth(),
        };
        Ok(Self { config, certificate })
    }
}
