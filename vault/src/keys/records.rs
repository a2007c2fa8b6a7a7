//! The key under which every value of the store is sealed, with its tree and key as its name.

use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use crate::crypto::CryptoError;
use crate::crypto::aad::ValueName;
use crate::crypto::aead::{Format, SealingKey};
use crate::environment::Environment;
use crate::secret::LockedBytes;
use crate::store::Tree;

/// One version of the records key.
#[derive(Debug)]
pub(super) struct RecordsKey {
    environment: Environment,
    version: u32,
    key: LockedBytes<32>,
}

impl RecordsKey {
    pub(super) const fn new(environment: Environment, version: u32, key: LockedBytes<32>) -> Self {
        Self {
            environment,
            version,
            key,
        }
    }

    /// Seals the value that will lie under `key` in `tree`.
    pub(super) fn seal(
        &self,
        tree: Tree,
        key: &[u8],
        plaintext: &[u8],
        rng: &dyn SecureRandom,
    ) -> Result<Vec<u8>, CryptoError> {
        self.sealing_key()
            .seal(&ValueName::Record { tree, key }, plaintext, rng)
    }

    /// Opens the value that lay under `key` in `tree`.
    pub(super) fn open(
        &self,
        tree: Tree,
        key: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.sealing_key().open(&ValueName::Record { tree, key }, sealed)
    }

    fn sealing_key(&self) -> SealingKey<'_> {
        SealingKey {
            format: Format::Derived,
            environment: self.environment,
            version: self.version,
            key: self.key.expose(),
        }
    }
}
