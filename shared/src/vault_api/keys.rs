//! The vault's public keys and its attestation of them.

use serde::{Deserialize, Serialize};

/// Answer (200) of [`super::paths::KEYS`]: passed on to clients as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultKeys {
    /// JWKs; the first is the current RSA key, the others are in their grace time.
    pub keys: Vec<serde_json::Value>,
    /// The current key as PEM SPKI.
    pub pem: String,
    /// A compact JWS, `typ: key-attestation+jwt`, over the thumbprints of `keys`, signed by the vault's certificate.
    pub attestation: String,
}
