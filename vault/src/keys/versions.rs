//! The versions of one key. A sealed value names the version it needs; what is sealed anew uses the active one.

use std::collections::BTreeMap;

use super::header::{KeyId, KeyPurpose};

/// All versions of a key that may still be asked for.
#[derive(Debug)]
pub(super) struct Versions<K> {
    purpose: KeyPurpose,
    active: (u32, K),
    older: BTreeMap<u32, Older<K>>,
}

/// A version that seals nothing new.
#[derive(Debug)]
pub(super) enum Older<K> {
    /// Still opens what it sealed.
    Retiring(K),
    /// Gone; only its number is remembered.
    Destroyed,
}

/// A version that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// A value names a version that the keyring never had (or lost).
    #[error("the keyring has no {0}")]
    Unknown(KeyId),
    /// A value names a version that was destroyed.
    #[error("{0} was destroyed")]
    Destroyed(KeyId),
}

impl<K> Versions<K> {
    pub(super) const fn new(purpose: KeyPurpose, active: (u32, K), older: BTreeMap<u32, Older<K>>) -> Self {
        Self {
            purpose,
            active,
            older,
        }
    }

    /// The version that seals.
    pub(super) const fn active(&self) -> &K {
        &self.active.1
    }

    /// The number of the version that seals.
    pub(super) const fn active_version(&self) -> u32 {
        self.active.0
    }

    /// Every version that still opens: the active one first, then the others, newest first.
    pub(super) fn usable(&self) -> impl Iterator<Item = &K> {
        let older = self.older.values().rev().filter_map(|older| match older {
            Older::Retiring(key) => Some(key),
            Older::Destroyed => None,
        });
        std::iter::once(&self.active.1).chain(older)
    }

    /// The version that a sealed value names.
    pub(super) fn get(&self, version: u32) -> Result<&K, VersionError> {
        if version == self.active.0 {
            return Ok(&self.active.1);
        }
        let id = KeyId {
            purpose: self.purpose,
            version,
        };
        match self.older.get(&version) {
            Some(Older::Retiring(key)) => Ok(key),
            Some(Older::Destroyed) => Err(VersionError::Destroyed(id)),
            None => Err(VersionError::Unknown(id)),
        }
    }
}
