//! Writes the test vectors of `tests/vectors` anew, with new keys: `cargo run -p shared --example make_vectors`.
//!
//! The keys are published in the files and protect nothing. `shared` replays every vector in its unit tests.
#![expect(
    clippy::unwrap_used,
    reason = "a generator: what cannot be written must stop it"
)]

mod holder_proof;
mod jwe;
mod keys;
mod pki;
mod raw;
mod session_proof;
mod vault_word;

use std::path::Path;

use serde_json::Value;

/// The "now" of every vector: 2030-01-01T00:00:00Z.
const NOW: i64 = 1_893_456_000;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let write = |name: &str, vectors: &Value| {
        let text = serde_json::to_string_pretty(vectors).unwrap() + "\n";
        std::fs::write(folder.join(name), text).unwrap();
    };
    let pki = pki::Pki::new();
    write("jwe.json", &jwe::vectors());
    write("holder-proof.json", &holder_proof::vectors(&pki));
    write("session-proof.json", &session_proof::vectors());
    write("attestation.json", &vault_word::attestations(&pki));
    write("vault-proof.json", &vault_word::vault_proofs(&pki));
    write("audit-key.json", &vault_word::audit_keys(&pki));
}
