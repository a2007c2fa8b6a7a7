//! The client side between members: our certificate is shown, and the server must be exactly the one we mean.
//!
//! Chain, purpose, revocation and host name are checked as usual, and beyond that the identity in the certificate: any
//! other member of the same authority, the gateway for one, is not the vault.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::certificate::ReloadingCertificate;
use super::identity::Identity;
use super::trust::ReloadingTrust;
use super::{HTTP_1_1, HandshakeTime, provider};
use crate::clock::Clock;

/// A client that shows `certificate` and speaks to `server` only. TLS 1.3, HTTP/1.1, no resumption.
///
/// # Errors
/// Never with the provider and the version compiled in; rustls reports a mismatch of the two this way.
pub fn mutual(
    certificate: Arc<ReloadingCertificate>,
    trust: Arc<ReloadingTrust>,
    server: Identity,
    clock: &Clock,
) -> Result<ClientConfig, rustls::Error> {
    build(certificate, trust, Some(server), clock)
}

/// A client of somebody who is no member: `trust` is an authority of theirs that was pinned for this alone, so that host
/// name and chain say who it is.
///
/// # Errors
/// As [`mutual`].
pub fn pinned(
    certificate: Arc<ReloadingCertificate>,
    trust: Arc<ReloadingTrust>,
    clock: &Clock,
) -> Result<ClientConfig, rustls::Error> {
    build(certificate, trust, None, clock)
}

fn build(
    certificate: Arc<ReloadingCertificate>,
    trust: Arc<ReloadingTrust>,
    expected: Option<Identity>,
    clock: &Clock,
) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_details(provider(), Arc::new(HandshakeTime(clock.clone())))
        .with_protocol_versions(&[&TLS13])?
        // rustls' word for "not its own verifier"; this one asks rustls' own first and then asks for more.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(OneServer { trust, expected }))
        .with_client_cert_resolver(certificate);
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(config)
}

#[derive(Debug)]
struct OneServer {
    trust: Arc<ReloadingTrust>,
    /// `None`: whoever the chain and the host name say.
    expected: Option<Identity>,
}

impl ServerCertVerifier for OneServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let trust = self.trust.current();
        let verified =
            trust
                .servers
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let Some(expected) = &self.expected else {
            return Ok(verified);
        };
        match Identity::from_certificate(end_entity) {
            Ok(identity) if identity == *expected => Ok(verified),
            Ok(_) | Err(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust
            .current()
            .servers
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust
            .current()
            .servers
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.current().servers.supported_verify_schemes()
    }
}
