//! The name of a public key that everybody computes alike: the SHA-256 thumbprint of its JWK (RFC 7638), by which proofs
//! and attestations are bound to a key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::jose::digest::Digest;
pub use crate::jose::digest::InvalidDigest;

/// An RFC 7638 thumbprint, SHA-256: 32 bytes, printed as 43 characters of base64url. Compared in constant time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Thumbprint(Digest);

impl Thumbprint {
    /// Hashes the canonical JSON of a JWK: required members only, in lexicographic order, no white space (RFC 7638 §3).
    pub(crate) fn of_canonical_jwk(canonical: &str) -> Self {
        Self(Digest::of(canonical.as_bytes()))
    }

    /// A thumbprint read back from its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Digest::from_bytes(bytes))
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

impl FromStr for Thumbprint {
    type Err = InvalidDigest;
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7638 §3.1.
    const RFC_THUMBPRINT: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";

    #[test]
    fn text_and_bytes_are_two_forms_of_one_value() {
        let thumbprint: Thumbprint = RFC_THUMBPRINT.parse().unwrap();
        assert_eq!(thumbprint.to_string(), RFC_THUMBPRINT);
        assert_eq!(Thumbprint::from_bytes(*thumbprint.as_bytes()), thumbprint);
        assert_eq!(
            serde_json::to_string(&thumbprint).unwrap(),
            format!("\"{RFC_THUMBPRINT}\"")
        );
        assert_eq!(format!("{thumbprint:?}"), format!("Thumbprint({RFC_THUMBPRINT})"));
    }

    #[test]
    fn only_the_canonical_43_characters_are_a_thumbprint() {
        for bad in [
            "",
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X",
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xt",
        ] {
            assert!(bad.parse::<Thumbprint>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Thumbprint>("null").is_err());
    }
}
