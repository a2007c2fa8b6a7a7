//! The key under which the gateway seals what it keeps for operators: secrets of second factors, mails that wait, secrets of
//! webhooks. A copy of the database alone gives none of them away.

use std::path::Path;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::key_file::{self, KeyFileError};

/// The subcommand that makes the file.
const MADE_BY: &str = "operator";

/// What is sealed: a box for one purpose does not open as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    /// The secret of a second factor; named by its operator.
    SecondFactor,
    /// The text of a mail; named by its Message-ID.
    Mail,
    /// The secret of a webhook endpoint; named by the endpoint.
    WebhookSecret,
    /// An answer that shows such a secret and is remembered for a retry; named by the request.
    WebhookAnswer,
}

impl Sealed {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SecondFactor => "tessera operator second factor",
            Self::Mail => "tessera operator mail",
            Self::WebhookSecret => "tessera webhook secret",
            Self::WebhookAnswer => "tessera webhook answer",
        }
    }
}

/// The key.
pub struct OperatorKey(LessSafeKey);

impl OperatorKey {
    /// Reads the key of a file.
    ///
    /// # Errors
    /// [`KeyFileError`], among others when others than the owner can read the file.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let bytes = key_file::load(path, MADE_BY)?;
        Self::of(bytes.as_slice()).ok_or_else(|| KeyFileError::Length(path.display().to_string()))
    }

    /// Makes a file with a fresh key; never over an old one, under which there may be something sealed.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn create(path: &Path, random: &dyn SecureRandom) -> Result<(), KeyFileError> {
        key_file::create(path, MADE_BY, random)
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, bytes)
            .ok()
            .map(|key| Self(LessSafeKey::new(key)))
    }

    /// Seals `plain` for a purpose, under the name by which it will be opened.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn seal(
        &self,
        what: Sealed,
        name: &str,
        plain: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_LEN];
        random
            .fill(&mut nonce)
            .map_err(|_| Error::internal("the system gives no random numbers"))?;
        let mut text = Zeroizing::new(plain.to_vec());
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad(what, name), &mut text)
            .map_err(|_| Error::internal("sealing failed"))?;
        Ok([nonce.as_slice(), text.as_slice(), tag.as_ref()].concat())
    }

    /// Opens what was sealed for this purpose under this name.
    ///
    /// # Errors
    /// When it was not, or under another key: somebody has to look.
    pub fn open(&self, what: Sealed, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let broken = || Error::internal("what is sealed under the operators' key does not open");
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let mut text = Zeroizing::new(rest.to_vec());
        let length = self
            .0
            .open_in_place(nonce, aad(what, name), &mut text)
            .map_err(|_| broken())?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

fn aad(what: Sealed, name: &str) -> Aad<Vec<u8>> {
    Aad::from([what.as_str().as_bytes(), b"\0", name.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_under_its_name_alone() {
        let random = SystemRandom::new();
        let key = OperatorKey::of(&[7; 32]).unwrap();
        let sealed = key.seal(Sealed::Mail, "a", b"text", &random).unwrap();
        assert_eq!(key.open(Sealed::Mail, "a", &sealed).unwrap().as_slice(), b"text");
        assert!(key.open(Sealed::Mail, "b", &sealed).is_err());
        assert!(key.open(Sealed::SecondFactor, "a", &sealed).is_err());
        assert!(
            OperatorKey::of(&[8; 32])
                .unwrap()
                .open(Sealed::Mail, "a", &sealed)
                .is_err()
        );
        for short in [0, 5, NONCE_LEN, NONCE_LEN + 3] {
            assert!(key.open(Sealed::Mail, "a", sealed.get(..short).unwrap()).is_err());
        }
    }
}
