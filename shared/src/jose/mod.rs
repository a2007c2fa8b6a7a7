//! What JWE and JWS have in common, read strictly: base64url in its one canonical form, JSON objects of one known shape,
//! and SHA-256 values as text. A second way to write the same token is how two parsers come to disagree about it.

pub(crate) mod base64url;
pub(crate) mod digest;
pub(crate) mod json;
#[cfg(test)]
mod vectors;
