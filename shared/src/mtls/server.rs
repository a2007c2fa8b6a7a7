//! The two kinds of listener: `mutual` demands a client certificate, `public` shows only its own.
//!
//! Both speak TLS 1.3 alone and never resume a session: a ticket would outlive the revocation of the certificate it was
//! given to (measured: with rustls' defaults a revoked client comes in by resumption).

use std::sync::Arc;

use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WantsServerCert};
use rustls::version::TLS13;
use rustls::{
    ConfigBuilder, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme, WantsVerifier,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::certificate::ReloadingCertificate;
use super::identity::Identity;
use super::trust::ReloadingTrust;
use super::{HTTP_1_1, HandshakeTime, provider};
use crate::clock::Clock;

/// A listener that only certificates of `trust` can enter: signed by one of its roots, in time, not revoked, of the
/// client purpose where a purpose is named, and with an [`Identity`].
///
/// A connection stays open after its handshake: also wrap the application in [`super::actix::PeerGuard`].
///
/// # Errors
/// Never with the provider and the version compiled in; rustls reports a mismatch of the two this way.
pub fn mutual(
    certificate: Arc<ReloadingCertificate>,
    trust: Arc<ReloadingTrust>,
    clock: &Clock,
) -> Result<ServerConfig, rustls::Error> {
    let builder = builder(clock)?.with_client_cert_verifier(Arc::new(IdentifiedClients(trust)));
    Ok(finish(builder, certificate))
}

/// A listener for phones and browsers: no client certificate is asked for.
///
/// # Errors
/// As [`mutual`].
pub fn public(certificate: Arc<ReloadingCertificate>, clock: &Clock) -> Result<ServerConfig, rustls::Error> {
    Ok(finish(builder(clock)?.with_no_client_auth(), certificate))
}

fn builder(clock: &Clock) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, rustls::Error> {
    ServerConfig::builder_with_details(provider(), Arc::new(HandshakeTime(clock.clone())))
        .with_protocol_versions(&[&TLS13])
}

fn finish(
    builder: ConfigBuilder<ServerConfig, WantsServerCert>,
    certificate: Arc<ReloadingCertificate>,
) -> ServerConfig {
    let mut config = builder.with_cert_resolver(certificate);
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    config
}

/// Asks the trust that is in force at the moment of the handshake.
#[derive(Debug)]
struct IdentifiedClients(Arc<ReloadingTrust>);

impl ClientCertVerifier for IdentifiedClients {
    /// None: names of authorities are no business of a stranger, and they change with a reload.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self
            .0
            .current()
            .clients
            .verify_client_cert(end_entity, intermediates, now)?;
        match Identity::from_certificate(end_entity) {
            Ok(_) => Ok(verified),
            Err(_) => Err(rustls::CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.0
            .current()
            .clients
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.0
            .current()
            .clients
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.current().clients.supported_verify_schemes()
    }
}
