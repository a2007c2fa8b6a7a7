//! What webpki and rustls, which the two binaries use, say to the certificates.

use std::sync::Arc;
use std::time::Duration;

use certs::{Ca, DevOptions, DevSet, Fault, PairPaths, Profile, Usage, fixtures};
use rustls::client::ClientConnection;
use rustls::server::{ServerConnection, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime};
use shared::clock::Clock;
use shared::mtls::identity::{Identity, IdentityError};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};

use crate::support::{Place, certificate};

fn dev_set(place: &Place) -> DevSet {
    DevSet::create(&place.path("set"), &DevOptions::default(), &Clock::System).unwrap()
}

fn verify(set: &DevSet, ca: Ca, leaf: &CertificateDer<'_>, usage: Usage) -> Result<(), webpki::Error> {
    let seconds = u64::try_from(Clock::System.unix_seconds()).unwrap();
    let (root, crl) = match ca {
        Ca::Internal => (&set.internal_ca, &set.internal_crl),
        Ca::Partner => (&set.partner_ca, &set.partner_crl),
    };
    let root = certificate(&root.certificate);
    let anchors = [anchor_from_trusted_cert(&root).unwrap()];
    let crl = CertificateRevocationListDer::from_pem_file(crl).unwrap();
    let crl = CertRevocationList::from(BorrowedCertRevocationList::from_der(&crl).unwrap());
    let crls = [&crl];
    let revocation = RevocationOptionsBuilder::new(&crls)
        .unwrap()
        .with_depth(RevocationCheckDepth::Chain)
        .with_status_policy(UnknownStatusPolicy::Deny)
        .with_expiration_policy(ExpirationPolicy::Enforce)
        .build();
    let usage = match usage {
        Usage::Server => KeyUsage::server_auth(),
        Usage::Client => KeyUsage::client_auth(),
    };
    EndEntityCert::try_from(leaf)?
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            &[],
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            usage,
            Some(revocation),
            None,
        )
        .map(|_| ())
}

#[test]
fn each_leaf_of_a_development_set_chains_for_its_own_use_and_no_other() {
    let place = Place::new();
    let set = dev_set(&place);
    let servers = [&set.vault, &set.gateway_server];
    let clients = [&set.gateway_client, &set.auditor, &set.processor, &set.bureau];
    let clients = clients.into_iter().chain(&set.officers);
    let all = servers
        .into_iter()
        .map(|pair| (pair, Ca::Internal, Usage::Server, Usage::Client));
    let all = all.chain(clients.map(|pair| (pair, Ca::Internal, Usage::Client, Usage::Server)));
    for (pair, ca, own, other) in all.chain([(&set.partner, Ca::Partner, Usage::Client, Usage::Server)]) {
        let leaf = certificate(&pair.certificate);
        verify(&set, ca, &leaf, own).unwrap();
        assert!(
            verify(&set, ca, &leaf, other).is_err(),
            "{} serves both ways",
            pair.certificate.display()
        );
        let wrong = if ca == Ca::Internal {
            Ca::Partner
        } else {
            Ca::Internal
        };
        assert!(
            verify(&set, wrong, &leaf, own).is_err(),
            "{} chains to both",
            pair.certificate.display()
        );
    }
}

#[test]
fn each_fault_is_refused_for_its_own_reason() {
    let place = Place::new();
    let set = dev_set(&place);
    let profiles = [
        Profile::Vault(vec![]),
        Profile::GatewayClient,
        Profile::Officer("alice".parse().unwrap()),
        Profile::Partner("acme".parse().unwrap()),
    ];
    for profile in &profiles {
        for fault in Fault::ALL {
            let issued = fixtures::create(&set.dir, profile, fault, &Clock::System).unwrap();
            let verdict = verify(&set, profile.ca(), &issued.certificate.der, profile.usage());
            let expected = match (fault, &verdict) {
                (Fault::Expired, Err(webpki::Error::CertExpired { .. }))
                | (Fault::NotYetValid, Err(webpki::Error::CertNotValidYet { .. }))
                | (Fault::Revoked, Err(webpki::Error::CertRevoked))
                | (Fault::OtherCa, Err(webpki::Error::UnknownIssuer))
                | (Fault::ForeignCa, Err(webpki::Error::InvalidSignatureForPublicKey))
                | (Fault::WrongUsage, Err(webpki::Error::RequiredEkuNotFoundContext(_))) => true,
                // A sound chain: these are for those who read the identity.
                (
                    Fault::NoIdentity
                    | Fault::ForeignIdentity
                    | Fault::MalformedIdentity
                    | Fault::TwoIdentities,
                    verdict,
                ) => verdict.is_ok(),
                _ => false,
            };
            assert!(expected, "{profile:?} with {fault:?}: {verdict:?}");
        }
    }
}

#[test]
fn each_identity_is_read_back_and_each_identity_fault_is_none() {
    let place = Place::new();
    let set = dev_set(&place);
    let read = |pair: &PairPaths| {
        Identity::from_certificate(&certificate(&pair.certificate))
            .unwrap()
            .to_string()
    };
    assert_eq!(read(&set.vault), "spiffe://tessera/vault");
    assert_eq!(read(&set.gateway_server), "spiffe://tessera/gateway");
    assert_eq!(read(&set.gateway_client), "spiffe://tessera/gateway");
    assert_eq!(read(&set.officers[2]), "spiffe://tessera/officer/officer-3");
    assert_eq!(read(&set.auditor), "spiffe://tessera/auditor/auditor");
    assert_eq!(read(&set.processor), "spiffe://tessera/processor/processor");
    assert_eq!(read(&set.bureau), "spiffe://tessera/bureau/bureau");
    assert_eq!(read(&set.partner), "spiffe://tessera/partner/partner");

    let officer = Profile::Officer("alice".parse().unwrap());
    let fault = |fault| {
        let issued = fixtures::create(&set.dir, &officer, fault, &Clock::System).unwrap();
        Identity::from_certificate(&issued.certificate.der)
    };
    assert_eq!(fault(Fault::NoIdentity), Err(IdentityError::NoUri));
    assert_eq!(fault(Fault::ForeignIdentity), Err(IdentityError::ForeignUri));
    assert_eq!(fault(Fault::MalformedIdentity), Err(IdentityError::BadName));
    assert_eq!(fault(Fault::TwoIdentities), Err(IdentityError::SeveralUris));
    assert_eq!(fault(Fault::Expired), Ok(officer.identity()));
}

/// A TLS 1.3 handshake in memory, as the vault's listener would do it.
fn handshake(set: &DevSet, client: &PairPaths, server_name: &str) -> Result<(), rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&set.internal_ca.certificate)).unwrap();
    let roots = Arc::new(roots);
    let crl = CertificateRevocationListDer::from_pem_file(&set.internal_crl).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
        .with_crls([crl])
        .build()
        .unwrap();
    let key = |pair: &PairPaths| PrivateKeyDer::from_pem_file(&pair.key).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate(&set.vault.certificate)], key(&set.vault))
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate(&client.certificate)], key(client))
        .unwrap();
    let name = ServerName::try_from(server_name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut arrived = wire.as_slice();
        while !arrived.is_empty() {
            server.read_tls(&mut arrived).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut arrived = wire.as_slice();
        while !arrived.is_empty() {
            client.read_tls(&mut arrived).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(())
}

#[test]
fn rustls_shakes_hands_with_the_set_and_not_with_its_faults() {
    let place = Place::new();
    let set = dev_set(&place);
    for name in ["localhost", "127.0.0.1", "::1"] {
        handshake(&set, &set.gateway_client, name).unwrap();
    }
    assert!(handshake(&set, &set.gateway_client, "elsewhere.example").is_err());
    assert!(handshake(&set, &set.partner, "localhost").is_err());
    let officer = Profile::Officer("mallory".parse().unwrap());
    let faulty = fixtures::create_all(&set.dir, &officer, &place.path("bad"), &Clock::System).unwrap();
    let refused = faulty
        .iter()
        .filter(|(_, pair)| handshake(&set, pair, "localhost").is_err());
    let refused: Vec<Fault> = refused.map(|(fault, _)| *fault).collect();
    let expected = [
        Fault::Expired,
        Fault::NotYetValid,
        Fault::Revoked,
        Fault::ForeignCa,
        Fault::OtherCa,
        Fault::WrongUsage,
    ];
    assert_eq!(refused, expected);
}
