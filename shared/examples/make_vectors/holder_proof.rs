//! `holder-proof.json`.

use josekit::jws::alg::rsassa_pss::RsassaPssJwsAlgorithm;
use josekit::jws::{JwsHeader, serialize_compact};
use serde_json::{Value, json};
use shared::jwe::{BodyHash, Sealer};
use shared::jws::HolderSigner;
use shared::jws::holder_proof::HolderProofClaims;

use crate::pki::Pki;
use crate::raw::{base64url, es256, flipped, part, with_part};
use crate::{NOW, keys};

const TYP: &str = "holder-proof+jwt";
const HEADER: &str = r#"{"alg":"ES256","typ":"holder-proof+jwt"}"#;
const CARD: &str = "crd_abcdefghijklmnopqrstuvwxyz";

pub(crate) fn vectors(pki: &Pki) -> Value {
    let (holder, holder_entry) = keys::p256();
    let (other, other_entry) = keys::p256();
    let (recipient, recipient_entry) = keys::rsa();
    let payload = Sealer::new(recipient.public_key())
        .unwrap()
        .seal(br#"{"pin":"1234"}"#)
        .unwrap();
    let claims = |op: &str| {
        json!({
            "op": op, "card": CARD, "nonce": base64url([7; 32]), "iat": NOW, "jti": "vector-1",
            "rpk": recipient.thumbprint(),
        })
    };
    let mut with_payload = claims("set-pin");
    with_payload["bdh"] = json!(BodyHash::of(&payload));

    let mut cases = Vec::new();
    for op in ["issue", "reveal", "reset-cvv", "order", "enrol-key", "tokenise"] {
        cases.push(good(
            op,
            &es256(HEADER, &claims(op).to_string(), &holder),
            &claims(op),
        ));
    }
    let typed: HolderProofClaims = serde_json::from_value(with_payload.clone()).unwrap();
    let signed = typed.sign(&HolderSigner::from_pkcs8(&holder).unwrap()).unwrap();
    cases.push(good("set-pin-with-payload", &signed, &with_payload));
    let with_kid = HEADER.replace('}', r#","kid":"ignored"}"#);
    cases.push(good(
        "kid-is-ignored",
        &es256(&with_kid, &claims("reveal").to_string(), &holder),
        &claims("reveal"),
    ));
    cases.extend(by_partner(pki, &claims("reveal")));
    cases.push(bad(
        "by-another-key",
        &es256(HEADER, &claims("reveal").to_string(), &other),
    ));
    cases.extend(bad_headers(&claims("reveal").to_string(), &holder));
    cases.extend(bad_claims(&claims("reveal"), &holder));
    cases.extend(bad_forms(&signed));
    json!({
        "description": "Holder-Proof, a compact JWS. See README.md. Test keys: they protect nothing.",
        "now": NOW,
        "keys": { "holder": holder_entry, "other": other_entry, "recipient": recipient_entry },
        "payload": payload,
        "cases": cases,
    })
}

fn good(name: &str, proof: &str, claims: &Value) -> Value {
    json!({ "name": name, "proof": proof, "signer": "holder", "result": "OK", "claims": claims })
}

fn bad(name: &str, proof: &str) -> Value {
    json!({ "name": name, "proof": proof, "signer": "holder", "result": "HOLDER_PROOF_INVALID" })
}

/// On the partner channel: signed by the key of the certificate in `x5c`.
fn by_partner(pki: &Pki, claims: &Value) -> Vec<Value> {
    let mut header = JwsHeader::new();
    header.set_token_type(TYP);
    header.set_x509_certificate_chain(&pki.partner_rsa.chain);
    let signer = RsassaPssJwsAlgorithm::Ps256
        .signer_from_der(&pki.partner_rsa.pkcs8)
        .unwrap();
    let ps256 = serialize_compact(claims.to_string().as_bytes(), &header, &signer).unwrap();
    let sign = |certified, key: &[u8]| es256(&Pki::header(TYP, "ES256", certified), &claims.to_string(), key);
    let mut cases = vec![
        good(
            "by-a-partner-es256",
            &sign(&pki.partner, &pki.partner.pkcs8),
            claims,
        ),
        good("by-a-partner-ps256", &ps256, claims),
        bad(
            "by-a-partner-with-another-key",
            &sign(&pki.partner, &pki.gateway.pkcs8),
        ),
        bad(
            "by-a-partner-with-es256-for-an-rsa-key",
            &sign(&pki.partner_rsa, &pki.partner.pkcs8),
        ),
        bad(
            "by-a-partner-with-an-empty-chain",
            &es256(
                &json!({ "alg": "ES256", "typ": TYP, "x5c": [] }).to_string(),
                &claims.to_string(),
                &pki.partner.pkcs8,
            ),
        ),
    ];
    for case in &mut cases {
        case["signer"] = json!("x5c");
    }
    cases
}

fn bad_headers(claims: &str, holder: &[u8]) -> Vec<Value> {
    let mut headers = vec![(
        "header-member-twice".to_owned(),
        HEADER.replace('}', r#","alg":"ES256"}"#),
    )];
    for alg in ["none", "HS256", "RS256", "ES384", "PS256", "es256"] {
        headers.push((
            format!("alg-{alg}"),
            json!({ "alg": alg, "typ": TYP }).to_string(),
        ));
    }
    for typ in [
        "JWT",
        "session-proof+jwt",
        "vault-proof+jwt",
        "Holder-Proof+jwt",
        "application/holder-proof+jwt",
    ] {
        headers.push((
            format!("typ-{typ}"),
            json!({ "alg": "ES256", "typ": typ }).to_string(),
        ));
    }
    headers.push(("typ-missing".to_owned(), json!({ "alg": "ES256" }).to_string()));
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("jwk", json!({})),
        ("jku", json!("https://example.com/")),
        ("unknown", json!(1)),
    ] {
        let mut header: Value = serde_json::from_str(HEADER).unwrap();
        header[member] = value;
        headers.push((format!("header-with-{member}"), header.to_string()));
    }
    headers
        .iter()
        .map(|(name, header)| bad(name, &es256(header, claims, holder)))
        .collect()
}

fn bad_claims(claims: &Value, holder: &[u8]) -> Vec<Value> {
    let mut texts = Vec::new();
    for claim in ["op", "card", "nonce", "iat", "jti", "rpk"] {
        let mut without = claims.clone();
        without.as_object_mut().unwrap().shift_remove(claim);
        texts.push((format!("without-{claim}"), without.to_string()));
    }
    for (name, claim, value) in [
        ("op-unknown", "op", json!("steal")),
        ("card-empty", "card", json!("")),
        ("card-with-a-space", "card", json!("a b")),
        ("card-too-long", "card", json!("c".repeat(256))),
        ("jti-too-long", "jti", json!("j".repeat(129))),
        ("nonce-too-short", "nonce", json!("AAAA")),
        ("iat-as-text", "iat", json!("1893456000")),
        ("iat-with-a-fraction", "iat", json!(1_893_456_000.5)),
        ("rpk-too-short", "rpk", json!("AAAA")),
        ("bdh-null", "bdh", Value::Null),
        ("bdh-too-short", "bdh", json!("AAAA")),
        ("claim-unknown", "sub", json!("x")),
    ] {
        let mut changed = claims.clone();
        changed[claim] = value;
        texts.push((name.to_owned(), changed.to_string()));
    }
    texts.push((
        "claim-twice".to_owned(),
        claims.to_string().replacen('{', r#"{"op":"issue","#, 1),
    ));
    texts.push(("claims-not-an-object".to_owned(), "[]".to_owned()));
    texts
        .iter()
        .map(|(name, text)| bad(name, &es256(HEADER, text, holder)))
        .collect()
}

fn bad_forms(signed: &str) -> Vec<Value> {
    let claims = String::from_utf8(crate::raw::part_bytes(signed, 1)).unwrap();
    vec![
        bad("signature-flipped", &flipped(signed, 2, 63)),
        bad("signature-empty", &with_part(signed, 2, "")),
        bad(
            "signature-of-63-bytes",
            &with_part(signed, 2, &part(signed, 2)[..84]),
        ),
        bad("signature-zero", &with_part(signed, 2, &base64url([0; 64]))),
        bad("signature-padded", &format!("{signed}==")),
        bad(
            "claims-exchanged",
            &with_part(signed, 1, &base64url(claims.replace("set-pin", "reveal"))),
        ),
        bad("two-parts", signed.rsplit_once('.').unwrap().0),
        bad("four-parts", &format!("{signed}.AA")),
        bad("empty", ""),
    ]
}
