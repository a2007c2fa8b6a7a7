//! The strict reading of a compact JWS: three parts in canonical base64url, a header of four known members, claims of one
//! known shape. Nothing read here is authentic before a verifier has said so.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{InvalidProof, X5c};
use crate::jose::{base64url, json};

/// Longest token without certificates, in bytes: claims of 255 + 128 characters and four hashes take about 1.2 KiB.
pub(super) const MAX_PLAIN_BYTES: usize = 2 * 1024;
/// Longest token with certificates, in bytes: four of 1.5 KiB, in base64 twice, take 11 KiB.
pub(super) const MAX_CERTIFIED_BYTES: usize = 14 * 1024;

/// The algorithms there are; each verifier takes the one that its key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Alg {
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "PS256")]
    Ps256,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Alg,
    typ: String,
    #[serde(default, deserialize_with = "json::present")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "json::present")]
    x5c: Option<X5c>,
}

/// What a purpose asks of the header.
pub(super) struct Expected {
    /// The exact `typ`: what keeps the purposes apart.
    pub(super) typ: &'static str,
    /// Whether a `kid` may be there. It is never used: the keys to try are known from elsewhere.
    pub(super) kid_tolerated: bool,
}

/// A token in parts.
pub(super) struct CompactJws<C> {
    text: String,
    signed_end: usize,
    pub(super) alg: Alg,
    pub(super) x5c: Option<X5c>,
    pub(super) claims: C,
    pub(super) signature: Vec<u8>,
}

impl<C: DeserializeOwned> CompactJws<C> {
    pub(super) fn parse(text: &str, expected: &Expected) -> Result<Self, InvalidProof> {
        if text.len() > MAX_CERTIFIED_BYTES {
            return Err(InvalidProof);
        }
        Self::parse_bounded(text, expected).ok_or(InvalidProof)
    }

    fn parse_bounded(text: &str, expected: &Expected) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = json::object(&base64url::decode(header)?)?;
        let fits = header.typ == expected.typ
            && (header.kid.is_none() || expected.kid_tolerated)
            && (header.x5c.is_some() || text.len() <= MAX_PLAIN_BYTES);
        if !fits {
            return None;
        }
        Some(Self {
            signed_end: signed.len(),
            alg: header.alg,
            x5c: header.x5c,
            // A second dot would be in here, and base64url has none.
            claims: json::object(&base64url::decode(claims)?)?,
            signature: base64url::decode(signature)?,
            text: text.to_owned(),
        })
    }
}

impl<C> CompactJws<C> {
    /// What the signature is over (RFC 7515 §5.1, step 5).
    pub(super) fn signing_input(&self) -> &[u8] {
        self.text.as_bytes().get(..self.signed_end).unwrap_or_default()
    }
}
