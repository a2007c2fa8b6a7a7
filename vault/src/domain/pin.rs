//! The PIN (ISO 9564-1): 4 to 12 digits; a program narrows the range.

use std::fmt;

use super::digits::{self, Digits};

/// Fewest digits (ISO 9564-1 §6.1).
pub const SHORTEST: usize = 4;
/// Most digits (ISO 9564-1 §6.1).
pub const LONGEST: usize = 12;

/// Why a text is no PIN. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPin {
    /// Fewer or more digits than allowed.
    #[error("the PIN has too few or too many digits")]
    Length,
    /// Something else than a digit.
    #[error("a PIN has digits only")]
    NotDigits,
}

/// A clear PIN. Wiped on drop; never printed, cloned or serialised.
pub struct Pin(Digits<LONGEST>);

impl Pin {
    /// Parses ASCII digits of any length that the standard allows.
    ///
    /// # Errors
    /// [`InvalidPin`] without the text.
    pub fn parse(ascii: &[u8]) -> Result<Self, InvalidPin> {
        if !(SHORTEST..=LONGEST).contains(&ascii.len()) {
            return Err(InvalidPin::Length);
        }
        if !ascii.iter().all(u8::is_ascii_digit) {
            return Err(InvalidPin::NotDigits);
        }
        Ok(Self(Digits::copy_of(ascii)))
    }

    /// How many digits it has.
    #[must_use]
    pub fn length(&self) -> usize {
        self.as_bytes().len()
    }

    /// The ASCII digits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether two PINs are the same, in time that depends on their lengths alone.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        digits::same(self.as_bytes(), other.as_bytes())
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn four_to_twelve_digits() {
        assert_eq!(Pin::parse(b"1234").unwrap().length(), 4);
        assert!(Pin::parse(b"123456789012").is_ok());
        assert_eq!(Pin::parse(b"123").unwrap_err(), InvalidPin::Length);
        assert_eq!(Pin::parse(b"1234567890123").unwrap_err(), InvalidPin::Length);
        assert_eq!(Pin::parse(b"12a4").unwrap_err(), InvalidPin::NotDigits);
        assert_eq!(format!("{:?}", Pin::parse(b"1234").unwrap()), "Pin(..)");
    }

    proptest! {
        #[test]
        fn digits_are_taken_by_their_number_and_nothing_else_is(text in vec(any::<u8>(), 0..16), digits in "[0-9]{0,16}") {
            prop_assert_eq!(Pin::parse(digits.as_bytes()).is_ok(), (4..=12).contains(&digits.len()));
            prop_assert!(text.iter().all(u8::is_ascii_digit) || Pin::parse(&text).is_err());
        }
    }

    #[test]
    fn a_prefix_does_not_match() {
        assert!(
            !Pin::parse(b"1234")
                .unwrap()
                .matches(&Pin::parse(b"12345").unwrap())
        );
        assert!(
            Pin::parse(b"1234")
                .unwrap()
                .matches(&Pin::parse(b"1234").unwrap())
        );
    }
}
