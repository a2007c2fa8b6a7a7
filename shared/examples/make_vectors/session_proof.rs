//! `session-proof.json`.

use serde_json::{Value, json};
use shared::jws::HolderSigner;
use shared::jws::session_proof::SessionProofClaims;

use crate::keys;
use crate::raw::{es256, flipped};

const HEADER: &str = r#"{"alg":"ES256","typ":"session-proof+jwt"}"#;

pub(crate) fn vectors() -> Value {
    let (device, device_entry) = keys::p256();
    let (other, other_entry) = keys::p256();
    let claims = json!({ "challenge": "vector-challenge", "installationId": 1125 });
    let typed: SessionProofClaims = serde_json::from_value(claims.clone()).unwrap();
    let signed = typed.sign(&HolderSigner::from_pkcs8(&device).unwrap()).unwrap();
    let text = claims.to_string();
    let bad = |name: &str, proof: &str| json!({ "name": name, "proof": proof, "result": "INVALID" });
    let as_text = json!({ "challenge": "vector-challenge", "installationId": "1125" }).to_string();
    json!({
        "description": "The proof that opens a session, a compact JWS by the device's key. See README.md.",
        "keys": { "device": device_entry, "other": other_entry },
        "cases": [
            { "name": "good", "proof": signed, "result": "OK", "claims": claims },
            bad("by-another-key", &es256(HEADER, &text, &other)),
            bad("signature-flipped", &flipped(&signed, 2, 0)),
            bad("typ-of-a-holder-proof", &es256(&HEADER.replace("session", "holder"), &text, &device)),
            bad("header-with-crit", &es256(&HEADER.replace('}', r#","crit":["exp"]}"#), &text, &device)),
            bad("installation-as-text", &es256(HEADER, &as_text, &device)),
            bad("claim-unknown", &es256(HEADER, &text.replace('}', r#","sub":"x"}"#), &device)),
            bad("challenge-missing", &es256(HEADER, r#"{"installationId":1125}"#, &device)),
        ],
    })
}
