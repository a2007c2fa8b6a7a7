//! Slots: the ways in which the root key is kept. Each slot wraps it under a secret of its own, any one opens, and they
//! can stand side by side. Their records are readable while the vault is locked, so they hold no secret; once the root
//! key is there, a MAC tells whether one was changed meanwhile. A custodians' slot that is added later is pending, and
//! opens nothing, until each of them has shown that their share is right.

pub mod book;
pub mod gf256;
pub mod key_file;
pub mod make;
pub mod pkcs11;
pub mod sealed;
pub mod shamir;
pub mod share;
#[cfg(test)]
mod tests;
pub mod unlock;

use std::fmt;
use std::ops::Bound;
use std::path::PathBuf;

use ring::hmac;
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use shared::ids::{InvalidId, SlotName};
use zeroize::Zeroizing;

use self::shamir::Custodian;
use super::root::{KeyMemoryError, RootKey};
use crate::bytes::Base64Bytes;
use crate::crypto::CryptoError;
use crate::crypto::aad::ValueName;
use crate::crypto::aead::{Format, SealingKey};
use crate::crypto::kdf;
use crate::environment::Environment;
use crate::secret::{RandomFailed, SecretBytes};
use crate::store::{EngineError, Entry, Store, Tree};

/// How it is described in the inventory of cryptography.
pub const SLOTS: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "root key, next-root",
    algorithm: "Shamir over GF(256), or AES-256-GCM by a key in a PKCS#11 token",
    source: "ADR 0009; PKCS#11 v3",
    library: "own code; cryptoki",
    names: &["AesKeyGen", "AesGcm"],
};

/// How it is described in the inventory of cryptography.
pub const SLOT_MAC: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "integrity of slots",
    algorithm: "HMAC-SHA-256",
    source: "FIPS 198-1",
    library: "ring",
    names: &["HMAC_SHA256"],
};

/// More slots than anybody keeps.
pub const MAX_SLOTS: usize = 64;
const MAC_BYTES: usize = 32;
const WRAP_LABEL: &str = "tessera.slot.wrap.1";
/// A slot's secret is made for it and wraps once.
const SLOT_KEY_VERSION: u32 = 1;

/// The id of a slot: 5 random bytes, printed as 8 letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlotId([u8; 5]);

impl SlotId {
    pub(super) fn random(rng: &dyn SecureRandom) -> Result<Self, RandomFailed> {
        let mut id = [0; 5];
        rng.fill(&mut id).map_err(|_| RandomFailed)?;
        Ok(Self(id))
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 5] {
        &self.0
    }

    pub(super) const fn from_bytes(bytes: [u8; 5]) -> Self {
        Self(bytes)
    }

    /// The slot of this name.
    #[must_use]
    pub fn of(name: &SlotName) -> Option<Self> {
        share::decode_base32(name.as_str().as_bytes()).map(|id| Self(*id))
    }

    /// The name as it crosses the wire.
    ///
    /// # Errors
    /// Never in practice: what is printed is a name.
    pub fn name(&self) -> Result<SlotName, InvalidId> {
        self.to_string().parse()
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&share::base32(&self.0))
    }
}

impl fmt::Debug for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotId({self})")
    }
}

/// How a slot keeps its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Keeping {
    /// Split among custodians.
    Shamir {
        /// How many shares open.
        threshold: u8,
        /// Who holds which share.
        custodians: Vec<Custodian>,
    },
    /// Wrapped by a key that does not leave its PKCS#11 token.
    #[serde(rename = "pkcs11")]
    Pkcs11 {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
        /// The slot's secret, as the token wrapped it.
        wrapped_secret: Base64Bytes,
    },
    /// In a file. Development only.
    KeyFile {
        /// Where.
        path: PathBuf,
    },
}

/// Whether a slot opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", deny_unknown_fields)]
pub enum Standing {
    /// It opens.
    Active,
    /// It opens nothing yet.
    Pending {
        /// What becomes of others once it is verified.
        replaces: Replaces,
    },
}

/// What a pending slot takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replaces {
    /// Nothing: it is one more.
    Nothing,
    /// One slot, which goes when this one opens.
    Slot(SlotId),
    /// The root key itself: the slot holds the next one. When all slots of that one are verified, they take the place of
    /// every other.
    Root,
}

/// A slot as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slot {
    /// Its id.
    pub id: SlotId,
    /// When it was made, Unix seconds.
    pub created_at: i64,
    /// How its secret is kept.
    pub keeping: Keeping,
    /// Whether it opens.
    pub standing: Standing,
    /// When it was last shown to open, by an unlock or a drill, Unix seconds.
    pub proved_at: Option<i64>,
    wrapped_root: Base64Bytes,
}

/// What a new slot is, but for the root key that it wraps.
pub(super) struct SlotFacts {
    pub(super) id: SlotId,
    /// Unix seconds.
    pub(super) created_at: i64,
    pub(super) keeping: Keeping,
    pub(super) standing: Standing,
}

/// A slot that cannot be used or trusted.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] EngineError),
    /// Not a slot's record.
    #[error("a slot in the store cannot be read")]
    Malformed,
    /// The record does not carry the root key's MAC: somebody wrote to the store.
    #[error("slot {0} was changed in the store, or is not of this vault")]
    Changed(SlotId),
    /// The slot's secret does not unwrap the root key.
    #[error("slot {0} does not open with this secret")]
    DoesNotOpen(SlotId),
    /// Randomness, memory or sealing.
    #[error(transparent)]
    Key(#[from] KeyMemoryError),
}

impl From<CryptoError> for SlotError {
    fn from(error: CryptoError) -> Self {
        Self::Key(error.into())
    }
}

impl Slot {
    /// A new slot for the root key under the slot's own secret.
    pub(super) fn new(
        environment: Environment,
        facts: SlotFacts,
        secret: &SecretBytes<32>,
        root: &RootKey,
        rng: &dyn SecureRandom,
    ) -> Result<Self, CryptoError> {
        let SlotFacts {
            id,
            created_at,
            keeping,
            standing,
        } = facts;
        let key = wrap_key(secret)?;
        let wrapped =
            sealing_key(environment, &key).seal(&ValueName::RootKey { slot: &id.0 }, root.expose(), rng)?;
        Ok(Self {
            id,
            created_at,
            keeping,
            standing,
            proved_at: None,
            wrapped_root: Base64Bytes(wrapped),
        })
    }

    /// The root key, by the slot's secret.
    pub(super) fn open(
        &self,
        environment: Environment,
        secret: &SecretBytes<32>,
    ) -> Result<RootKey, SlotError> {
        let key = wrap_key(secret)?;
        let name = ValueName::RootKey { slot: &self.id.0 };
        let root = sealing_key(environment, &key).open(&name, &self.wrapped_root.0);
        Ok(RootKey::from_slot(
            environment,
            &root.map_err(|_| SlotError::DoesNotOpen(self.id))?,
        )?)
    }

    /// How many shares open it; `None` without custodians.
    #[must_use]
    pub const fn threshold(&self) -> Option<u8> {
        match self.keeping {
            Keeping::Shamir { threshold, .. } => Some(threshold),
            Keeping::Pkcs11 { .. } | Keeping::KeyFile { .. } => None,
        }
    }

    /// Its custodians; none for a slot that a token or a file keeps.
    #[must_use]
    pub fn custodians(&self) -> &[Custodian] {
        match &self.keeping {
            Keeping::Shamir { custodians, .. } => custodians,
            Keeping::Pkcs11 { .. } | Keeping::KeyFile { .. } => &[],
        }
    }

    /// Whether it opens the vault.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self.standing, Standing::Active)
    }

    /// What it takes the place of; `None` for one that is active already.
    #[must_use]
    pub const fn replaces(&self) -> Option<Replaces> {
        match self.standing {
            Standing::Active => None,
            Standing::Pending { replaces } => Some(replaces),
        }
    }

    /// Whether each custodian has shown their share. A slot without custodians was opened when it was made.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.custodians().iter().all(|custodian| custodian.verified)
    }

    /// Remembers that these shares were shown to be right.
    pub(super) fn verify(&mut self, shares: &[u8]) {
        if let Keeping::Shamir { custodians, .. } = &mut self.keeping {
            for custodian in custodians {
                custodian.verified |= shares.contains(&custodian.share_index);
            }
        }
    }

    /// The record for [`Tree::Slots`]: `MAC(32) ‖ JSON`.
    pub(super) fn to_entry(&self, root: &RootKey) -> Result<Entry, CryptoError> {
        let json = serde_json::to_vec(self).map_err(|_| CryptoError::Malformed)?;
        let mac = hmac::sign(&root.slot_mac_key()?, &json);
        Ok((self.id.0.to_vec(), [mac.as_ref(), &json].concat()))
    }

    /// Reads a record, whose MAC can be checked only later.
    fn from_entry((store_key, record): &Entry) -> Result<Self, SlotError> {
        let (_, json) = record
            .split_first_chunk::<MAC_BYTES>()
            .ok_or(SlotError::Malformed)?;
        let slot: Self = serde_json::from_slice(json).map_err(|_| SlotError::Malformed)?;
        if slot.id.0 == **store_key {
            Ok(slot)
        } else {
            Err(SlotError::Malformed)
        }
    }
}

/// The slots of a locked vault.
///
/// # Errors
/// [`SlotError::Store`], [`SlotError::Malformed`].
pub fn load_all(store: &Store) -> Result<Vec<Slot>, SlotError> {
    store
        .scan(Tree::Slots, b"", Bound::Unbounded, MAX_SLOTS)?
        .iter()
        .map(Slot::from_entry)
        .collect()
}

/// Checks the MAC of every slot.
pub(super) fn verify_all(root: &RootKey, entries: &[Entry]) -> Result<(), SlotError> {
    let key = root.slot_mac_key()?;
    for entry in entries {
        let slot = Slot::from_entry(entry)?;
        let (mac, json) = entry
            .1
            .split_first_chunk::<MAC_BYTES>()
            .ok_or(SlotError::Malformed)?;
        hmac::verify(&key, json, mac).map_err(|_| SlotError::Changed(slot.id))?;
    }
    Ok(())
}

fn wrap_key(secret: &SecretBytes<32>) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
    let mut key = Zeroizing::new([0; 32]);
    kdf::derive(secret.expose(), b"", WRAP_LABEL, &mut key)?;
    Ok(key)
}

const fn sealing_key(environment: Environment, key: &[u8; 32]) -> SealingKey<'_> {
    SealingKey {
        format: Format::Derived,
        environment,
        version: SLOT_KEY_VERSION,
        key,
    }
}
