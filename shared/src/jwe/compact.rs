//! The strict front parser: structure, lengths and header of a compact JWE are settled here, before any key is touched.
//! Whatever it refuses is `INVALID_PAYLOAD`, without a reason.

use serde::Deserialize;

use super::BodyHash;
use super::cek::{IV_BYTES, TAG_BYTES};
use crate::jose::{base64url, json};

/// Longest compact JWE that is looked at, in bytes. A delivery address sealed to an RSA-4096 key takes about 1.3 KiB.
pub const MAX_COMPACT_BYTES: usize = 8 * 1024;
/// Longest protected header, in bytes before base64url.
pub const MAX_HEADER_BYTES: usize = 1024;
/// Longest encrypted content key, in bytes: the modulus of RSA-8192.
const MAX_ENCRYPTED_KEY_BYTES: usize = 1024;

/// Not a JWE that we open. Carries no detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid payload")]
pub struct InvalidPayload;

/// Which key management algorithms a caller may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlgPolicy {
    /// `RSA-OAEP-256` alone.
    Sha256Only,
    /// `RSA-OAEP` (SHA-1) too, as the seed allows.
    Sha1Too,
}

/// How the content key was wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyWrap {
    RsaOaep256,
    RsaOaep,
}

impl AlgPolicy {
    fn key_wrap(self, alg: &str) -> Option<KeyWrap> {
        match (alg, self) {
            ("RSA-OAEP-256", _) => Some(KeyWrap::RsaOaep256),
            ("RSA-OAEP", Self::Sha1Too) => Some(KeyWrap::RsaOaep),
            _ => None,
        }
    }
}

/// The protected header, whole: every other member (`zip`, `crit`, `epk`, `jku`, …) is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    enc: String,
    #[serde(default, deserialize_with = "json::present")]
    kid: Option<String>,
    // Both are hints for applications (RFC 7516 §4.1.11 and §4.1.12); the plaintext is JSON whatever they say.
    #[serde(rename = "typ", default, deserialize_with = "json::present")]
    _typ: Option<String>,
    #[serde(rename = "cty", default, deserialize_with = "json::present")]
    _cty: Option<String>,
}

/// A JWE whose structure, lengths and header are sound; nothing in it is authentic yet.
pub struct CompactJwe {
    text: String,
    /// Length of the first part: the additional authenticated data (RFC 7516 §5.1, step 14).
    aad_end: usize,
    pub(super) key_wrap: KeyWrap,
    pub(super) kid: Option<String>,
    pub(super) encrypted_key: Vec<u8>,
    pub(super) iv: [u8; IV_BYTES],
    pub(super) ciphertext: Vec<u8>,
    pub(super) tag: [u8; TAG_BYTES],
}

impl CompactJwe {
    /// Checks `text` in full: five parts in canonical base64url, a header that `policy` allows, an IV of 12 bytes, a tag
    /// of 16, a content that is not empty.
    ///
    /// # Errors
    /// [`InvalidPayload`] for everything else.
    pub fn parse(text: &str, policy: AlgPolicy) -> Result<Self, InvalidPayload> {
        Self::parse_up_to(text, policy, MAX_COMPACT_BYTES)
    }

    /// The same for a text of up to `most_bytes`: one line of a file holds more than one request.
    ///
    /// # Errors
    /// [`InvalidPayload`].
    pub fn parse_up_to(text: &str, policy: AlgPolicy, most_bytes: usize) -> Result<Self, InvalidPayload> {
        if text.len() > most_bytes {
            return Err(InvalidPayload);
        }
        Self::parse_bounded(text, policy).ok_or(InvalidPayload)
    }

    fn parse_bounded(text: &str, policy: AlgPolicy) -> Option<Self> {
        let mut parts = text.split('.');
        let (header, encrypted_key) = (parts.next()?, parts.next()?);
        let (iv, ciphertext, tag) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let aad_end = header.len();
        let header = parse_header(header)?;
        let encrypted_key = base64url::decode(encrypted_key)?;
        let ciphertext = base64url::decode(ciphertext)?;
        let lengths_allowed =
            (1..=MAX_ENCRYPTED_KEY_BYTES).contains(&encrypted_key.len()) && !ciphertext.is_empty();
        if header.enc != "A256GCM" || !lengths_allowed {
            return None;
        }
        Some(Self {
            text: text.to_owned(),
            aad_end,
            key_wrap: policy.key_wrap(&header.alg)?,
            kid: header.kid,
            encrypted_key,
            iv: base64url::decode_array(iv)?,
            ciphertext,
            tag: base64url::decode_array(tag)?,
        })
    }

    /// The text as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The hash that a proof names in `bdh`.
    #[must_use]
    pub fn bdh(&self) -> BodyHash {
        BodyHash::of(&self.text)
    }

    pub(super) fn aad(&self) -> &[u8] {
        self.text.as_bytes().get(..self.aad_end).unwrap_or_default()
    }
}

fn parse_header(part: &str) -> Option<Header> {
    if part.len() > (MAX_HEADER_BYTES * 4).div_ceil(3) {
        return None;
    }
    json::object(&base64url::decode(part)?)
}
