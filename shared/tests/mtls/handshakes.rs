//! Who gets in at the handshake, and whom a client takes for the vault.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, RootCertStore, ServerConnection, StreamOwned,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use shared::clock::{Clock, ManualClock};
use shared::http::limits::ListenerLimits;
use shared::mtls::{client, server};
use time::Duration;

use crate::pki::{Authority, Files, Pair, START, gateway, vault};
use crate::stand::{Connection, GATEWAY_SERIAL, Stand, VAULT_SERIAL};

#[test]
fn a_gateway_certificate_is_let_in_and_known_by_its_uri() {
    let stand = Stand::start();
    let mut connection = stand.connect(stand.gateway());
    assert_eq!(
        connection.who().unwrap(),
        (200, "spiffe://tessera/gateway".to_owned())
    );
    assert_eq!(
        connection.session().protocol_version(),
        Some(rustls::ProtocolVersion::TLSv1_3)
    );
    assert_eq!(connection.session().alpn_protocol(), Some(&b"http/1.1"[..]));
}

/// A client of the stand with any chain, at a time at which that chain can be loaded.
fn client_with(stand: &Stand, pair: &Pair, days: i64) -> ClientConfig {
    let clock = Clock::Manual(ManualClock::starting_at(START + Duration::days(days)));
    let certificate = Files::new().certificate(pair, &clock);
    let vault = "spiffe://tessera/vault".parse().unwrap();
    client::mutual(certificate, Arc::clone(&stand.trust), vault, &stand.clock).unwrap()
}

/// A client without a certificate, which takes any listener of the stand's authority.
fn nobody(stand: &Stand) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(stand.authority.pem.as_bytes()).unwrap())
        .unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let mut nobody = ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    nobody.time_provider = Arc::clone(&stand.gateway().time_provider);
    nobody
}

#[test]
fn without_a_certificate_nobody_gets_in() {
    let stand = Stand::start();
    let alert = stand.connect(nobody(&stand)).alert();
    assert_eq!(alert, AlertDescription::CertificateRequired);
}

#[test]
fn the_public_listener_asks_for_no_certificate_and_gives_no_ticket() {
    let stand = Stand::start();
    let config = Arc::new(server::public(Arc::clone(&stand.certificate), &stand.clock).unwrap());
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        stream.conn.peer_certificates().is_some()
    });

    let mut connection = Connection::open(address, &Arc::new(nobody(&stand)));

    assert_eq!(connection.answer().unwrap().0, 204);
    assert_eq!(connection.session().tls13_tickets_received(), 0);
    assert_eq!(
        connection.session().protocol_version(),
        Some(rustls::ProtocolVersion::TLSv1_3)
    );
    assert!(!serving.join().unwrap(), "no certificate was asked for");
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let stand = Stand::start();
    let stranger = Authority::new("Stranger").issue(gateway(GATEWAY_SERIAL));
    let alert = stand.connect(client_with(&stand, &stranger, 0)).alert();
    assert_eq!(alert, AlertDescription::UnknownCA);
}

#[test]
fn an_authority_that_only_bears_the_right_name_is_refused() {
    let stand = Stand::start();
    let impostor = Authority::new("Internal").issue(gateway(GATEWAY_SERIAL));
    stand.connect(client_with(&stand, &impostor, 0)).alert();
}

#[test]
fn an_expired_certificate_is_refused() {
    let stand = Stand::start();
    let mut wanted = gateway(GATEWAY_SERIAL);
    wanted.valid_until = START - Duration::seconds(1);
    let expired = stand.authority.issue(wanted);
    let alert = stand.connect(client_with(&stand, &expired, -1)).alert();
    assert_eq!(alert, AlertDescription::CertificateExpired);
}

#[test]
fn a_certificate_for_servers_only_is_refused() {
    let stand = Stand::start();
    let mut wanted = gateway(GATEWAY_SERIAL);
    wanted.purpose = ExtendedKeyUsagePurpose::ServerAuth;
    let alert = stand.connect(stand.client(wanted)).alert();
    assert_eq!(alert, AlertDescription::UnsupportedCertificate);
}

#[test]
fn a_certificate_without_an_identity_is_refused() {
    let stand = Stand::start();
    for uri in [
        None,
        Some("https://tessera/gateway"),
        Some("spiffe://tessera/gateway/x"),
    ] {
        let mut wanted = gateway(GATEWAY_SERIAL);
        wanted.uri = uri;
        assert_eq!(
            stand.connect(stand.client(wanted)).alert(),
            AlertDescription::AccessDenied,
            "{uri:?}"
        );
    }
}

#[test]
fn a_certificate_whose_revocation_no_list_tells_is_refused() {
    let stand = Stand::start();
    let intermediate = stand.authority.intermediate("Branch");
    let mut pair = intermediate.issue(gateway(GATEWAY_SERIAL));
    pair.chain.push_str(&intermediate.pem);
    let alert = stand.connect(client_with(&stand, &pair, 0)).alert();
    assert_eq!(alert, AlertDescription::UnknownCA);
}

#[test]
fn a_client_that_speaks_only_tls_1_2_is_refused() {
    let stand = Stand::start();
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    connector.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    let socket = TcpStream::connect(stand.address).unwrap();
    let error = connector.build().connect("localhost", socket).unwrap_err();
    assert!(error.to_string().contains("protocol version"), "{error}");
}

#[test]
fn a_listener_of_another_authority_is_not_the_vault() {
    let stand = Stand::start();
    let (ours, files) = (Authority::new("Ours"), Files::new());
    let trust = files.trust(&ours.pem, &ours.list(START, &[]), &stand.clock);
    let certificate = files.certificate(&ours.issue(gateway(GATEWAY_SERIAL)), &stand.clock);
    let vault = "spiffe://tessera/vault".parse().unwrap();
    let config = client::mutual(certificate, trust, vault, &stand.clock).unwrap();
    assert_eq!(stand.connect(config).refusal(), CertificateError::UnknownIssuer);
}

#[test]
fn the_gateways_certificate_is_not_the_vaults() {
    let mut own = vault(VAULT_SERIAL);
    own.uri = Some("spiffe://tessera/gateway");
    let stand = Stand::start_with(&own, &ListenerLimits::mutual(1));
    let refusal = stand.connect(stand.gateway()).refusal();
    assert_eq!(refusal, CertificateError::ApplicationVerificationFailure);
}

#[test]
fn a_certificate_for_clients_only_is_no_listeners() {
    let mut own = vault(VAULT_SERIAL);
    own.purpose = ExtendedKeyUsagePurpose::ClientAuth;
    let stand = Stand::start_with(&own, &ListenerLimits::mutual(1));
    let refusal = stand.connect(stand.gateway()).refusal();
    assert!(
        matches!(refusal, CertificateError::InvalidPurposeContext { .. }),
        "{refusal:?}"
    );
}

#[test]
fn the_host_name_counts_beside_the_identity() {
    let stand = Stand::start();
    let config = Arc::new(stand.gateway());
    let refusal = Connection::open_as(stand.address, &config, "elsewhere.example").refusal();
    assert!(
        matches!(refusal, CertificateError::NotValidForNameContext { .. }),
        "{refusal:?}"
    );
}
