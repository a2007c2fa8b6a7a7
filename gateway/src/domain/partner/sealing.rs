//! Which keys a partner's traffic may be sealed to, and by which algorithms its payloads may be wrapped: never less than the
//! contract asks for, less than it allows where a partner wants that.

use shared::jwe::AlgPolicy;
use shared::public_key::PublicKey;

use crate::domain::rule::Rule;

/// The contract's bounds of an RSA key in `Public-Key`, bits.
const RSA_BITS: std::ops::RangeInclusive<i64> = 2048..=8192;

const RSA_BITS_RULE: Rule = Rule {
    code: "OUT_OF_RANGE",
    message: "Must be 2048 to 8192 bits.",
};

/// The rules of a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealingRules {
    /// Whether payloads wrapped with RSA-OAEP (SHA-1) are taken.
    pub rsa_oaep_sha1: bool,
    /// Fewest bits of an RSA key in `Public-Key`.
    pub minimum_rsa_bits: u16,
    /// Whether an EC P-256 key in `Public-Key` is taken.
    pub ec_keys: bool,
}

impl Default for SealingRules {
    /// All that the contract allows.
    fn default() -> Self {
        Self {
            rsa_oaep_sha1: true,
            minimum_rsa_bits: 2048,
            ec_keys: true,
        }
    }
}

impl SealingRules {
    /// Bits of an RSA key as operators give them.
    ///
    /// # Errors
    /// `OUT_OF_RANGE`.
    pub fn rsa_bits(bits: i64) -> Result<u16, Rule> {
        if !RSA_BITS.contains(&bits) {
            return Err(RSA_BITS_RULE);
        }
        u16::try_from(bits).map_err(|_| RSA_BITS_RULE)
    }

    /// Whether an answer may be sealed to this key.
    #[must_use]
    pub fn permit(&self, key: &PublicKey) -> bool {
        match key {
            PublicKey::Rsa(key) => key.bits() >= usize::from(self.minimum_rsa_bits),
            PublicKey::P256(_) => self.ec_keys,
        }
    }

    /// The algorithms by which a payload's key may be wrapped: SHA-1 only where both program and partner take it.
    #[must_use]
    pub const fn algorithms(&self, program_takes_sha1: bool) -> AlgPolicy {
        if program_takes_sha1 && self.rsa_oaep_sha1 {
            AlgPolicy::Sha1Too
        } else {
            AlgPolicy::Sha256Only
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_stay_within_the_contract() {
        for (bits, fine) in [
            (2047, false),
            (2048, true),
            (8192, true),
            (8193, false),
            (-1, false),
        ] {
            assert_eq!(SealingRules::rsa_bits(bits).is_ok(), fine, "{bits}");
        }
    }

    #[test]
    fn sha1_takes_two_who_agree() {
        for (program, partner, taken) in [
            (true, true, AlgPolicy::Sha1Too),
            (true, false, AlgPolicy::Sha256Only),
            (false, true, AlgPolicy::Sha256Only),
            (false, false, AlgPolicy::Sha256Only),
        ] {
            let rules = SealingRules {
                rsa_oaep_sha1: partner,
                ..SealingRules::default()
            };
            assert_eq!(rules.algorithms(program), taken);
        }
    }
}
