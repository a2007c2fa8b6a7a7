//! Opens what callers sealed to our keys. From the key unwrap on there is one error and one amount of work, whatever
//! failed: a failed unwrap goes on with a random content key (RFC 7516 §11.5), so that neither Bleichenbacher's nor
//! Manger's question about the RSA block gets an answer.

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::cek::Cek;
use super::compact::{CompactJwe, InvalidPayload};
use super::private_key::RsaPrivateKey;
use crate::public_key::PublicKey;

/// Why a JWE was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// `INVALID_PAYLOAD`: the encrypted key is as long as no modulus of ours, so no unwrap was tried.
    #[error("invalid payload")]
    InvalidPayload,
    /// `CANT_DECRYPT_PAYLOAD`: everything from the key unwrap on.
    #[error("cannot decrypt payload")]
    CantDecrypt,
}

impl From<InvalidPayload> for OpenError {
    fn from(_: InvalidPayload) -> Self {
        Self::InvalidPayload
    }
}

/// The private keys that open JWEs: the current one first, then those in their grace time.
pub struct Opener {
    keys: Vec<RsaPrivateKey>,
    random: SystemRandom,
}

impl Opener {
    /// An opener with the `current` key and `older` ones, newest first.
    #[must_use]
    pub fn new(current: RsaPrivateKey, older: Vec<RsaPrivateKey>) -> Self {
        let mut keys = vec![current];
        keys.extend(older);
        Self {
            keys,
            random: SystemRandom::new(),
        }
    }

    /// The public halves, current first, each to be published with its thumbprint as `kid`.
    pub fn public_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().map(RsaPrivateKey::public_key)
    }

    /// Opens `jwe` and gives its content in memory that wipes itself.
    ///
    /// A token without `kid` is tried with every key of its length, the current one first; one with a `kid` with that
    /// key alone. An unknown `kid` is treated like a token that no key opens: the work is done and comes to nothing.
    ///
    /// CPU: one RSA private operation per key tried, 0.3 ms at 2048 bits and 4 ms at 4096. Not for async threads.
    ///
    /// # Errors
    /// [`OpenError::InvalidPayload`] for a length of the encrypted key that no key of ours has, else
    /// [`OpenError::CantDecrypt`] without a reason.
    pub fn open(&self, jwe: &CompactJwe) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let same_length = |key: &&RsaPrivateKey| key.modulus_bytes() == jwe.encrypted_key.len();
        let mut candidates: Vec<&RsaPrivateKey> = self.keys.iter().filter(same_length).collect();
        if candidates.is_empty() {
            return Err(OpenError::InvalidPayload);
        }
        let named = |key: &&RsaPrivateKey| jwe.kid.as_deref().is_none_or(|kid| kid == key.kid());
        let known = candidates.iter().any(named);
        if known {
            candidates.retain(named);
        }
        // Each failure, wherever it happens, costs one unwrap and one GCM pass per candidate.
        let opened = candidates
            .iter()
            .find_map(|key| open_with(key, jwe, known, &self.random));
        opened.ok_or(OpenError::CantDecrypt)
    }
}

/// One key's try. With an unknown `kid` the result of the unwrap is thrown away.
fn open_with(
    key: &RsaPrivateKey,
    jwe: &CompactJwe,
    kid_is_known: bool,
    random: &dyn SecureRandom,
) -> Option<Zeroizing<Vec<u8>>> {
    let decoy = Cek::random(random).ok()?;
    let unwrapped = key
        .unwrap_key(jwe.key_wrap, &jwe.encrypted_key)
        .filter(|_| kid_is_known);
    let cek = unwrapped.unwrap_or(decoy);
    let mut content = Zeroizing::new(jwe.ciphertext.clone());
    cek.open(jwe.iv, jwe.aad(), &mut content, jwe.tag).ok()?;
    Some(content)
}
