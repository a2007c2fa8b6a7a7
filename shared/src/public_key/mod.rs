//! The caller's key of the header `Public-Key`, parsed once into a type that can only hold a key we are willing to seal
//! to: RSA of 2048 to 8192 bits with e = 65537, or a point on P-256. Everything else is one error without a reason.
//!
//! Keys are read from their numbers; OpenSSL's decoder, ten times as slow as the encryption itself, is never asked.

mod holder;
mod jwk;
mod p256;
mod rsa;
mod spki;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub use holder::HolderKey;
use jwk::{Jwk, KeyUse};
pub use p256::P256Point;
pub use rsa::RsaPublicKey;

use crate::jose::json;
use crate::thumbprint::Thumbprint;

/// Longest `Public-Key` header that is looked at, in bytes. An RSA-8192 key as base64 of PEM takes 1.9 KiB; a JWK may
/// carry a few members that we ignore.
pub const MAX_PUBLIC_KEY_HEADER_BYTES: usize = 4096;

/// Not a key that can be sealed to. Carries no detail: the caller is told `INVALID_PUBLIC_KEY` and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid public key")]
pub struct InvalidPublicKey;

/// A key to seal to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// RSA, answered with `RSA-OAEP-256`.
    Rsa(RsaPublicKey),
    /// NIST P-256, answered with `ECDH-ES`.
    P256(P256Point),
}

/// Padding is optional on the way in: the seed says "base64" and clients differ.
const INDIFFERENT: GeneralPurposeConfig = NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, INDIFFERENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, INDIFFERENT);

impl PublicKey {
    /// Reads the value of the header `Public-Key`: base64 (standard or URL-safe, padded or not) of a PEM or DER
    /// `SubjectPublicKeyInfo` (RFC 5280 §4.1) or of a public JWK (RFC 7517).
    ///
    /// # Errors
    /// [`InvalidPublicKey`] for everything that is not an allowed key, the empty header and a private JWK among it.
    pub fn from_header(value: &str) -> Result<Self, InvalidPublicKey> {
        if value.is_empty() || value.len() > MAX_PUBLIC_KEY_HEADER_BYTES {
            return Err(InvalidPublicKey);
        }
        let engine = if value.contains(['-', '_']) {
            &URL_SAFE
        } else {
            &STANDARD
        };
        let bytes = engine.decode(value).map_err(|_| InvalidPublicKey)?;
        match bytes.trim_ascii_start() {
            [b'{', ..] => Self::from_jwk_members(json::object(&bytes).ok_or(InvalidPublicKey)?),
            [b'-', ..] => Self::from_spki_pem(std::str::from_utf8(&bytes).map_err(|_| InvalidPublicKey)?),
            _ => Self::from_spki_der(&bytes),
        }
    }

    /// Reads a DER `SubjectPublicKeyInfo`, in its one DER form.
    ///
    /// # Errors
    /// [`InvalidPublicKey`] for another algorithm, curve or size, or another encoding of an allowed key.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, InvalidPublicKey> {
        spki::decode(der)
    }

    /// Reads a PEM `SubjectPublicKeyInfo` (RFC 7468 §13) that stands alone in `pem`.
    ///
    /// # Errors
    /// [`InvalidPublicKey`], as for DER.
    pub fn from_spki_pem(pem: &str) -> Result<Self, InvalidPublicKey> {
        spki::decode(&spki::der_of_pem(pem)?)
    }

    /// Reads a public JWK. Members that mean nothing here are ignored (RFC 7517 §4); private ones are refused.
    ///
    /// # Errors
    /// [`InvalidPublicKey`] for a private or unusable key, or one whose `use` or `alg` forbids sealing to it.
    pub fn from_jwk(jwk: &Value) -> Result<Self, InvalidPublicKey> {
        Self::from_jwk_members(Jwk::from_value(jwk)?)
    }

    fn from_jwk_members(jwk: Jwk) -> Result<Self, InvalidPublicKey> {
        jwk.into_key(KeyUse::Encryption)
    }

    /// The required members of the JWK and no others.
    #[must_use]
    pub fn to_jwk(&self) -> Value {
        match self {
            Self::Rsa(key) => key.to_jwk(),
            Self::P256(point) => point.to_jwk(),
        }
    }

    /// The key as DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        spki::encode(self)
    }

    /// The key as PEM `SubjectPublicKeyInfo`, lines of 64 characters, ending in a line feed.
    #[must_use]
    pub fn to_spki_pem(&self) -> String {
        spki::pem_of_der(&self.to_spki_der())
    }

    /// The RFC 7638 thumbprint: what a holder proof names in `rpk`.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        match self {
            Self::Rsa(key) => key.thumbprint(),
            Self::P256(point) => point.thumbprint(),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Rsa(key) => format!("RSA-{}", key.bits()),
            Self::P256(_) => "P-256".to_owned(),
        };
        write!(f, "PublicKey({kind} {})", self.thumbprint())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_jwk().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_jwk_members(Jwk::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
