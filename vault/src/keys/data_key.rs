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

/// The version of a new card's data key. Full re-encryption gives the card the next one; the fields name theirs, so that
/// fields and data key of two moments are told from corrupt ones.
pub(super) const FIRST_VERSION: u32 = 1;
const KEY_BYTES: usize = 32;

/// The unwrapped data key of one card; knows its card, so that it cannot seal for another.
#[derive(Debug)]
pub struct DataKey {
    environment: Environment,
    program: ProgramName,
    card: CardToken,
    version: u32,
    key: SecretBytes<32>,
    rng: SystemRandom,
}

impl DataKey {
    pub(super) fn new(
        environment: Environment,
        program: &ProgramName,
        card: &CardToken,
        version: u32,
        key: SecretBytes<32>,
        rng: SystemRandom,
    ) -> Self {
        Self {
            environment,
            program: program.clone(),
            card: card.clone(),
            version,
            key,
            rng,
        }
    }

    /// What is wrapped: `version(4, big-endian) ‖ key(32)`.
    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(4 + KEY_BYTES));
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(self.key.expose());
        bytes
    }

    pub(super) fn from_bytes(
        environment: Environment,
        program: &ProgramName,
        card: &CardToken,
        bytes: &[u8],
        rng: SystemRandom,
    ) -> Option<Self> {
        let (version, key) = bytes.split_first_chunk::<4>()?;
        let key = SecretBytes::from_slice(key)?;
        Some(Self::new(
            environment,
            program,
            card,
            u32::from_be_bytes(*version),
            key,
            rng,
        ))
    }

    /// Counts from 1, one more with each full re-encryption.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Whether a field was sealed under this key, by the version that it names.
    #[must_use]
    pub fn fits(&self, sealed: &[u8]) -> bool {
        aead::key_version(sealed).is_ok_and(|version| version == self.version)
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
            version: self.version,
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
