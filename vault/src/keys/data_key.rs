//! The data key of one card record: seals the card's PAN, CVV and PIN. Destroying it erases the card (PCI DSS 3.2.1),
//! and a rotation of the KEK wraps it anew without touching the fields.

use ring::rand::SystemRandom;
use shared::ids::{CardToken, ProgramName};
use zeroize::Zeroizing;

use crate::crypto::CryptoError;
pub use crate::crypto::aad::Field;
use crate::crypto::aad::ValueName;
use crate::crypto::aead::{self, Format, SealingKey};
use crate::environment::Environment;
use crate::secret::SecretBytes;

/// A card keeps its data key for life, so that there is one version of it. The number is in the format all the same.
const DATA_KEY_VERSION: u32 = 1;

/// The unwrapped data key of one card; knows its card, so that it cannot seal for another.
#[derive(Debug)]
pub struct DataKey {
    environment: Environment,
    program: ProgramName,
    card: CardToken,
    key: SecretBytes<32>,
    rng: SystemRandom,
}

impl DataKey {
    pub(super) fn new(
        environment: Environment,
        program: &ProgramName,
        card: &CardToken,
        key: SecretBytes<32>,
        rng: SystemRandom,
    ) -> Self {
        Self {
            environment,
            program: program.clone(),
            card: card.clone(),
            key,
            rng,
        }
    }

    /// Seals a field. `record_version` counts how often the field was written.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn seal(&self, field: Field, record_version: u32, plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.sealing_key()
            .seal(&self.name(field, record_version), plaintext, &self.rng)
    }

    /// Opens a field of exactly this version.
    ///
    /// # Errors
    /// [`CryptoError::Malformed`], [`CryptoError::Refused`].
    pub fn open(
        &self,
        field: Field,
        record_version: u32,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.sealing_key().open(&self.name(field, record_version), sealed)
    }

    const fn name(&self, field: Field, record_version: u32) -> ValueName<'_> {
        ValueName::CardField {
            program: &self.program,
            card: &self.card,
            field,
            record_version,
        }
    }

    fn sealing_key(&self) -> SealingKey<'_> {
        SealingKey {
            format: Format::Direct,
            environment: self.environment,
            version: DATA_KEY_VERSION,
            key: self.key.expose(),
        }
    }
}

/// A data key as the store keeps it, in [`crate::store::Tree::DataKeys`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedDataKey(Vec<u8>);

impl WrappedDataKey {
    /// As read from the store.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// As written to the store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As written to the store.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The version of the KEK that wraps it.
    ///
    /// # Errors
    /// [`CryptoError::Malformed`].
    pub fn kek_version(&self) -> Result<u32, CryptoError> {
        aead::key_version(&self.0)
    }
}
