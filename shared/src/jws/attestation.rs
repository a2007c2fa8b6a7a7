//! The attestation of the vault's public keys: what a client checks before it seals a PIN, lest the gateway hand out a key
//! of its own.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::compact::{CompactJws, Expected};
use super::es256::InvalidSigningKey;
use super::{VaultSigner, VaultTrust, VaultWordError};
use crate::thumbprint::Thumbprint;

pub(super) const TYP: &str = "key-attestation+jwt";
const EXPECTED: Expected = Expected {
    typ: TYP,
    kid_tolerated: false,
};

/// How long an attestation may hold at most.
pub const MAX_LIFETIME: Duration = Duration::hours(24);
/// How far a client's clock may be behind the vault's.
const CLOCK_SKEW: Duration = Duration::minutes(5);

/// The claims, all of them and no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestationClaims {
    /// RFC 7638 thumbprints of the vault's keys, current first.
    pub thumbprints: Vec<Thumbprint>,
    /// When it was issued, seconds since the Unix epoch.
    pub iat: i64,
    /// From when it holds no longer, seconds since the Unix epoch.
    pub exp: i64,
}

impl AttestationClaims {
    /// Attests `thumbprints` from `now` on for as long as is allowed.
    #[must_use]
    pub fn new(thumbprints: Vec<Thumbprint>, now: OffsetDateTime) -> Self {
        let iat = now.unix_timestamp();
        Self {
            thumbprints,
            iat,
            exp: iat.saturating_add(MAX_LIFETIME.whole_seconds()),
        }
    }

    /// Signs the claims with the vault's key.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] when the system has no randomness.
    pub fn sign(&self, signer: &VaultSigner) -> Result<String, InvalidSigningKey> {
        signer.sign_attestation(self)
    }
}

/// Whether what was issued at `iat` to end at `exp` (seconds since the Unix epoch) holds now.
pub(super) fn holds(iat: i64, exp: i64, now: OffsetDateTime) -> bool {
    let now = now.unix_timestamp();
    let lifetime = exp.checked_sub(iat);
    iat <= now.saturating_add(CLOCK_SKEW.whole_seconds())
        && now < exp
        && lifetime.is_some_and(|seconds| seconds <= MAX_LIFETIME.whole_seconds())
}

/// Checks an attestation as a client does that is about to seal to `key`: chain to a pinned root, the vault's own
/// certificate, signature, time, and that `key` is among those attested.
///
/// # Errors
/// [`VaultWordError`], the first that holds.
pub fn verify(
    text: &str,
    trust: &VaultTrust,
    now: OffsetDateTime,
    key: &Thumbprint,
) -> Result<AttestationClaims, VaultWordError> {
    let claims: AttestationClaims = trust.accept(CompactJws::parse(text, &EXPECTED)?, now)?;
    if !holds(claims.iat, claims.exp, now) {
        return Err(VaultWordError::Time);
    }
    if !claims.thumbprints.contains(key) {
        return Err(VaultWordError::OtherKey);
    }
    Ok(claims)
}
