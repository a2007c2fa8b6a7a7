//! The hash by which a proof is bound to a payload: claim `bdh`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::jose::digest::{Digest, InvalidDigest};

/// SHA-256 of a compact JWE as it stands in `payload`, 43 characters of base64url. Compared in constant time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BodyHash(Digest);

impl BodyHash {
    /// Hashes the text of a compact JWE.
    #[must_use]
    pub fn of(compact: &str) -> Self {
        Self(Digest::of(compact.as_bytes()))
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Display for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyHash({self})")
    }
}

impl FromStr for BodyHash {
    type Err = InvalidDigest;
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        text.parse().map(Self)
    }
}
