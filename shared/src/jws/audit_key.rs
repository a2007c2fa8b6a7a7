//! The attestation of the audit key: by it, whoever pins the CA learns which key signs the checkpoints of the vault's log.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::compact::{CompactJws, Expected};
use super::es256::InvalidSigningKey;
use super::{VaultSigner, VaultTrust, VaultWordError, attestation};

pub(super) const TYP: &str = "audit-key+jwt";
const EXPECTED: Expected = Expected {
    typ: TYP,
    kid_tolerated: false,
};

/// How long an attestation may hold at most.
pub const MAX_LIFETIME: Duration = attestation::MAX_LIFETIME;

/// The claims, all of them and no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditKeyClaims {
    /// The key as a verifier key of C2SP signed-note: `name+hex(key id)+base64(0x01 ‖ public key)`.
    pub vkey: String,
    /// When it was issued, seconds since the Unix epoch.
    pub iat: i64,
    /// From when it holds no longer, seconds since the Unix epoch.
    pub exp: i64,
}

impl AuditKeyClaims {
    /// Attests `vkey` from `now` on for as long as is allowed.
    #[must_use]
    pub fn new(vkey: String, now: OffsetDateTime) -> Self {
        let iat = now.unix_timestamp();
        Self {
            vkey,
            iat,
            exp: iat.saturating_add(MAX_LIFETIME.whole_seconds()),
        }
    }

    /// Signs the claims with the vault's key.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] when the system has no randomness.
    pub fn sign(&self, signer: &VaultSigner) -> Result<String, InvalidSigningKey> {
        signer.sign_audit_key(self)
    }
}

/// Checks that `text` is the vault's word, and that it holds at `now`.
///
/// # Errors
/// [`VaultWordError`], the first that holds.
pub fn verify(text: &str, trust: &VaultTrust, now: OffsetDateTime) -> Result<AuditKeyClaims, VaultWordError> {
    let claims: AuditKeyClaims = trust.accept(CompactJws::parse(text, &EXPECTED)?, now)?;
    if attestation::holds(claims.iat, claims.exp, now) {
        Ok(claims)
    } else {
        Err(VaultWordError::Time)
    }
}
