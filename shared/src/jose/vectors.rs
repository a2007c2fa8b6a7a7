//! Replays every published vector of `tests/vectors`: what the files say is what this crate does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use josekit::jwe::alg::ecdh_es::EcdhEsJweAlgorithm;
use josekit::jwk::Jwk;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;
use time::OffsetDateTime;

use crate::jwe::{AlgPolicy, BodyHash, CompactJwe, InvalidPayload, OpenError, Opener, RsaPrivateKey};
use crate::jws::holder_proof::{HolderProof, HolderProofClaims};
use crate::jws::{
    HolderKey, InvalidProof, VaultTrust, VaultWordError, attestation, audit_key, session_proof, vault_proof,
};
use crate::public_key::PublicKey;
use crate::thumbprint::Thumbprint;

const JWE: &str = include_str!("../../../tests/vectors/jwe.json");
const HOLDER_PROOF: &str = include_str!("../../../tests/vectors/holder-proof.json");
const SESSION_PROOF: &str = include_str!("../../../tests/vectors/session-proof.json");
const ATTESTATION: &str = include_str!("../../../tests/vectors/attestation.json");
const VAULT_PROOF: &str = include_str!("../../../tests/vectors/vault-proof.json");
const AUDIT_KEY: &str = include_str!("../../../tests/vectors/audit-key.json");

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member]
        .as_str()
        .unwrap_or_else(|| panic!("{member} in {value}"))
}

/// Runs `replay` on every case; it answers with the name of the result and, when good, with what was signed or sealed.
fn replay(file: &str, content: &str, run: impl Fn(&Value, &Value) -> (&'static str, Option<Value>)) {
    let file: Value = serde_json::from_str(file).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(
        cases.iter().any(|case| case["result"] == "OK") && cases.iter().any(|case| case["result"] != "OK")
    );
    for case in cases {
        let (result, found) = run(&file, case);
        assert_eq!(result, text(case, "result"), "{}", text(case, "name"));
        if let Some(expected) = case.get(content) {
            assert_eq!(found.as_ref(), Some(expected), "{}", text(case, "name"));
        }
    }
}

fn vault_word(error: VaultWordError) -> &'static str {
    match error {
        VaultWordError::Malformed => "MALFORMED",
        VaultWordError::UntrustedChain => "UNTRUSTED_CHAIN",
        VaultWordError::NotTheVault => "NOT_THE_VAULT",
        VaultWordError::Signature => "SIGNATURE",
        VaultWordError::Time => "TIME",
        VaultWordError::OtherKey => "OTHER_KEY",
    }
}

fn trust(file: &Value) -> VaultTrust {
    let root = CertificateDer::from_pem_slice(text(file, "ca").as_bytes()).unwrap();
    VaultTrust::new(&[root], &[]).unwrap()
}

fn now(file: &Value) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(file["now"].as_i64().unwrap()).unwrap()
}

#[test]
fn every_jwe_vector_ends_as_the_file_says() {
    let file: Value = serde_json::from_str(JWE).unwrap();
    let pkcs8 = STANDARD.decode(text(&file["keys"]["rsa"], "pkcs8")).unwrap();
    let opener = Opener::new(RsaPrivateKey::from_pkcs8(&pkcs8).unwrap(), Vec::new());
    let open = |jwe: &str| -> Result<Vec<u8>, OpenError> {
        Ok(opener
            .open(&CompactJwe::parse(jwe, AlgPolicy::Sha1Too)?)?
            .to_vec())
    };
    replay(JWE, "plaintext", |file, case| {
        let opened = match text(case, "key") {
            "p256" => Ok(opened_by_a_client(&file["keys"]["p256"], text(case, "jwe"))),
            _ => open(text(case, "jwe")),
        };
        match opened {
            Ok(plaintext) => ("OK", Some(String::from_utf8(plaintext).unwrap().into())),
            Err(OpenError::InvalidPayload) => ("INVALID_PAYLOAD", None),
            Err(OpenError::CantDecrypt) => ("CANT_DECRYPT_PAYLOAD", None),
        }
    });
}

/// We seal to P-256 and never open what is sealed to it: that is the client's side.
fn opened_by_a_client(key: &Value, jwe: &str) -> Vec<u8> {
    let jwk = Jwk::from_bytes(key["privateJwk"].to_string()).unwrap();
    let decrypter = EcdhEsJweAlgorithm::EcdhEs.decrypter_from_jwk(&jwk).unwrap();
    josekit::jwe::deserialize_compact(jwe, &decrypter).unwrap().0
}

#[test]
fn the_gateway_and_the_vault_agree_on_every_jwe_vector_with_a_bad_structure() {
    let file: Value = serde_json::from_str(JWE).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let parsed = CompactJwe::parse(text(case, "jwe"), AlgPolicy::Sha1Too);
        // The gateway has no key, so the length of the modulus is the one structural check that it leaves to the vault.
        let refused = text(case, "result") == "INVALID_PAYLOAD"
            && text(case, "name") != "encrypted-key-of-another-modulus";
        let sealed_by_us_for_a_client = text(case, "key") == "p256";
        assert_eq!(
            parsed.err(),
            (refused || sealed_by_us_for_a_client).then_some(InvalidPayload),
            "{case}"
        );
    }
}

#[test]
fn every_holder_proof_vector_ends_as_the_file_says() {
    let verify = |file: &Value, case: &Value| -> Result<(&'static str, HolderProofClaims), InvalidProof> {
        match HolderProof::parse(text(case, "proof"))? {
            HolderProof::ByHolder(proof) => {
                let key = |name: &str| HolderKey::from_jwk(&file["keys"][name]["publicJwk"]).unwrap();
                let (unrelated, holder) = (HolderKey::from_jwk(&p256_of(JWE)).unwrap(), key("holder"));
                let verified = proof.verify_with(&[unrelated, holder.clone()])?;
                assert_eq!(verified.key, holder.thumbprint());
                Ok(("holder", verified.claims))
            }
            HolderProof::ByPartner(proof) => Ok(("x5c", proof.verify()?.into_claims())),
        }
    };
    replay(HOLDER_PROOF, "claims", |file, case| match verify(file, case) {
        Ok((signer, claims)) => {
            assert_eq!(signer, text(case, "signer"), "{case}");
            ("OK", Some(serde_json::to_value(claims).unwrap()))
        }
        Err(InvalidProof) => ("HOLDER_PROOF_INVALID", None),
    });
}

fn p256_of(file: &str) -> Value {
    serde_json::from_str::<Value>(file).unwrap()["keys"]["p256"]["publicJwk"].clone()
}

#[test]
fn the_hashes_in_the_holder_proof_vectors_are_those_of_key_and_payload() {
    let file: Value = serde_json::from_str(HOLDER_PROOF).unwrap();
    let recipient = PublicKey::from_jwk(&file["keys"]["recipient"]["publicJwk"]).unwrap();
    let case = file["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["name"] == "set-pin-with-payload")
        .unwrap();
    assert_eq!(text(&case["claims"], "rpk"), recipient.thumbprint().to_string());
    assert_eq!(
        text(&case["claims"], "bdh"),
        BodyHash::of(text(&file, "payload")).to_string()
    );
}

#[test]
fn every_session_proof_vector_ends_as_the_file_says() {
    replay(SESSION_PROOF, "claims", |file, case| {
        let device = HolderKey::from_jwk(&file["keys"]["device"]["publicJwk"]).unwrap();
        match session_proof::verify(text(case, "proof"), &device) {
            Ok(claims) => ("OK", Some(serde_json::to_value(claims).unwrap())),
            Err(InvalidProof) => ("INVALID", None),
        }
    });
}

#[test]
fn every_attestation_vector_ends_as_the_file_says() {
    replay(ATTESTATION, "claims", |file, case| {
        let key: Thumbprint = text(&file["keys"][text(case, "key")], "thumbprint")
            .parse()
            .unwrap();
        match attestation::verify(text(case, "attestation"), &trust(file), now(file), &key) {
            Ok(_) => ("OK", None),
            Err(error) => (vault_word(error), None),
        }
    });
}

#[test]
fn every_vault_proof_vector_ends_as_the_file_says() {
    replay(VAULT_PROOF, "claims", |file, case| {
        match vault_proof::verify(text(case, "proof"), &trust(file), now(file)) {
            Ok(claims) => ("OK", Some(serde_json::to_value(claims).unwrap())),
            Err(error) => (vault_word(error), None),
        }
    });
}

#[test]
fn every_audit_key_vector_ends_as_the_file_says() {
    replay(AUDIT_KEY, "claims", |file, case| {
        match audit_key::verify(text(case, "attestation"), &trust(file), now(file)) {
            Ok(claims) => ("OK", Some(serde_json::to_value(claims).unwrap())),
            Err(error) => (vault_word(error), None),
        }
    });
}
