//! Free text in claims: bounded and visible, so that it can stand in a log line or a key of the store.

use serde::{Deserialize, Deserializer};

/// Longest value of `jti`, `challenge`, `aud` and `externalId`, in characters.
const MAX_SHORT: usize = 128;
/// Longest value of `card`, in characters: it may be an `Idempotency-Key`.
const MAX_LONG: usize = 255;

/// Reads 1 to 128 visible ASCII characters.
pub(super) fn short<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    visible(deserializer, MAX_SHORT)
}

/// Reads 1 to 255 visible ASCII characters.
pub(super) fn long<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    visible(deserializer, MAX_LONG)
}

fn visible<'de, D: Deserializer<'de>>(deserializer: D, longest: usize) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let well_formed = (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if well_formed {
        Ok(text)
    } else {
        Err(serde::de::Error::custom("not visible text of an allowed length"))
    }
}
