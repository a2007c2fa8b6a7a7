//! The private half of an RSA key pair that JWEs are sealed to. Parsed once, through josekit; its bytes are PKCS#8 in
//! memory that wipes itself.

use josekit::jwe::alg::rsaes::{RsaesJweAlgorithm, RsaesJweDecrypter};
use josekit::jwe::enc::aesgcm::AesgcmJweEncryption;
use josekit::jwe::{JweDecrypter as _, JweHeader};
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use zeroize::Zeroizing;

use super::cek::Cek;
use super::compact::KeyWrap;
use crate::public_key::{PublicKey, RsaPublicKey};
use crate::thumbprint::Thumbprint;

/// Not a private key of the kind and size that is allowed, or OpenSSL could not make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a usable private key")]
pub struct InvalidPrivateKey;

impl From<ErrorStack> for InvalidPrivateKey {
    fn from(_: ErrorStack) -> Self {
        Self
    }
}

/// The sizes in which key pairs are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RsaKeySize {
    /// 112 bits of security (NIST SP 800-57 part 1 Rev. 5, table 2).
    Bits2048,
    /// 128 bits of security.
    Bits3072,
    /// A little over 128 bits; opening costs thirteen times what 2048 bits do.
    Bits4096,
}

impl RsaKeySize {
    /// The size of the modulus in bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Bits2048 => 2048,
            Self::Bits3072 => 3072,
            Self::Bits4096 => 4096,
        }
    }
}

impl TryFrom<u32> for RsaKeySize {
    type Error = InvalidPrivateKey;
    fn try_from(bits: u32) -> Result<Self, InvalidPrivateKey> {
        [Self::Bits2048, Self::Bits3072, Self::Bits4096]
            .into_iter()
            .find(|size| size.bits() == bits)
            .ok_or(InvalidPrivateKey)
    }
}

/// An RSA private key that unwraps content keys. Not printable, not cloneable.
pub struct RsaPrivateKey {
    oaep_256: RsaesJweDecrypter,
    oaep: RsaesJweDecrypter,
    public: PublicKey,
    modulus_bytes: usize,
    kid: String,
}

impl RsaPrivateKey {
    /// Makes a key pair; answers with PKCS#8 DER (RFC 5208 §5).
    ///
    /// # Errors
    /// [`InvalidPrivateKey`] when OpenSSL has no randomness or memory.
    pub fn generate(size: RsaKeySize) -> Result<Zeroizing<Vec<u8>>, InvalidPrivateKey> {
        let pair = PKey::from_rsa(Rsa::generate(size.bits())?)?;
        Ok(Zeroizing::new(pair.private_key_to_pkcs8()?))
    }

    /// Reads PKCS#8 DER. This is where OpenSSL's slow decoder is paid, once.
    ///
    /// # Errors
    /// [`InvalidPrivateKey`] for another kind of key, a public half that [`PublicKey`] would refuse, or numbers that
    /// do not belong together.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, InvalidPrivateKey> {
        let pair = PKey::private_key_from_pkcs8(der)?.rsa()?;
        if !pair.check_key()? {
            return Err(InvalidPrivateKey);
        }
        let numbers = RsaPublicKey::from_numbers(&pair.n().to_vec(), &pair.e().to_vec())
            .map_err(|_| InvalidPrivateKey)?;
        let decrypter =
            |algorithm: RsaesJweAlgorithm| algorithm.decrypter_from_der(der).map_err(|_| InvalidPrivateKey);
        let modulus_bytes = numbers.modulus().len();
        let public = PublicKey::Rsa(numbers);
        Ok(Self {
            oaep_256: decrypter(RsaesJweAlgorithm::RsaOaep256)?,
            oaep: decrypter(RsaesJweAlgorithm::RsaOaep)?,
            modulus_bytes,
            kid: public.thumbprint().to_string(),
            public,
        })
    }

    /// The public half, to be handed out.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The thumbprint of the public half; its text is the key's `kid`.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        self.public.thumbprint()
    }

    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// Length of every RSA ciphertext for this key, in bytes.
    pub(super) const fn modulus_bytes(&self) -> usize {
        self.modulus_bytes
    }

    /// Unwraps a content key; `None` whatever went wrong.
    ///
    /// josekit's errors take a backtrace where `RUST_BACKTRACE` asks for one, which makes a failed unwrap measurably
    /// slower than a good one: a vault runs without it.
    pub(super) fn unwrap_key(&self, wrap: KeyWrap, encrypted_key: &[u8]) -> Option<Cek> {
        let decrypter = match wrap {
            KeyWrap::RsaOaep256 => &self.oaep_256,
            KeyWrap::RsaOaep => &self.oaep,
        };
        let unwrapped = decrypter
            .decrypt(
                Some(encrypted_key),
                &AesgcmJweEncryption::A256gcm,
                &JweHeader::new(),
            )
            .ok()?;
        // josekit answers with a plain vector, as long as the modulus inside: wipe all of it.
        let unwrapped = Zeroizing::new(unwrapped.into_owned());
        Cek::from_slice(&unwrapped)
    }
}
