//! The card verification code (CVC2, CVV2): three digits, drawn at random and replaced at will.

use std::fmt;

use super::digits::{self, Digits};

/// Digits of a code.
pub const LENGTH: usize = 3;

/// The text is not three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a card verification code has three digits")]
pub struct InvalidCvv;

/// A clear verification code. Wiped on drop; never printed, cloned or serialised.
pub struct Cvv(Digits<LENGTH>);

impl Cvv {
    /// Parses ASCII digits.
    ///
    /// # Errors
    /// [`InvalidCvv`].
    pub fn parse(ascii: &[u8]) -> Result<Self, InvalidCvv> {
        let well_formed = ascii.len() == LENGTH && ascii.iter().all(u8::is_ascii_digit);
        if well_formed {
            Ok(Self(Digits::copy_of(ascii)))
        } else {
            Err(InvalidCvv)
        }
    }

    /// Draws a code; `random_digit` gives uniform digits 0–9.
    pub fn draw<E>(mut random_digit: impl FnMut() -> Result<u8, E>) -> Result<Self, E> {
        let mut cvv = Self(Digits::zeros(LENGTH));
        for place in cvv.0.as_mut_bytes() {
            *place = b'0' + random_digit()?;
        }
        Ok(cvv)
    }

    /// The ASCII digits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether two codes are the same, in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        digits::same(self.as_bytes(), other.as_bytes())
    }
}

impl fmt::Debug for Cvv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cvv(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_nothing_else() {
        assert!(Cvv::parse(b"012").is_ok());
        for bad in [&b"12"[..], b"1234", b"12a", b""] {
            assert_eq!(Cvv::parse(bad).unwrap_err(), InvalidCvv);
        }
        assert_eq!(format!("{:?}", Cvv::parse(b"012").unwrap()), "Cvv(..)");
    }

    #[test]
    fn a_code_matches_itself_alone() {
        assert!(Cvv::parse(b"123").unwrap().matches(&Cvv::parse(b"123").unwrap()));
        assert!(!Cvv::parse(b"123").unwrap().matches(&Cvv::parse(b"124").unwrap()));
    }
}
