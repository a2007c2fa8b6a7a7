//! A key-encryption key of cards: it wraps data keys and nothing else.

use ring::rand::SecureRandom;
use shared::ids::{CardToken, ProgramName};
use zeroize::Zeroizing;

use crate::crypto::CryptoError;
use crate::crypto::aad::ValueName;
use crate::crypto::aead::{Format, SealingKey};
use crate::environment::Environment;
use crate::secret::LockedBytes;

/// One version of the card KEK.
#[derive(Debug)]
pub(super) struct CardKek {
    environment: Environment,
    version: u32,
    key: LockedBytes<32>,
}

impl CardKek {
    pub(super) const fn new(environment: Environment, version: u32, key: LockedBytes<32>) -> Self {
        Self {
            environment,
            version,
            key,
        }
    }

    /// Wraps a data key, bound to its card.
    pub(super) fn wrap(
        &self,
        program: &ProgramName,
        card: &CardToken,
        data_key: &[u8],
        rng: &dyn SecureRandom,
    ) -> Result<Vec<u8>, CryptoError> {
        self.sealing_key()
            .seal(&ValueName::DataKey { program, card }, data_key, rng)
    }

    /// Unwraps the data key of this card.
    pub(super) fn unwrap(
        &self,
        program: &ProgramName,
        card: &CardToken,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.sealing_key()
            .open(&ValueName::DataKey { program, card }, wrapped)
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
