//! The primary account number (ISO/IEC 7812-1): 12 to 19 digits, the last one a Luhn check digit.

use std::fmt;

use shared::masked::MaskedPan;

use super::bin_range::BinRange;
use super::digits::{self, Digits};

/// Digits of a PAN that the vault issues.
pub const ISSUED_LENGTH: usize = 16;
/// Fewest digits of an imported PAN.
pub const SHORTEST: usize = 12;
/// Most digits (ISO/IEC 7812-1).
pub const LONGEST: usize = 19;

/// Why a text is no PAN. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPan {
    /// Fewer than 12 or more than 19 characters.
    #[error("a card number has 12 to 19 digits")]
    Length,
    /// Something else than a digit.
    #[error("a card number has digits only")]
    NotDigits,
    /// The last digit does not check.
    #[error("the card number's check digit is wrong")]
    CheckDigit,
}

/// A clear PAN. Wiped on drop; never printed, cloned or serialised.
pub struct Pan(Digits<LONGEST>);

impl Pan {
    /// Parses ASCII digits.
    ///
    /// # Errors
    /// [`InvalidPan`] without the text.
    pub fn parse(ascii: &[u8]) -> Result<Self, InvalidPan> {
        if !(SHORTEST..=LONGEST).contains(&ascii.len()) {
            return Err(InvalidPan::Length);
        }
        if !ascii.iter().all(u8::is_ascii_digit) {
            return Err(InvalidPan::NotDigits);
        }
        if !luhn_sum(ascii).is_multiple_of(10) {
            return Err(InvalidPan::CheckDigit);
        }
        Ok(Self(Digits::copy_of(ascii)))
    }

    /// Draws the account digits of a new PAN in `range` and adds the check digit. `random_digit` gives uniform digits
    /// 0–9; its errors are passed on.
    pub fn draw<E>(range: &BinRange, mut random_digit: impl FnMut() -> Result<u8, E>) -> Result<Self, E> {
        let mut pan = Self(Digits::zeros(ISSUED_LENGTH));
        let bin = range.digits().as_bytes();
        for (index, place) in pan
            .0
            .as_mut_bytes()
            .iter_mut()
            .take(ISSUED_LENGTH - 1)
            .enumerate()
        {
            *place = match bin.get(index) {
                Some(digit) => *digit,
                None => b'0' + random_digit()?,
            };
        }
        let missing = (10 - luhn_sum(pan.as_bytes()) % 10) % 10;
        if let Some(check) = pan.0.as_mut_bytes().get_mut(ISSUED_LENGTH - 1) {
            *check = b'0' + missing;
        }
        Ok(pan)
    }

    /// The ASCII digits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// First six and last four (PCI DSS 3.4.1); of a number with fewer than 16 digits, fewer of the first.
    #[must_use]
    pub fn masked(&self) -> Option<MaskedPan> {
        let length = self.as_bytes().len();
        let masked = |(index, digit): (usize, &u8)| {
            if MaskedPan::shows(index, length) {
                char::from(*digit)
            } else {
                '*'
            }
        };
        self.as_bytes()
            .iter()
            .enumerate()
            .map(masked)
            .collect::<String>()
            .parse()
            .ok()
    }

    /// Whether two numbers are the same, in time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        digits::same(self.as_bytes(), other.as_bytes())
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pan(..)")
    }
}

/// The sum of ISO/IEC 7812-1 annex B over ASCII digits, check digit included.
fn luhn_sum(ascii: &[u8]) -> u8 {
    let weigh = |(place, digit): (usize, &u8)| {
        let digit = digit.wrapping_sub(b'0');
        let weighted = if place % 2 == 1 { digit * 2 } else { digit };
        weighted / 10 + weighted % 10
    };
    // 19 digits of at most 9 sum to at most 171.
    ascii.iter().rev().enumerate().map(weigh).sum()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn range(bin: &str) -> BinRange {
        bin.parse().unwrap()
    }

    #[test]
    fn a_drawn_number_lies_in_its_range_and_checks() {
        let mut digit = 0u8;
        for _ in 0..1000 {
            let pan = Pan::draw(&range("999900"), || {
                digit = (digit + 7) % 10;
                Ok::<_, Infallible>(digit)
            })
            .unwrap();
            assert!(pan.as_bytes().starts_with(b"999900"));
            assert!(Pan::parse(pan.as_bytes()).is_ok());
        }
    }

    #[test]
    fn one_wrong_digit_is_noticed() {
        let good = Pan::draw(&range("999900"), || Ok::<_, Infallible>(3)).unwrap();
        for index in 0..ISSUED_LENGTH {
            let mut bad = good.as_bytes().to_vec();
            bad[index] = if bad[index] == b'9' { b'0' } else { bad[index] + 1 };
            assert_eq!(
                Pan::parse(&bad).unwrap_err(),
                InvalidPan::CheckDigit,
                "digit {index}"
            );
        }
    }

    #[test]
    fn the_mask_shows_ten_digits_at_most() {
        let pan = Pan::draw(&range("999900"), || Ok::<_, Infallible>(5)).unwrap();
        let masked = pan.masked().unwrap();
        assert_eq!(masked.as_str().matches('*').count(), 6);
        assert_eq!(format!("{pan:?}"), "Pan(..)");
    }

    #[test]
    fn numbers_of_every_length_have_a_mask_that_hides_six_digits() {
        for length in SHORTEST..=LONGEST {
            let mut digits = vec![b'9'; length - 1];
            let check = (b'0'..=b'9').find(|check| Pan::parse(&[&digits[..], &[*check]].concat()).is_ok());
            digits.push(check.unwrap());
            let masked = Pan::parse(&digits).unwrap().masked().unwrap();
            assert_eq!(masked.as_str().len(), length);
            assert!(masked.as_str().matches('*').count() >= 6, "{masked}");
        }
    }

    #[test]
    fn lengths_and_letters_are_refused() {
        assert_eq!(Pan::parse(b"99990000000").unwrap_err(), InvalidPan::Length);
        assert_eq!(Pan::parse(&[b'0'; 20]).unwrap_err(), InvalidPan::Length);
        assert_eq!(
            Pan::parse(b"9999 0000 0000 0").unwrap_err(),
            InvalidPan::NotDigits
        );
    }

    proptest! {
        #[test]
        fn nothing_but_twelve_to_nineteen_digits_is_taken(text in vec(any::<u8>(), 0..24)) {
            let digits = text.iter().all(u8::is_ascii_digit) && (SHORTEST..=LONGEST).contains(&text.len());
            prop_assert!(digits || Pan::parse(&text).is_err());
        }

        #[test]
        fn of_ten_numbers_that_differ_in_the_last_digit_one_is_taken(digits in "[0-9]{11,18}") {
            let with = |last: u8| Pan::parse(format!("{digits}{last}").as_bytes());
            prop_assert_eq!((0..10).filter(|last| with(*last).is_ok()).count(), 1);
        }
    }
}
