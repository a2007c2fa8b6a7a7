//! The key of a cardholder or a device: it signs proofs and nothing is ever sealed to it, so it is another type than a key
//! of the header `Public-Key`, though the point may be the same.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::jwk::{Jwk, KeyUse};
use super::{InvalidPublicKey, P256Point, PublicKey};
use crate::thumbprint::Thumbprint;

/// A P-256 public key that verifies ES256 proofs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HolderKey(P256Point);

impl HolderKey {
    /// Reads a public P-256 JWK.
    ///
    /// # Errors
    /// [`InvalidPublicKey`] for every other key, a private one, and one whose `use` or `alg` forbids ES256.
    pub fn from_jwk(jwk: &Value) -> Result<Self, InvalidPublicKey> {
        Self::from_jwk_members(Jwk::from_value(jwk)?)
    }

    /// The key behind `0x04 ‖ x ‖ y`.
    ///
    /// # Errors
    /// [`InvalidPublicKey`] for a point that is not on the curve.
    pub fn from_uncompressed(point: &[u8]) -> Result<Self, InvalidPublicKey> {
        P256Point::from_uncompressed(point).map(Self)
    }

    fn from_jwk_members(jwk: Jwk) -> Result<Self, InvalidPublicKey> {
        match jwk.into_key(KeyUse::Signature)? {
            PublicKey::P256(point) => Ok(Self(point)),
            PublicKey::Rsa(_) => Err(InvalidPublicKey),
        }
    }

    /// `{kty, crv, x, y}`.
    #[must_use]
    pub fn to_jwk(&self) -> Value {
        self.0.to_jwk()
    }

    /// The RFC 7638 thumbprint, under which the key is enrolled.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        self.0.thumbprint()
    }

    /// The point that ring verifies with.
    #[must_use]
    pub const fn point(&self) -> &P256Point {
        &self.0
    }
}

impl fmt::Debug for HolderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HolderKey({})", self.thumbprint())
    }
}

impl Serialize for HolderKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_jwk().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HolderKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_jwk_members(Jwk::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
