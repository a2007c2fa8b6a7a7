use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::attestation::AttestationClaims;
use super::audit_key::AuditKeyClaims;
use super::enrolment_ticket::{CertifiedTicket, SecretHash};
use super::holder_proof::{HolderProof, HolderProofClaims, Op};
use super::session_proof::SessionProofClaims;
use super::*;
use crate::jose::base64url;
use crate::jwe::BodyHash;
use crate::thumbprint::Thumbprint;

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_893_456_000).unwrap()
}

fn holder() -> HolderSigner {
    HolderSigner::from_pkcs8(&KeyPair::generate().unwrap().serialize_der()).unwrap()
}

fn claims() -> HolderProofClaims {
    HolderProofClaims {
        op: Op::Reveal,
        card: "crd_abcdefghijklmnopqrstuvwxyz".to_owned(),
        nonce: crate::ids::Nonce::from_random(&[7; 32]),
        iat: now().unix_timestamp(),
        jti: "one".to_owned(),
        rpk: Thumbprint::from_bytes([1; 32]),
        bdh: None,
    }
}

fn by_holder(text: &str) -> holder_proof::UnverifiedHolderProof {
    match HolderProof::parse(text).unwrap() {
        HolderProof::ByHolder(proof) => proof,
        HolderProof::ByPartner(_) => panic!("no certificate was there"),
    }
}

/// A CA that signs a certificate for servers with one URI; both valid from 2020 to 2099.
struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2099, 1, 1);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn certify(&self, uri: &str, serial: u64) -> (Vec<u8>, CertificateDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from(serial));
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2099, 1, 1);
        (
            key.serialize_der(),
            params.signed_by(&key, &self.0).unwrap().der().clone(),
        )
    }

    fn revoking(&self, serial: u64, next_update_year: i32) -> CertificateRevocationListDer<'static> {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(next_update_year, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().der().clone()
    }
}

fn x5c(certificate: CertificateDer<'static>) -> X5c {
    X5c::new(vec![certificate]).unwrap()
}

#[test]
fn a_proof_names_the_key_that_signed_it_among_all_of_the_holder() {
    let (first, second) = (holder(), holder());
    let keys = [first.public_key().unwrap(), second.public_key().unwrap()];
    let text = claims().sign(&second).unwrap();
    let verified = by_holder(&text).verify_with(&keys).unwrap();
    assert_eq!(verified.key, keys[1].thumbprint());
    assert_eq!(verified.claims, claims());
    assert_eq!(by_holder(&text).verify_with(&keys[..1]), Err(InvalidProof));
    assert_eq!(by_holder(&text).verify_with(&[]), Err(InvalidProof));
}

#[test]
fn claims_stand_in_the_token_as_the_contract_names_them() {
    let mut claims = claims();
    claims.bdh = Some(BodyHash::of("a.b.c.d.e"));
    let names: Vec<String> = serde_json::to_value(&claims)
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(names, ["op", "card", "nonce", "iat", "jti", "rpk", "bdh"]);
    let ops = [
        Op::Issue,
        Op::Reveal,
        Op::ResetCvv,
        Op::SetPin,
        Op::Order,
        Op::EnrolKey,
        Op::Tokenise,
    ];
    let names = json!([
        "issue",
        "reveal",
        "reset-cvv",
        "set-pin",
        "order",
        "enrol-key",
        "tokenise"
    ]);
    assert_eq!(serde_json::to_value(ops).unwrap(), names);
}

#[test]
fn a_signature_for_one_purpose_serves_no_other() {
    let device = holder();
    let key = device.public_key().unwrap();
    let session = SessionProofClaims {
        challenge: "c".to_owned(),
        installation_id: 1125,
    };
    let session_text = session.sign(&device).unwrap();
    assert_eq!(session_proof::verify(&session_text, &key), Ok(session));
    assert!(HolderProof::parse(&session_text).is_err());
    assert_eq!(
        session_proof::verify(&claims().sign(&device).unwrap(), &key),
        Err(InvalidProof)
    );
}

#[test]
fn proofs_without_and_with_certificates_have_their_bounds() {
    let device = holder();
    let mut long = claims();
    long.card = "c".repeat(255);
    long.jti = "j".repeat(128);
    long.bdh = Some(BodyHash::of(""));
    let text = long.sign(&device).unwrap();
    assert!(text.len() <= compact::MAX_PLAIN_BYTES && HolderProof::parse(&text).is_ok());
    let spaced = base64url::encode(format!(
        r#"{{"alg":"ES256",{}"typ":"holder-proof+jwt"}}"#,
        " ".repeat(2000)
    ));
    let padded = format!("{spaced}.{}", text.split_once('.').unwrap().1);
    assert!(HolderProof::parse(&padded).is_err());

    let one = Ca::new().certify("spiffe://tessera/partner/p", 1).1;
    for (count, allowed) in [(0, false), (1, true), (4, true), (5, false)] {
        assert_eq!(X5c::new(vec![one.clone(); count]).is_some(), allowed, "{count}");
    }
    let header = |x5c: Value| {
        base64url::encode(json!({"alg": "ES256", "typ": "holder-proof+jwt", "x5c": x5c}).to_string())
    };
    let with = |x5c: Value| format!("{}.{}", header(x5c), text.split_once('.').unwrap().1);
    let four = serde_json::to_value(X5c::new(vec![one.clone(); 4]).unwrap()).unwrap();
    assert!(HolderProof::parse(&with(four)).is_ok());
    assert!(HolderProof::parse(&with(json!(["A".repeat(compact::MAX_CERTIFIED_BYTES)]))).is_err());
    for bad in [
        json!([]),
        json!(null),
        json!("AAAA"),
        json!([1]),
        json!(["AA"]),
        json!([base64url::encode([0xFF; 4])]),
    ] {
        assert!(HolderProof::parse(&with(bad.clone())).is_err(), "{bad}");
    }
}

#[test]
fn a_chain_that_is_no_certificate_proves_nothing() {
    let text = claims().sign(&holder()).unwrap();
    let header = json!({"alg": "ES256", "typ": "holder-proof+jwt", "x5c": ["AAAA"]}).to_string();
    let text = format!(
        "{}.{}",
        base64url::encode(header),
        text.split_once('.').unwrap().1
    );
    let Ok(HolderProof::ByPartner(proof)) = HolderProof::parse(&text) else {
        panic!("x5c is there")
    };
    assert!(proof.verify().is_err());
}

#[test]
fn the_vault_signs_only_with_the_key_of_its_certificate() {
    let ca = Ca::new();
    let (pkcs8, certificate) = ca.certify("spiffe://tessera/vault", 1);
    let (other, _) = ca.certify("spiffe://tessera/vault", 2);
    assert!(VaultSigner::from_pkcs8(&pkcs8, &x5c(certificate.clone())).is_ok());
    assert!(VaultSigner::from_pkcs8(&other, &x5c(certificate.clone())).is_err());
    assert!(VaultSigner::from_pkcs8(&[], &x5c(certificate)).is_err());
}

#[test]
fn a_revoked_vault_attests_nothing_where_the_client_has_a_list() {
    let ca = Ca::new();
    let (pkcs8, certificate) = ca.certify("spiffe://tessera/vault", 7);
    let key = Thumbprint::from_bytes([9; 32]);
    let signer = VaultSigner::from_pkcs8(&pkcs8, &x5c(certificate)).unwrap();
    let text = AttestationClaims::new(vec![key], now()).sign(&signer).unwrap();
    let verify = |lists: &[CertificateRevocationListDer<'_>]| {
        let trust = VaultTrust::new(&[ca.0.der().clone()], lists).unwrap();
        attestation::verify(&text, &trust, now(), &key).map(|_| ())
    };
    assert_eq!(verify(&[]), Ok(()));
    assert_eq!(verify(&[ca.revoking(8, 2050)]), Ok(()));
    assert_eq!(
        verify(&[ca.revoking(7, 2050)]),
        Err(VaultWordError::UntrustedChain)
    );
    assert_eq!(
        verify(&[ca.revoking(8, 2022)]),
        Err(VaultWordError::UntrustedChain),
        "an old list"
    );
    assert_eq!(
        verify(&[Ca::new().revoking(8, 2050)]),
        Err(VaultWordError::UntrustedChain),
        "another CA's list"
    );
}

#[test]
fn an_attestation_holds_for_a_day_and_not_a_second_longer() {
    let ca = Ca::new();
    let (pkcs8, certificate) = ca.certify("spiffe://tessera/vault", 1);
    let key = Thumbprint::from_bytes([9; 32]);
    let signer = VaultSigner::from_pkcs8(&pkcs8, &x5c(certificate)).unwrap();
    let text = AttestationClaims::new(vec![key], now()).sign(&signer).unwrap();
    let trust = VaultTrust::new(&[ca.0.der().clone()], &[]).unwrap();
    let at = |when: OffsetDateTime| attestation::verify(&text, &trust, when, &key).map(|_| ());
    let second = Duration::seconds(1);
    assert_eq!(at(now() + attestation::MAX_LIFETIME - second), Ok(()));
    assert_eq!(at(now() + attestation::MAX_LIFETIME), Err(VaultWordError::Time));
    assert_eq!(at(now() - Duration::minutes(5)), Ok(()));
    assert_eq!(
        at(now() - Duration::minutes(5) - second),
        Err(VaultWordError::Time)
    );
    assert_eq!(
        at(OffsetDateTime::UNIX_EPOCH - second),
        Err(VaultWordError::UntrustedChain)
    );
}

#[test]
fn the_vaults_word_on_one_thing_is_no_word_on_another() {
    let ca = Ca::new();
    let (pkcs8, certificate) = ca.certify("spiffe://tessera/vault", 1);
    let key = Thumbprint::from_bytes([9; 32]);
    let signer = VaultSigner::from_pkcs8(&pkcs8, &x5c(certificate)).unwrap();
    let trust = VaultTrust::new(&[ca.0.der().clone()], &[]).unwrap();
    let attestation = AttestationClaims::new(vec![key], now()).sign(&signer).unwrap();
    let vkey = "tessera.vault/test+00000000+AQ==".to_owned();
    let audit = AuditKeyClaims::new(vkey, now());
    let audit_text = audit.sign(&signer).unwrap();
    assert_eq!(audit_key::verify(&audit_text, &trust, now()), Ok(audit));
    let malformed = Some(VaultWordError::Malformed);
    assert_eq!(audit_key::verify(&attestation, &trust, now()).err(), malformed);
    assert_eq!(
        attestation::verify(&audit_text, &trust, now(), &key).err(),
        malformed
    );
    assert_eq!(vault_proof::verify(&audit_text, &trust, now()).err(), malformed);
    let late = now() + audit_key::MAX_LIFETIME;
    assert_eq!(
        audit_key::verify(&audit_text, &trust, late).err(),
        Some(VaultWordError::Time)
    );
    assert!(HolderProof::parse(&attestation).is_err());
}

#[test]
fn trust_needs_a_root_and_readable_files() {
    let refused = |roots: &[CertificateDer<'_>], lists: &[_]| VaultTrust::new(roots, lists).err();
    assert_eq!(refused(&[], &[]), Some(VaultTrustError::NoRoot));
    assert_eq!(
        refused(&[CertificateDer::from(vec![1])], &[]),
        Some(VaultTrustError::Root)
    );
    let root = Ca::new().0.der().clone();
    let list = CertificateRevocationListDer::from(vec![1]);
    assert_eq!(refused(&[root], &[list]), Some(VaultTrustError::RevocationList));
}

#[test]
fn a_ticket_is_signed_by_the_key_of_the_certificate_it_brings() {
    let ca = Ca::new();
    let (pkcs8, certificate) = ca.certify("spiffe://tessera/partner/acme", 1);
    let (other, _) = ca.certify("spiffe://tessera/partner/other", 2);
    let chain = x5c(certificate);
    let claims = json!({
        "aud": "spiffe://tessera/vault", "jti": "ticket-1", "externalId": "user-1",
        "secretHash": SecretHash::of(b"secret"), "exp": now().unix_timestamp() + 600,
    });
    let header = json!({ "alg": "ES256", "typ": "enrolment-ticket+jwt", "x5c": chain }).to_string();
    let sign = |key: &[u8], claims: &Value| {
        es256::Es256Key::from_pkcs8(key)
            .unwrap()
            .sign(&base64url::encode(&header), claims)
            .unwrap()
    };
    let ticket = CertifiedTicket::verify(&sign(&pkcs8, &claims)).unwrap();
    assert_eq!(ticket.x5c(), &chain);
    let read = ticket.into_claims();
    assert_eq!(
        (read.external_id.as_str(), read.secret_hash),
        ("user-1", SecretHash::of(b"secret"))
    );
    assert_eq!(format!("{:?}", read.secret_hash), "SecretHash(…)");
    assert!(CertifiedTicket::verify(&sign(&other, &claims)).is_err());
    for member in ["aud", "jti", "externalId", "secretHash", "exp"] {
        let mut less = claims.clone();
        less.as_object_mut().unwrap().remove(member);
        assert!(CertifiedTicket::verify(&sign(&pkcs8, &less)).is_err(), "{member}");
    }
    let bare = holder().sign("enrolment-ticket+jwt", &claims).unwrap();
    assert!(CertifiedTicket::verify(&bare).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC{0,300}", header in "\\PC{0,60}", claims in "\\PC{0,60}") {
        let parts = format!("{}.{}.AAAA", base64url::encode(header), base64url::encode(claims));
        for text in [text, parts] {
            prop_assert!(HolderProof::parse(&text).is_err());
            prop_assert!(CertifiedTicket::verify(&text).is_err());
        }
    }

    #[test]
    fn a_proof_with_any_character_changed_is_refused(at in 0usize..500, symbol in "[A-Za-z0-9_.=-]") {
        let device = holder();
        let text = claims().sign(&device).unwrap();
        prop_assume!(at < text.len() && text[at..=at] != symbol);
        let changed = format!("{}{symbol}{}", &text[..at], &text[at + 1..]);
        let refused = match HolderProof::parse(&changed) {
            Ok(HolderProof::ByHolder(proof)) => proof.verify_with(&[device.public_key().unwrap()]).is_err(),
            Ok(HolderProof::ByPartner(_)) | Err(InvalidProof) => true,
        };
        prop_assert!(refused);
    }
}
