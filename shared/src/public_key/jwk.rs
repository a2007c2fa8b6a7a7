//! The members of a JWK that matter here (RFC 7517 §4, RFC 7518 §6).

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{InvalidPublicKey, P256Point, PublicKey, RsaPublicKey};
use crate::jose::base64url;

/// What a key is about to be used for; the members `use` and `alg` may forbid it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyUse {
    Encryption,
    Signature,
}

impl KeyUse {
    fn permits(self, key_use: Option<&str>, alg: Option<&str>) -> bool {
        let (wanted_use, algorithms): (_, &[&str]) = match self {
            Self::Encryption => ("enc", &["RSA-OAEP-256", "RSA-OAEP", "ECDH-ES"]),
            Self::Signature => ("sig", &["ES256"]),
        };
        key_use.is_none_or(|value| value == wanted_use) && alg.is_none_or(|value| algorithms.contains(&value))
    }
}

/// A JWK as it came: duplicates of these members refused, others ignored, nothing judged yet.
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    key_use: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    // The private members. A private half that reached us is compromised: refuse it rather than ignore it.
    d: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
    dp: Option<IgnoredAny>,
    dq: Option<IgnoredAny>,
    qi: Option<IgnoredAny>,
    oth: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
}

impl Jwk {
    pub(super) fn from_value(value: &Value) -> Result<Self, InvalidPublicKey> {
        // serde would read a struct from an array too, by position.
        if !value.is_object() {
            return Err(InvalidPublicKey);
        }
        Self::deserialize(value).map_err(|_| InvalidPublicKey)
    }

    pub(super) fn into_key(self, wanted: KeyUse) -> Result<PublicKey, InvalidPublicKey> {
        if self.is_private() || !wanted.permits(self.key_use.as_deref(), self.alg.as_deref()) {
            return Err(InvalidPublicKey);
        }
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => self.rsa().map(PublicKey::Rsa),
            ("EC", Some("P-256")) => self.p256().map(PublicKey::P256),
            _ => Err(InvalidPublicKey),
        }
    }

    fn is_private(&self) -> bool {
        [
            &self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi, &self.oth, &self.k,
        ]
        .iter()
        .any(|m| m.is_some())
    }

    fn rsa(&self) -> Result<RsaPublicKey, InvalidPublicKey> {
        let number = |member: &Option<String>| {
            member
                .as_deref()
                .and_then(base64url::decode)
                .ok_or(InvalidPublicKey)
        };
        RsaPublicKey::from_numbers(&number(&self.n)?, &number(&self.e)?)
    }

    fn p256(&self) -> Result<P256Point, InvalidPublicKey> {
        let coordinate = |member: &Option<String>| {
            member
                .as_deref()
                .and_then(base64url::decode_array)
                .ok_or(InvalidPublicKey)
        };
        P256Point::from_coordinates(&coordinate(&self.x)?, &coordinate(&self.y)?)
    }
}
