//! A slot whose secret is split among custodians (PCI DSS 3.6.1.2, 3.7.6): any `threshold` of them open the vault, fewer
//! know nothing. A custodian is a registered officer: an identity and the public key of its certificate.

use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use shared::mtls::identity::{Identity, Role};
use shared::mtls::peer::SpkiThumbprint;
use subtle::ConstantTimeEq;

use super::gf256::{self, MAX_SHARES, MIN_THRESHOLD};
use super::share::{Share, ShareText};
use super::unlock::UnlockError;
use super::{Keeping, Slot, SlotError, SlotFacts, SlotId, Standing};
use crate::bytes::Base64Bytes;
use crate::environment::Environment;
use crate::keys::root::{KeyMemoryError, RootKey};
use crate::secret::SecretBytes;

/// Whoever is to receive a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCustodian {
    /// The officer.
    pub identity: Identity,
    /// The public key of the officer's certificate.
    pub key: SpkiThumbprint,
}

/// A custodian as the slot remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Custodian {
    /// The officer.
    pub identity: Identity,
    /// The public key that must hand the share in.
    pub key_thumbprint: SpkiThumbprint,
    /// Which share is theirs.
    pub share_index: u8,
    /// Whether they have shown it.
    pub verified: bool,
    pub(super) share_digest: Base64Bytes,
}

/// Custodians that make no split knowledge, or a slot that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ShamirError {
    /// Not 2 ≤ threshold ≤ custodians ≤ 16.
    #[error(
        "{threshold} of {custodians} custodians: the threshold is at least {MIN_THRESHOLD} and at most their number, \
         of which there are at most {MAX_SHARES}"
    )]
    Threshold {
        /// The threshold asked for.
        threshold: u8,
        /// How many custodians were named.
        custodians: usize,
    },
    /// A custodian's certificate is not an officer's.
    #[error("{0} is not an officer")]
    NotAnOfficer(Identity),
    /// One identity for two shares.
    #[error("{0} is named twice")]
    IdentityTwice(Identity),
    /// One key for two shares: whoever holds it is one person.
    #[error("{0} has the same key as another custodian")]
    KeyTwice(Identity),
    /// Memory or processor failed: the shares that were just made do not open the slot.
    #[error("the shares that were made do not open the slot")]
    Unproved,
    /// Randomness, memory or sealing.
    #[error(transparent)]
    Slot(#[from] SlotError),
}

impl ShamirError {
    /// The problem code of a rule that the custodians break; `None` where the vault itself failed.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Threshold { .. } => Some("THRESHOLD_OUT_OF_BOUNDS"),
            Self::NotAnOfficer(_) => Some("CUSTODIAN_NOT_AN_OFFICER"),
            Self::IdentityTwice(_) => Some("CUSTODIAN_TWICE"),
            Self::KeyTwice(_) => Some("CUSTODIAN_KEY_TWICE"),
            Self::Unproved | Self::Slot(_) => None,
        }
    }
}

impl<E: Into<KeyMemoryError>> From<E> for ShamirError {
    fn from(error: E) -> Self {
        Self::Slot(SlotError::Key(error.into()))
    }
}

/// Makes a slot, and the shares for its custodians, which exist nowhere else. Each share is shown to open the slot
/// together with those that follow it, before anybody receives one: later, who shows the very same share (its digest
/// tells) has shown one that opens.
///
/// # Errors
/// [`ShamirError`].
pub(in crate::keys) fn create(
    environment: Environment,
    root: &RootKey,
    threshold: u8,
    custodians: &[NewCustodian],
    standing: Standing,
    now: i64,
    rng: &dyn SecureRandom,
) -> Result<(Slot, Vec<(Identity, ShareText)>), ShamirError> {
    let count = check(threshold, custodians)?;
    let id = SlotId::random(rng)?;
    let secret = SecretBytes::random(rng)?;
    let mut points = gf256::split(&secret, threshold, count, rng)?;
    let (mut remembered, mut texts) = (Vec::new(), Vec::new());
    for (custodian, point) in custodians.iter().zip(&points) {
        let share = Share {
            slot: id,
            point: point.copy(),
        };
        remembered.push(Custodian {
            identity: custodian.identity.clone(),
            key_thumbprint: custodian.key,
            share_index: share.point.index,
            verified: false,
            share_digest: Base64Bytes(share.digest().to_vec()),
        });
        texts.push((custodian.identity.clone(), share.to_text()));
    }
    let keeping = Keeping::Shamir {
        threshold,
        custodians: remembered,
    };
    let facts = SlotFacts {
        id,
        created_at: now,
        keeping,
        standing,
    };
    let slot = Slot::new(environment, facts, &secret, root, rng)?;
    for _ in 0..count {
        let quorum = points.get(..usize::from(threshold)).unwrap_or_default();
        if slot.open(environment, &gf256::combine(quorum))? != *root {
            return Err(ShamirError::Unproved);
        }
        points.rotate_left(1);
    }
    Ok((slot, texts))
}

/// The custodian whose very share this is.
///
/// # Errors
/// [`UnlockError`]: no custodian of the slot, with another key, another's share, or not the share that was made.
pub(super) fn judge<'a>(
    custodians: &'a [Custodian],
    identity: &Identity,
    key: &SpkiThumbprint,
    share: &Share,
) -> Result<&'a Custodian, UnlockError> {
    let custodian = custodians
        .iter()
        .find(|custodian| custodian.identity == *identity);
    let custodian = custodian.ok_or_else(|| UnlockError::NotACustodian(identity.clone()))?;
    if custodian.key_thumbprint != *key {
        return Err(UnlockError::OtherKey(identity.clone()));
    }
    if custodian.share_index != share.point.index {
        return Err(UnlockError::NotYours(share.point.index));
    }
    if !bool::from(share.digest().ct_eq(&custodian.share_digest.0)) {
        return Err(UnlockError::WrongShare(share.point.index));
    }
    Ok(custodian)
}

/// The number of custodians, if they can be the custodians of one slot.
///
/// # Errors
/// The rule that they break.
pub(in crate::keys) fn check(threshold: u8, custodians: &[NewCustodian]) -> Result<u8, ShamirError> {
    let wrong = ShamirError::Threshold {
        threshold,
        custodians: custodians.len(),
    };
    let Some(count) = u8::try_from(custodians.len())
        .ok()
        .filter(|count| *count <= MAX_SHARES)
    else {
        return Err(wrong);
    };
    if threshold < MIN_THRESHOLD || threshold > count {
        return Err(wrong);
    }
    for (index, custodian) in custodians.iter().enumerate() {
        let others = || custodians.iter().skip(index + 1);
        if custodian.identity.role() != Role::Officer {
            return Err(ShamirError::NotAnOfficer(custodian.identity.clone()));
        }
        if others().any(|other| other.identity == custodian.identity) {
            return Err(ShamirError::IdentityTwice(custodian.identity.clone()));
        }
        if let Some(other) = others().find(|other| other.key == custodian.key) {
            return Err(ShamirError::KeyTwice(other.identity.clone()));
        }
    }
    Ok(count)
}
