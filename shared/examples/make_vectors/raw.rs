//! Tokens made by hand, so that they can be wrong in one chosen way.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A compact JWS over exactly these texts, ES256 whatever the header says.
pub(crate) fn es256(header: &str, claims: &str, pkcs8: &[u8]) -> String {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random).unwrap();
    let input = format!("{}.{}", base64url(header), base64url(claims));
    let signature = key.sign(&random, input.as_bytes()).unwrap();
    format!("{input}.{}", base64url(signature))
}

/// The token with one of its parts replaced.
pub(crate) fn with_part(token: &str, at: usize, part: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[at] = part;
    parts.join(".")
}

pub(crate) fn part(token: &str, at: usize) -> &str {
    token.split('.').nth(at).unwrap()
}

pub(crate) fn part_bytes(token: &str, at: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part(token, at)).unwrap()
}

/// The token with one bit of one byte of one part flipped.
pub(crate) fn flipped(token: &str, at: usize, byte: usize) -> String {
    let mut bytes = part_bytes(token, at);
    bytes[byte] ^= 1;
    with_part(token, at, &base64url(bytes))
}
