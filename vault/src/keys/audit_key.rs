//! The key that signs the audit log's checkpoints: ECDSA on P-256, so that the verifier needs the public half alone.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use zeroize::Zeroizing;

use crate::crypto::CryptoError;
use crate::secret::RandomFailed;

/// Signs checkpoints (ES256, FIPS 186-5).
#[derive(Debug)]
pub struct AuditKey {
    pair: EcdsaKeyPair,
    rng: SystemRandom,
}

impl AuditKey {
    /// A new key pair, as PKCS#8.
    pub(super) fn generate(rng: &SystemRandom) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, rng).map_err(|_| RandomFailed)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    pub(super) fn from_pkcs8(pkcs8: &[u8], rng: SystemRandom) -> Result<Self, CryptoError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &rng);
        Ok(Self {
            pair: pair.map_err(|_| CryptoError::Malformed)?,
            rng,
        })
    }

    /// The signature over `message`: R ‖ S, 64 bytes.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], CryptoError> {
        let signature = self.pair.sign(&self.rng, message).map_err(|_| RandomFailed)?;
        signature.as_ref().try_into().map_err(|_| CryptoError::Malformed)
    }

    /// The public half: an uncompressed point, 65 bytes.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }
}
