//! The root key, and what is derived from it. It exists only while the vault is unlocked.

use ring::hmac;
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use super::epoch::EpochSecret;
use crate::crypto::CryptoError;
use crate::crypto::aad::ValueName;
use crate::crypto::aead::{Format, SealingKey};
use crate::crypto::kdf;
use crate::environment::Environment;
use crate::secret::{LockedBytes, MemoryNotLocked, RandomFailed};

const WRAPPING_LABEL: &str = "tessera.keys.wrapping.1";
const SLOT_MAC_LABEL: &str = "tessera.keys.slot-mac.1";

const ESCROW_LABEL: &str = "tessera.keys.escrow.1";
/// The version of the sealing key is the epoch's number, so that no escrow passes for another's.
const ESCROW_NAME: ValueName<'static> = ValueName::Key { header: b"escrow" };

/// Why a key could not be made or put into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMemoryError {
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomFailed),
    /// No locked memory.
    #[error(transparent)]
    NotLocked(#[from] MemoryNotLocked),
    /// Wrapping, unwrapping or deriving failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// 256 bits from which everything else opens.
#[derive(Debug, PartialEq, Eq)]
pub struct RootKey(LockedBytes<32>);

impl RootKey {
    /// A new root key, for the ceremony.
    ///
    /// # Errors
    /// [`KeyMemoryError`].
    pub(super) fn generate(environment: Environment, rng: &dyn SecureRandom) -> Result<Self, KeyMemoryError> {
        random_key(environment, rng).map(Self)
    }

    /// The root key as a slot gave it.
    ///
    /// # Errors
    /// [`KeyMemoryError`]; a slot that holds anything but 32 bytes is malformed.
    pub(super) fn from_slot(environment: Environment, bytes: &[u8]) -> Result<Self, KeyMemoryError> {
        key_from(environment, bytes).map(Self)
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The key that wraps the keyring: it takes root key and epoch secret together.
    pub(super) fn wrapping_key(
        &self,
        environment: Environment,
        epoch: &EpochSecret,
    ) -> Result<WrappingKey, KeyMemoryError> {
        let key = LockedBytes::filled_by(environment, |key| {
            kdf::derive(self.expose(), epoch.expose(), WRAPPING_LABEL, key).map_err(KeyMemoryError::from)
        })?;
        Ok(WrappingKey {
            environment,
            epoch: epoch.number(),
            key,
        })
    }

    /// Seals the secret of a former epoch, for backups of its time.
    pub(super) fn seal_escrow(
        &self,
        environment: Environment,
        epoch: u32,
        secret: &[u8],
        rng: &dyn SecureRandom,
    ) -> Result<Vec<u8>, CryptoError> {
        self.with_escrow_key(environment, epoch, |key| key.seal(&ESCROW_NAME, secret, rng))
    }

    /// Opens what [`RootKey::seal_escrow`] sealed.
    pub(super) fn open_escrow(
        &self,
        environment: Environment,
        epoch: u32,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.with_escrow_key(environment, epoch, |key| key.open(&ESCROW_NAME, sealed))
    }

    fn with_escrow_key<T>(
        &self,
        environment: Environment,
        epoch: u32,
        work: impl FnOnce(SealingKey<'_>) -> Result<T, CryptoError>,
    ) -> Result<T, CryptoError> {
        let mut key = Zeroizing::new([0; 32]);
        kdf::derive(self.expose(), b"", ESCROW_LABEL, &mut key)?;
        work(SealingKey {
            format: Format::Derived,
            environment,
            version: epoch,
            key: &key,
        })
    }

    /// HMAC-SHA-256 over a slot's record: slots are readable while locked, and checked once unlocked.
    pub(super) fn slot_mac_key(&self) -> Result<hmac::Key, CryptoError> {
        let mut key = Zeroizing::new([0; 32]);
        kdf::derive(self.expose(), b"", SLOT_MAC_LABEL, &mut key)?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &*key))
    }
}

/// Wraps and unwraps the keys of the keyring. The version in front of a wrapped key is the epoch's number.
#[derive(Debug)]
pub(super) struct WrappingKey {
    environment: Environment,
    epoch: u32,
    key: LockedBytes<32>,
}

impl WrappingKey {
    /// Wraps key material together with its header.
    pub(super) fn wrap(
        &self,
        header: &[u8],
        key: &[u8],
        rng: &dyn SecureRandom,
    ) -> Result<Vec<u8>, CryptoError> {
        self.sealing_key().seal(&ValueName::Key { header }, key, rng)
    }

    /// Unwraps key material whose header is exactly this.
    pub(super) fn unwrap(&self, header: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.sealing_key().open(&ValueName::Key { header }, wrapped)
    }

    /// The epoch that the wrapped keys belong to.
    pub(super) const fn epoch(&self) -> u32 {
        self.epoch
    }

    fn sealing_key(&self) -> SealingKey<'_> {
        SealingKey {
            format: Format::Derived,
            environment: self.environment,
            version: self.epoch,
            key: self.key.expose(),
        }
    }
}

/// A fresh 256-bit key in locked memory.
pub(super) fn random_key(
    environment: Environment,
    rng: &dyn SecureRandom,
) -> Result<LockedBytes<32>, KeyMemoryError> {
    LockedBytes::filled_by(environment, |key| rng.fill(key).map_err(|_| RandomFailed.into()))
}

/// A 256-bit key moved into locked memory.
pub(super) fn key_from(environment: Environment, bytes: &[u8]) -> Result<LockedBytes<32>, KeyMemoryError> {
    LockedBytes::filled_by(environment, |key| {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| CryptoError::Malformed)?;
        key.copy_from_slice(bytes);
        Ok(())
    })
}
