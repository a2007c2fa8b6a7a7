//! `attestation.json`, `vault-proof.json` and `audit-key.json`.

use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use shared::jwe::BodyHash;
use shared::jws::attestation::AttestationClaims;
use shared::jws::audit_key::AuditKeyClaims;
use shared::jws::vault_proof::VaultProofClaims;
use shared::jws::{VaultSigner, X5c};
use time::OffsetDateTime;

use crate::pki::{Certified, Pki};
use crate::raw::{base64url, es256, flipped};
use crate::{NOW, keys};

const DAY: i64 = 86_400;
const ATTESTATION: &str = "key-attestation+jwt";
const VAULT_PROOF: &str = "vault-proof+jwt";
const AUDIT_KEY: &str = "audit-key+jwt";

fn signer(certified: &Certified) -> VaultSigner {
    let chain = certified
        .chain
        .iter()
        .cloned()
        .map(CertificateDer::from)
        .collect();
    VaultSigner::from_pkcs8(&certified.pkcs8, &X5c::new(chain).unwrap()).unwrap()
}

/// A case: its name, the token, and what must come out.
type Case = (&'static str, String, &'static str);

/// The same claims, wrong in what the header or the signer is. The same for both purposes.
fn wrong_signers(pki: &Pki, typ: &str, other_typ: &str, claims: &str) -> Vec<Case> {
    let mut cases = signed_by_others(pki, typ, claims);
    cases.extend(under_wrong_headers(pki, typ, other_typ, claims));
    cases
}

fn signed_by_others(pki: &Pki, typ: &str, claims: &str) -> Vec<Case> {
    let sign =
        |shown: &Certified, key: &Certified| es256(&Pki::header(typ, "ES256", shown), claims, &key.pkcs8);
    let own = |certified: &Certified| sign(certified, certified);
    let flipped = flipped(&own(&pki.vault), 2, 10);
    vec![
        ("by-the-gateway", own(&pki.gateway), "NOT_THE_VAULT"),
        (
            "by-two-identities",
            own(&pki.vault_with_two_uris),
            "NOT_THE_VAULT",
        ),
        (
            "by-the-gateway-with-the-vaults-chain",
            sign(&pki.vault, &pki.gateway),
            "SIGNATURE",
        ),
        ("signature-flipped", flipped, "SIGNATURE"),
        (
            "by-another-ca-of-the-same-name",
            own(&pki.vault_of_other_ca),
            "UNTRUSTED_CHAIN",
        ),
        ("certificate-expired", own(&pki.vault_expired), "UNTRUSTED_CHAIN"),
        (
            "certificate-for-clients",
            own(&pki.vault_for_clients),
            "UNTRUSTED_CHAIN",
        ),
    ]
}

fn under_wrong_headers(pki: &Pki, typ: &str, other_typ: &str, claims: &str) -> Vec<Case> {
    let good = Pki::header(typ, "ES256", &pki.vault);
    let headers = [
        ("without-chain", json!({ "alg": "ES256", "typ": typ }).to_string()),
        ("of-another-type", Pki::header(other_typ, "ES256", &pki.vault)),
        ("alg-none", Pki::header(typ, "none", &pki.vault)),
        ("alg-ps256", Pki::header(typ, "PS256", &pki.vault)),
        ("header-with-kid", good.replacen('{', r#"{"kid":"x","#, 1)),
        ("header-with-crit", good.replacen('{', r#"{"crit":["exp"],"#, 1)),
    ];
    let case = |(name, header): (&'static str, String)| {
        (name, es256(&header, claims, &pki.vault.pkcs8), "MALFORMED")
    };
    headers.into_iter().map(case).collect()
}

pub(crate) fn attestations(pki: &Pki) -> Value {
    let (current, current_entry) = keys::rsa();
    let (older, older_entry) = keys::rsa();
    let (_, foreign_entry) = keys::rsa();
    let now = OffsetDateTime::from_unix_timestamp(NOW).unwrap();
    let claims = AttestationClaims::new(vec![current.thumbprint(), older.thumbprint()], now);
    let good = claims.sign(&signer(&pki.vault)).unwrap();
    let at = |iat: i64, exp: i64| {
        let claims = AttestationClaims {
            iat,
            exp,
            ..claims.clone()
        };
        claims.sign(&signer(&pki.vault)).unwrap()
    };
    let text = serde_json::to_string(&claims).unwrap();
    let raw = |claims: &str| {
        es256(
            &Pki::header(ATTESTATION, "ES256", &pki.vault),
            claims,
            &pki.vault.pkcs8,
        )
    };
    let case = |name: &str, key: &str, token: &str, result: &str| json!({ "name": name, "key": key, "attestation": token, "result": result });
    let no_keys = json!({ "thumbprints": [], "iat": NOW, "exp": NOW + DAY }).to_string();
    let unknown = text.replace('}', r#","sub":"x"}"#);
    let twice = text.replacen('{', r#"{"exp":1,"#, 1);
    let mut cases = vec![
        case("current-key", "current", &good, "OK"),
        case("older-key", "older", &good, "OK"),
        case("key-of-the-gateway", "foreign", &good, "OTHER_KEY"),
        case("no-keys", "current", &raw(&no_keys), "OTHER_KEY"),
        case("expired", "current", &at(NOW - DAY, NOW), "TIME"),
        case(
            "issued-in-the-future",
            "current",
            &at(NOW + 301, NOW + DAY),
            "TIME",
        ),
        case(
            "clock-five-minutes-behind",
            "current",
            &at(NOW + 300, NOW + DAY),
            "OK",
        ),
        case("for-more-than-a-day", "current", &at(NOW, NOW + DAY + 1), "TIME"),
        case("claim-unknown", "current", &raw(&unknown), "MALFORMED"),
        case("claim-twice", "current", &raw(&twice), "MALFORMED"),
    ];
    for (name, token, result) in wrong_signers(pki, ATTESTATION, VAULT_PROOF, &text) {
        cases.push(case(name, "current", &token, result));
    }
    json!({
        "description": "Attestation of the vault's public keys, a compact JWS. See README.md.",
        "now": NOW,
        "ca": pki.ca_pem,
        "keys": {
            "current": public(&current_entry),
            "older": public(&older_entry),
            "foreign": public(&foreign_entry),
        },
        "cases": cases,
    })
}

fn public(entry: &Value) -> Value {
    json!({ "thumbprint": entry["thumbprint"], "publicJwk": entry["publicJwk"] })
}

pub(crate) fn vault_proofs(pki: &Pki) -> Value {
    let answer = "eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIn0.key.iv.content.tag";
    let claims = json!({
        "op": "reveal", "card": "crd_abcdefghijklmnopqrstuvwxyz", "nonce": base64url([7; 32]),
        "bdh": BodyHash::of(answer), "keys": { "active": 1, "pending": 0 },
    });
    let mut without_answer = claims.clone();
    without_answer.as_object_mut().unwrap().shift_remove("bdh");
    let signed = |claims: &Value| {
        let claims: VaultProofClaims = serde_json::from_value(claims.clone()).unwrap();
        claims.sign(&signer(&pki.vault)).unwrap()
    };
    let raw = |claims: &str| {
        es256(
            &Pki::header(VAULT_PROOF, "ES256", &pki.vault),
            claims,
            &pki.vault.pkcs8,
        )
    };
    let text = claims.to_string();
    let bad =
        |name: &str, proof: &str, result: &str| json!({ "name": name, "proof": proof, "result": result });
    let mut cases = vec![
        json!({ "name": "reveal", "proof": signed(&claims), "result": "OK", "claims": claims }),
        json!({ "name": "answer-without-jwe", "proof": signed(&without_answer), "result": "OK", "claims": without_answer }),
        bad(
            "claim-unknown",
            &raw(&text.replacen('{', r#"{"sub":"x","#, 1)),
            "MALFORMED",
        ),
        bad(
            "claim-twice",
            &raw(&text.replacen('{', r#"{"op":"issue","#, 1)),
            "MALFORMED",
        ),
        bad(
            "key-count-negative",
            &raw(&text.replace("\"pending\":0", "\"pending\":-1")),
            "MALFORMED",
        ),
        bad(
            "key-count-missing",
            &raw(&text.replace(",\"pending\":0", "")),
            "MALFORMED",
        ),
    ];
    for (name, token, result) in wrong_signers(pki, VAULT_PROOF, ATTESTATION, &text) {
        cases.push(bad(name, &token, result));
    }
    json!({
        "description": "Vault-Proof, a compact JWS under the vault's answer. See README.md.",
        "now": NOW,
        "ca": pki.ca_pem,
        "answer": answer,
        "cases": cases,
    })
}

pub(crate) fn audit_keys(pki: &Pki) -> Value {
    // The public key of RFC 8032 §7.1, test 1.
    let vkey = "tessera.vault/vectors+f299d15d+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
    let now = OffsetDateTime::from_unix_timestamp(NOW).unwrap();
    let claims = AuditKeyClaims::new(vkey.to_owned(), now);
    let good = claims.sign(&signer(&pki.vault)).unwrap();
    let at = |iat: i64, exp: i64| {
        let claims = AuditKeyClaims {
            iat,
            exp,
            ..claims.clone()
        };
        claims.sign(&signer(&pki.vault)).unwrap()
    };
    let text = serde_json::to_string(&claims).unwrap();
    let raw = |claims: &str| {
        es256(
            &Pki::header(AUDIT_KEY, "ES256", &pki.vault),
            claims,
            &pki.vault.pkcs8,
        )
    };
    let bad = |name: &str, token: &str, result: &str| json!({ "name": name, "attestation": token, "result": result });
    let without_key = json!({ "iat": NOW, "exp": NOW + DAY }).to_string();
    let mut cases = vec![
        json!({ "name": "genuine", "attestation": good, "result": "OK", "claims": claims }),
        bad("expired", &at(NOW - DAY, NOW), "TIME"),
        bad("issued-in-the-future", &at(NOW + 301, NOW + DAY), "TIME"),
        bad("for-more-than-a-day", &at(NOW, NOW + DAY + 1), "TIME"),
        bad(
            "claim-unknown",
            &raw(&text.replace('}', r#","sub":"x"}"#)),
            "MALFORMED",
        ),
        bad(
            "claim-twice",
            &raw(&text.replacen('{', r#"{"exp":1,"#, 1)),
            "MALFORMED",
        ),
        bad("vkey-missing", &raw(&without_key), "MALFORMED"),
    ];
    for (name, token, result) in wrong_signers(pki, AUDIT_KEY, ATTESTATION, &text) {
        cases.push(bad(name, &token, result));
    }
    json!({
        "description": "Attestation of the key that signs checkpoints of the audit log, a compact JWS. See README.md.",
        "now": NOW,
        "ca": pki.ca_pem,
        "cases": cases,
    })
}
