//! The small change of compact serialisations.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::sha::sha256;
use serde_json::Value;

/// Base64url without padding (RFC 7515 §2).
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Base64url of the SHA-256 of a text: the claim `bdh`.
#[must_use]
pub fn sha256_base64url(text: &str) -> String {
    base64url(&sha256(text.as_bytes()))
}

/// Header and claims of a compact JWS, nothing verified.
///
/// # Errors
/// When it is no JWS of JSON.
pub fn unverified_claims(jws: &str) -> Result<(Value, Value)> {
    let mut parts = jws.split('.');
    let mut next = || -> Result<Value> {
        let part = URL_SAFE_NO_PAD.decode(parts.next().context("a part is missing")?)?;
        Ok(serde_json::from_slice(&part)?)
    };
    Ok((next()?, next()?))
}
