//! The vault's signature under its own word: the key of its TLS certificate, with the chain in every header, so that a
//! client which pins the CA needs nothing else.

use serde::Serialize;
use serde_json::json;

use super::es256::{Es256Key, InvalidSigningKey};
use super::{X5c, attestation, audit_key, vault_proof};
use crate::jose::base64url;
use crate::public_key::PublicKey;

/// Signs attestations and Vault-Proofs. The headers, with the chain in base64, are made once.
pub struct VaultSigner {
    key: Es256Key,
    attestation_header: String,
    audit_key_header: String,
    vault_proof_header: String,
}

impl VaultSigner {
    /// Takes the vault's TLS key (P-256, PKCS#8 DER) and its certificate chain.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] for another kind of key, or when the first certificate is of another key.
    pub fn from_pkcs8(pkcs8: &[u8], x5c: &X5c) -> Result<Self, InvalidSigningKey> {
        let key = Es256Key::from_pkcs8(pkcs8)?;
        match x5c.signer_key() {
            Ok(PublicKey::P256(point)) if point.as_bytes().as_slice() == key.public_point() => {}
            _ => return Err(InvalidSigningKey),
        }
        let header =
            |typ: &str| base64url::encode(json!({ "alg": "ES256", "typ": typ, "x5c": x5c }).to_string());
        Ok(Self {
            key,
            attestation_header: header(attestation::TYP),
            audit_key_header: header(audit_key::TYP),
            vault_proof_header: header(vault_proof::TYP),
        })
    }

    pub(super) fn sign_attestation(&self, claims: &impl Serialize) -> Result<String, InvalidSigningKey> {
        self.key.sign(&self.attestation_header, claims)
    }

    pub(super) fn sign_audit_key(&self, claims: &impl Serialize) -> Result<String, InvalidSigningKey> {
        self.key.sign(&self.audit_key_header, claims)
    }

    pub(super) fn sign_vault_proof(&self, claims: &impl Serialize) -> Result<String, InvalidSigningKey> {
        self.key.sign(&self.vault_proof_header, claims)
    }
}
