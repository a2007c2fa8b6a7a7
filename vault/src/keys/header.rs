//! What the keyring says of a key in clear, and the layout of a wrapped key in the store:
//! `header length(2, big-endian) ‖ header (JSON) ‖ wrapped material`. The header is the wrapping's associated data, byte
//! for byte, so that a key cannot be passed off for another, an older one or a living one (PCI DSS 3.7.7).

use std::fmt;

use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::root::WrappingKey;
use crate::crypto::CryptoError;
use crate::crypto::aead;

/// What a key of the keyring is for. No key serves two purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPurpose {
    /// Wraps the data keys of cards.
    CardKek,
    /// Seals every value of the store.
    Records,
    /// Keys the fingerprints of PANs.
    Fingerprint,
    /// An RSA key pair that callers encrypt to.
    Jwe,
    /// An Ed25519 key pair that signs checkpoints of the audit log.
    Audit,
    /// The epoch: no key of the keyring's, but its number and since when it wraps the others.
    Epoch,
    /// The root key that will take the place of the present one when its slots are verified.
    NextRoot,
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 7] = [
        Self::CardKek,
        Self::Records,
        Self::Fingerprint,
        Self::Jwe,
        Self::Audit,
        Self::Epoch,
        Self::NextRoot,
    ];

    /// The purpose in logs and store keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CardKek => "card-kek",
            Self::Records => "records",
            Self::Fingerprint => "fingerprint",
            Self::Jwe => "jwe",
            Self::Audit => "audit",
            Self::Epoch => "epoch",
            Self::NextRoot => "next-root",
        }
    }
}

/// One version of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyId {
    /// What it is for.
    pub purpose: KeyPurpose,
    /// Counts from 1.
    pub version: u32,
}

impl KeyId {
    /// The key of its record in [`crate::store::Tree::Keks`].
    #[must_use]
    pub fn store_key(self) -> Vec<u8> {
        [
            self.purpose.as_str().as_bytes(),
            b"/",
            &self.version.to_be_bytes(),
        ]
        .concat()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {} version {}", self.purpose.as_str(), self.version)
    }
}

/// Where a key is in its life (NIST SP 800-57 part 1 Rev. 5 §7). Times are Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum KeyState {
    /// Seals and opens.
    Active,
    /// Only opens, until a scan proves that nothing refers to it.
    Retiring,
    /// Only opens, until this instant: the old JWE key pair.
    Grace {
        /// The first second in which it no longer opens.
        not_after: i64,
    },
    /// Its material is gone.
    Destroyed {
        /// When.
        at: i64,
    },
}

/// All that is said of a key in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyHeader {
    /// Which key.
    pub id: KeyId,
    /// When it was made, Unix seconds.
    pub created_at: i64,
    /// Where it is in its life.
    pub state: KeyState,
}

/// A wrapped key does not read or unwrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrappedKeyError {
    /// Not the layout of a wrapped key.
    #[error("a record of the keyring cannot be read")]
    Malformed,
    /// Wrapped with another epoch secret than the one given.
    #[error("the keyring is wrapped under epoch {needed}, and the epoch secret given is of epoch {given}")]
    OtherEpoch {
        /// The number in the store.
        needed: u32,
        /// The number in the epoch file.
        given: u32,
    },
    /// Root key, epoch secret and record do not belong together, or the record was changed.
    #[error(
        "{0} does not unwrap: root key, epoch secret and store are not of one vault, or its record was changed"
    )]
    Refused(KeyId),
}

impl KeyHeader {
    /// The record of this key as stored. Destroyed keys wrap nothing, which still proves their header.
    pub(super) fn wrap(
        &self,
        material: &[u8],
        wrapping: &WrappingKey,
        rng: &dyn SecureRandom,
    ) -> Result<Vec<u8>, CryptoError> {
        let header = serde_json::to_vec(self).map_err(|_| CryptoError::Malformed)?;
        let length = u16::try_from(header.len()).map_err(|_| CryptoError::TooLarge)?;
        let wrapped = wrapping.wrap(&header, material, rng)?;
        Ok([&length.to_be_bytes()[..], &header, &wrapped].concat())
    }

    /// The epoch under whose secret a stored record is wrapped: it stands in clear.
    ///
    /// # Errors
    /// [`WrappedKeyError::Malformed`].
    pub fn epoch_of(record: &[u8]) -> Result<u32, WrappedKeyError> {
        let (_, wrapped) = Self::split(record)?;
        aead::key_version(wrapped).map_err(|_| WrappedKeyError::Malformed)
    }

    fn split(record: &[u8]) -> Result<(&[u8], &[u8]), WrappedKeyError> {
        let (length, rest) = record
            .split_first_chunk::<2>()
            .ok_or(WrappedKeyError::Malformed)?;
        rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
            .ok_or(WrappedKeyError::Malformed)
    }

    /// Reads a stored record and unwraps its material.
    pub(super) fn unwrap(
        store_key: &[u8],
        record: &[u8],
        wrapping: &WrappingKey,
    ) -> Result<(Self, Zeroizing<Vec<u8>>), WrappedKeyError> {
        let (header_bytes, wrapped) = Self::split(record)?;
        let header: Self = serde_json::from_slice(header_bytes).map_err(|_| WrappedKeyError::Malformed)?;
        if header.id.store_key() != store_key {
            return Err(WrappedKeyError::Malformed);
        }
        let needed = aead::key_version(wrapped).map_err(|_| WrappedKeyError::Malformed)?;
        if needed != wrapping.epoch() {
            return Err(WrappedKeyError::OtherEpoch {
                needed,
                given: wrapping.epoch(),
            });
        }
        let material = wrapping.unwrap(header_bytes, wrapped);
        Ok((header, material.map_err(|_| WrappedKeyError::Refused(header.id))?))
    }
}
