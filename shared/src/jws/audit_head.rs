//! The vault's signature under the end of its audit log: an auditor who keeps it notices a log that was cut or rewritten.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::compact::{CompactJws, Expected};
use super::es256::InvalidSigningKey;
use super::{VaultSigner, VaultTrust, VaultWordError};

pub(super) const TYP: &str = "audit-head+jwt";
const EXPECTED: Expected = Expected {
    typ: TYP,
    kid_tolerated: false,
};

/// The claims, all of them and no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditHeadClaims {
    /// How many events the log holds.
    pub size: u64,
    /// Hex of the chain's last hash.
    pub hash: String,
    /// When it was signed, seconds since the Unix epoch.
    pub iat: i64,
}

impl AuditHeadClaims {
    /// Signs the claims with the vault's key.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] when the system has no randomness.
    pub fn sign(&self, signer: &VaultSigner) -> Result<String, InvalidSigningKey> {
        signer.sign_audit_head(self)
    }
}

/// Checks that `text` is the vault's word.
///
/// # Errors
/// [`VaultWordError`], the first that holds.
pub fn verify(
    text: &str,
    trust: &VaultTrust,
    now: OffsetDateTime,
) -> Result<AuditHeadClaims, VaultWordError> {
    trust.accept(CompactJws::parse(text, &EXPECTED)?, now)
}
