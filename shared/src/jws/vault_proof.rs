//! `Vault-Proof`: the vault's signature under its answer to a holder proof, so that a gateway can neither forge card data
//! nor claim that a PIN was set.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::compact::{CompactJws, Expected};
use super::es256::InvalidSigningKey;
use super::holder_proof::Op;
use super::{VaultSigner, VaultTrust, VaultWordError, text};
use crate::ids::Nonce;
use crate::jose::json;
use crate::jwe::BodyHash;

pub(super) const TYP: &str = "vault-proof+jwt";
const EXPECTED: Expected = Expected {
    typ: TYP,
    kid_tolerated: false,
};

/// How many keys the holder has, so that an app notices one that its user did not enrol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCounts {
    /// Keys whose proofs are accepted.
    pub active: u32,
    /// Keys that wait to mature.
    pub pending: u32,
}

/// The claims, all of them and no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultProofClaims {
    /// The operation of the holder proof that is answered.
    pub op: Op,
    /// Its `card`.
    #[serde(deserialize_with = "text::long")]
    pub card: String,
    /// Its `nonce`: no other answer can be put in this one's place.
    pub nonce: Nonce,
    /// The JWE in the answer; absent where the answer has none (`enrol-key`).
    #[serde(
        default,
        deserialize_with = "json::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub bdh: Option<BodyHash>,
    /// The holder's keys after the operation.
    pub keys: KeyCounts,
}

impl VaultProofClaims {
    /// Signs the claims with the vault's key.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] when the system has no randomness.
    pub fn sign(&self, signer: &VaultSigner) -> Result<String, InvalidSigningKey> {
        signer.sign_vault_proof(self)
    }
}

/// Checks that `text` is the vault's word. The client must still compare `op`, `card`, `nonce` with its own proof and
/// `bdh` with the answer that came along.
///
/// # Errors
/// [`VaultWordError`], the first that holds.
pub fn verify(
    text: &str,
    trust: &VaultTrust,
    now: OffsetDateTime,
) -> Result<VaultProofClaims, VaultWordError> {
    trust.accept(CompactJws::parse(text, &EXPECTED)?, now)
}
