//! RSA public keys of the sizes and the one exponent that are allowed.

use serde_json::{Value, json};

use super::InvalidPublicKey;
use crate::jose::base64url;
use crate::thumbprint::Thumbprint;

/// Smallest modulus, in bits: NIST SP 800-131A Rev. 2 §6.
pub(super) const MIN_BITS: usize = 2048;
/// Largest modulus, in bits: beyond it a caller buys our CPU time with its header.
pub(super) const MAX_BITS: usize = 8192;

/// An RSA public key: an odd modulus of 2048 to 8192 bits, e = 65537.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RsaPublicKey {
    /// Big-endian, no leading zero.
    modulus: Box<[u8]>,
}

impl RsaPublicKey {
    /// 65537, big-endian: the one exponent. Small ones and huge ones are refused alike.
    pub const EXPONENT: [u8; 3] = [1, 0, 1];

    /// Checks the numbers of a key: `modulus` and `exponent` big-endian without leading zeros (RFC 7518 §2).
    ///
    /// # Errors
    /// [`InvalidPublicKey`] for a modulus that is too small, too large or even, and for every exponent but 65537.
    pub fn from_numbers(modulus: &[u8], exponent: &[u8]) -> Result<Self, InvalidPublicKey> {
        let [first, .., last] = modulus else {
            return Err(InvalidPublicKey);
        };
        let bits = modulus.len() * 8 - first.leading_zeros() as usize;
        let well_formed = *first != 0
            && (MIN_BITS..=MAX_BITS).contains(&bits)
            && last & 1 == 1
            && exponent == Self::EXPONENT.as_slice();
        if well_formed {
            Ok(Self {
                modulus: modulus.into(),
            })
        } else {
            Err(InvalidPublicKey)
        }
    }

    /// The modulus, big-endian, without a leading zero.
    #[must_use]
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The size of the modulus in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        let unused = self
            .modulus
            .first()
            .map_or(0, |first| first.leading_zeros() as usize);
        self.modulus.len() * 8 - unused
    }

    pub(super) fn to_jwk(&self) -> Value {
        json!({ "kty": "RSA", "n": base64url::encode(&self.modulus), "e": base64url::encode(Self::EXPONENT) })
    }

    pub(super) fn thumbprint(&self) -> Thumbprint {
        let (n, e) = (
            base64url::encode(&self.modulus),
            base64url::encode(Self::EXPONENT),
        );
        Thumbprint::of_canonical_jwk(&format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#))
    }
}
