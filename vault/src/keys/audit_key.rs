//! The key that signs checkpoints of the audit log: Ed25519 (RFC 8032), of the vault alone, apart from its certificate's,
//! so that a log stays verifiable when certificates come and go.

use std::fmt;

use ring::rand::SecureRandom;
use ring::signature::{Ed25519KeyPair, KeyPair, Signature};
use zeroize::Zeroizing;

use super::keyring::KeyringError;
use crate::crypto::CryptoError;
use crate::secret::RandomFailed;

/// How it is described in the inventory of cryptography.
pub const CHECKPOINTS: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "audit",
    algorithm: "Ed25519",
    source: "RFC 8032; C2SP signed-note",
    library: "ring",
    names: &["Ed25519KeyPair", "ED25519"],
};

/// One version of the audit key.
pub struct AuditKey {
    version: u32,
    pair: Ed25519KeyPair,
}

impl AuditKey {
    /// A new key pair as PKCS#8, before it is wrapped.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub(super) fn generate(rng: &dyn SecureRandom) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(rng).map_err(|_| RandomFailed)?;
        Ok(Zeroizing::new(pkcs8.as_ref().to_vec()))
    }

    /// A key of its own for a test.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        let pkcs8 = Self::generate(&ring::rand::SystemRandom::new()).unwrap();
        Self::new(1, &pkcs8).unwrap()
    }

    pub(super) fn new(version: u32, pkcs8: &[u8]) -> Result<Self, KeyringError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyringError::AuditKey)?;
        Ok(Self { version, pair })
    }

    /// Counts from 1.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The 32 bytes of the public key.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.pair.sign(message)
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditKey")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
