//! Sealed values: AES-256-GCM in one layout, `format(1) ‖ key version(4, big-endian) ‖ salt or nonce ‖ ciphertext ‖ tag(16)`.
//!
//! *Derived* (format 1): key and nonce of each value come out of HKDF-SHA-256 under 16 fresh random bytes, the salt.
//! Random nonces under one key stop at 2³² messages (SP 800-38D §8.3); here each GCM key serves one message, and two
//! values collide only where their salts do: after 2⁴⁸ values with probability 2⁻³³. No counter has to be kept.
//!
//! *Direct* (format 2): a fresh random 96-bit nonce under the key itself, for a key that seals few values in its life: a
//! card's data key.

use ring::aead::{AES_256_GCM, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use super::CryptoError;
use super::aad::{Aad, ValueName};
use super::kdf;
use crate::environment::Environment;
use crate::secret::RandomFailed;

/// How it is described in the inventory of cryptography.
pub const DERIVED: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "card-kek, records, keyring, slots, escrows",
    algorithm: "AES-256-GCM, key and nonce derived for each value by HKDF-SHA-256 (ADR 0007)",
    source: "NIST SP 800-38D; RFC 5869",
    library: "ring",
    names: &["AES_256_GCM"],
};

/// How it is described in the inventory of cryptography.
pub const DIRECT: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "fields of cards under their data key",
    algorithm: "AES-256-GCM, random 96-bit nonce",
    source: "NIST SP 800-38D",
    library: "ring",
    names: &["AES_256_GCM"],
};

const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
const HEADER_BYTES: usize = 5;
const TAG_BYTES: usize = 16;

/// The HKDF label of [`Format::Derived`].
const DERIVED_LABEL: &str = "tessera.aead.derived.1";

/// How a value was sealed; its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Key and nonce derived for the value.
    Derived,
    /// Random nonce under the key itself.
    Direct,
}

impl Format {
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Derived => 1,
            Self::Direct => 2,
        }
    }

    const fn salt_bytes(self) -> usize {
        match self {
            Self::Derived => SALT_BYTES,
            Self::Direct => NONCE_LEN,
        }
    }

    /// The GCM key and nonce for a value with this salt.
    fn message_key(self, key: &[u8; KEY_BYTES], salt: &[u8]) -> Result<(LessSafeKey, Nonce), CryptoError> {
        let (key, nonce) = match self {
            Self::Derived => {
                let mut output = Zeroizing::new([0; KEY_BYTES + NONCE_LEN]);
                kdf::derive(key, salt, DERIVED_LABEL, &mut output)?;
                let (key, nonce) = output.split_at(KEY_BYTES);
                (
                    UnboundKey::new(&AES_256_GCM, key),
                    Nonce::try_assume_unique_for_key(nonce),
                )
            }
            Self::Direct => (
                UnboundKey::new(&AES_256_GCM, key),
                Nonce::try_assume_unique_for_key(salt),
            ),
        };
        match (key, nonce) {
            (Ok(key), Ok(nonce)) => Ok((LessSafeKey::new(key), nonce)),
            _ => Err(CryptoError::Malformed),
        }
    }
}

/// A key of one version in one environment: everything about sealing but the value and its name.
#[derive(Clone, Copy)]
pub struct SealingKey<'a> {
    /// How values are sealed.
    pub format: Format,
    /// Bound into the associated data.
    pub environment: Environment,
    /// Written in front of the value, and bound.
    pub version: u32,
    /// The key.
    pub key: &'a [u8; KEY_BYTES],
}

impl SealingKey<'_> {
    /// Seals a value under its name.
    ///
    /// # Errors
    /// [`CryptoError::Random`], [`CryptoError::TooLarge`].
    pub fn seal(
        &self,
        name: &ValueName<'_>,
        plaintext: &[u8],
        rng: &dyn SecureRandom,
    ) -> Result<Vec<u8>, CryptoError> {
        let start = HEADER_BYTES + self.format.salt_bytes();
        // Wiped should anything fail while the plaintext stands in it; large enough never to be moved.
        let mut sealed = Zeroizing::new(Vec::with_capacity(start + plaintext.len() + TAG_BYTES));
        sealed.push(self.format.byte());
        sealed.extend_from_slice(&self.version.to_be_bytes());
        sealed.resize(start, 0);
        let salt = sealed.get_mut(HEADER_BYTES..).ok_or(CryptoError::Malformed)?;
        rng.fill(salt).map_err(|_| RandomFailed)?;
        let (key, nonce) = self.format.message_key(self.key, salt)?;
        sealed.extend_from_slice(plaintext);
        let body = sealed.get_mut(start..).ok_or(CryptoError::Malformed)?;
        let tag = key
            .seal_in_place_separate_tag(nonce, self.aad(name), body)
            .map_err(|_| CryptoError::TooLarge)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(std::mem::take(&mut *sealed))
    }

    /// Opens a value that was sealed under this key and name.
    ///
    /// # Errors
    /// [`CryptoError::Malformed`] when the layout, the format or the key version is not this key's,
    /// [`CryptoError::Refused`] for everything that only the tag can tell.
    pub fn open(&self, name: &ValueName<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let (&format, rest) = sealed.split_first().ok_or(CryptoError::Malformed)?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or(CryptoError::Malformed)?;
        if format != self.format.byte() || u32::from_be_bytes(*version) != self.version {
            return Err(CryptoError::Malformed);
        }
        let (salt, body) = rest
            .split_at_checked(self.format.salt_bytes())
            .ok_or(CryptoError::Malformed)?;
        let length = body.len().checked_sub(TAG_BYTES).ok_or(CryptoError::Malformed)?;
        let (key, nonce) = self.format.message_key(self.key, salt)?;
        let mut opened = Zeroizing::new(body.to_vec());
        key.open_in_place(nonce, self.aad(name), &mut opened)
            .map_err(|_| CryptoError::Refused)?;
        opened.truncate(length);
        Ok(opened)
    }

    fn aad(&self, name: &ValueName<'_>) -> ring::aead::Aad<AadBytes> {
        ring::aead::Aad::from(AadBytes(Aad::encode(
            self.format,
            self.environment,
            self.version,
            name,
        )))
    }
}

struct AadBytes(Aad);

impl AsRef<[u8]> for AadBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The version of the key that a value was sealed with, so that the right one can be looked up.
///
/// # Errors
/// [`CryptoError::Malformed`]: shorter than any sealed value.
pub fn key_version(sealed: &[u8]) -> Result<u32, CryptoError> {
    let version = sealed.get(1..).and_then(<[u8]>::first_chunk::<4>);
    version
        .map(|bytes| u32::from_be_bytes(*bytes))
        .ok_or(CryptoError::Malformed)
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::super::aad::Field;
    use super::*;
    use crate::store::Tree;

    const NAME: ValueName<'_> = ValueName::Record {
        tree: Tree::Cards,
        key: b"crd_x",
    };

    fn key(format: Format) -> SealingKey<'static> {
        SealingKey {
            format,
            environment: Environment::Development,
            version: 7,
            key: &[9; 32],
        }
    }

    fn both() -> [SealingKey<'static>; 2] {
        [key(Format::Derived), key(Format::Direct)]
    }

    #[test]
    fn what_is_sealed_opens() {
        for key in both() {
            for plaintext in [&b""[..], b"x", &[0xAB; 5000]] {
                let sealed = key.seal(&NAME, plaintext, &SystemRandom::new()).unwrap();
                assert_eq!(**key.open(&NAME, &sealed).unwrap(), *plaintext);
                assert_eq!(key_version(&sealed).unwrap(), 7);
                assert_eq!(sealed.len(), 5 + key.format.salt_bytes() + plaintext.len() + 16);
                assert_eq!(
                    sealed.capacity(),
                    sealed.len(),
                    "a move would leave plaintext behind"
                );
            }
        }
    }

    #[test]
    fn the_same_value_is_never_sealed_alike() {
        for key in both() {
            let seal = || key.seal(&NAME, b"same", &SystemRandom::new()).unwrap();
            let (a, b) = (seal(), seal());
            assert_ne!(a[5..], b[5..]);
            assert_ne!(a[a.len() - 20..], b[b.len() - 20..]);
        }
    }

    #[test]
    fn no_bit_can_be_changed_and_no_byte_cut() {
        for key in both() {
            let sealed = key.seal(&NAME, b"four", &SystemRandom::new()).unwrap();
            for index in 0..sealed.len() {
                for bit in 0..8 {
                    let mut changed = sealed.clone();
                    changed[index] ^= 1 << bit;
                    let error = key.open(&NAME, &changed).unwrap_err();
                    let expected = if index < 5 {
                        CryptoError::Malformed
                    } else {
                        CryptoError::Refused
                    };
                    assert_eq!(error, expected, "byte {index} bit {bit}");
                }
                assert!(key.open(&NAME, &sealed[..index]).is_err(), "cut at {index}");
                assert!(
                    key.open(&NAME, &sealed[index + 1..]).is_err(),
                    "cut before {index}"
                );
            }
            let longer = [&sealed[..], &[0]].concat();
            assert_eq!(key.open(&NAME, &longer), Err(CryptoError::Refused));
        }
    }

    #[test]
    fn another_key_environment_version_or_format_does_not_open() {
        for key in both() {
            let sealed = key.seal(&NAME, b"value", &SystemRandom::new()).unwrap();
            let other_key = SealingKey { key: &[8; 32], ..key };
            assert_eq!(other_key.open(&NAME, &sealed), Err(CryptoError::Refused));
            let other_environment = SealingKey {
                environment: Environment::Production,
                ..key
            };
            assert_eq!(other_environment.open(&NAME, &sealed), Err(CryptoError::Refused));
            let other_version = SealingKey { version: 8, ..key };
            assert_eq!(other_version.open(&NAME, &sealed), Err(CryptoError::Malformed));
            // A version that was only relabelled is noticed by the tag.
            let mut relabelled = sealed.clone();
            relabelled[4] = 8;
            assert_eq!(other_version.open(&NAME, &relabelled), Err(CryptoError::Refused));
        }
        let sealed = key(Format::Derived)
            .seal(&NAME, b"value", &SystemRandom::new())
            .unwrap();
        assert_eq!(
            key(Format::Direct).open(&NAME, &sealed),
            Err(CryptoError::Malformed)
        );
    }

    #[test]
    fn a_value_opens_under_its_own_name_only() {
        let (program, other_program) = ("eur".parse().unwrap(), "usd".parse().unwrap());
        let card = shared::ids::CardToken::from_random(&[1; 16]).unwrap();
        let other_card = shared::ids::CardToken::from_random(&[2; 16]).unwrap();
        let field = |program, card, field, record_version| ValueName::CardField {
            program,
            card,
            field,
            record_version,
        };
        let names = [
            NAME,
            ValueName::Record {
                tree: Tree::Holders,
                key: b"crd_x",
            },
            ValueName::Record {
                tree: Tree::Cards,
                key: b"crd_y",
            },
            ValueName::Record {
                tree: Tree::Cards,
                key: b"",
            },
            field(&program, &card, Field::Pan, 1),
            field(&other_program, &card, Field::Pan, 1),
            field(&program, &other_card, Field::Pan, 1),
            field(&program, &card, Field::Cvv, 1),
            field(&program, &card, Field::NextCvv, 1),
            field(&program, &card, Field::Pin, 1),
            field(&program, &card, Field::Pan, 2),
            ValueName::DataKey {
                program: &program,
                card: &card,
            },
            ValueName::DataKey {
                program: &program,
                card: &other_card,
            },
            ValueName::Key { header: b"crd_x" },
            ValueName::RootKey { slot: b"crd_x" },
        ];
        for key in both() {
            for (index, name) in names.iter().enumerate() {
                let sealed = key.seal(name, b"value", &SystemRandom::new()).unwrap();
                for (other_index, other) in names.iter().enumerate() {
                    assert_eq!(
                        key.open(other, &sealed).is_ok(),
                        index == other_index,
                        "{name:?} as {other:?}"
                    );
                }
            }
        }
    }
}
