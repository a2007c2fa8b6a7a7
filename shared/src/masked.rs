//! The masked card number: the first six and the last four digits at most (PCI DSS 3.4.1), never more, and of a number
//! with fewer than 16 digits less.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::InvalidId;

/// Fewest digits that are hidden. Of a number with 12 digits, six and four shown would leave two hidden, one of which the
/// check digit gives away: ten tries. So short numbers show less of their beginning.
const FEWEST_HIDDEN: usize = 6;
/// Most leading digits that are shown.
const MOST_LEADING: usize = 6;
/// Trailing digits that are shown.
const TRAILING: usize = 4;

/// A masked PAN such as `999900******0017`: at most six digits, at least six asterisks, four digits; 12 to 19 characters
/// in all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MaskedPan(String);

impl MaskedPan {
    /// Whether the digit at `index` of a number with `length` digits is shown.
    #[must_use]
    pub const fn shows(index: usize, length: usize) -> bool {
        let leading = length.saturating_sub(FEWEST_HIDDEN + TRAILING);
        let leading = if leading < MOST_LEADING {
            leading
        } else {
            MOST_LEADING
        };
        index < leading || index + TRAILING >= length
    }

    /// The masked form as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last four digits, for a caller's list.
    #[must_use]
    pub fn last_four(&self) -> &str {
        self.0.get(self.0.len().saturating_sub(4)..).unwrap_or_default()
    }
}

impl fmt::Display for MaskedPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MaskedPan {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let length = text.len();
        let fits = |(index, byte): (usize, u8)| {
            if Self::shows(index, length) {
                byte.is_ascii_digit()
            } else {
                byte == b'*'
            }
        };
        let well_formed = (12..=19).contains(&length) && text.bytes().enumerate().all(fits);
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId("masked card number"))
        }
    }
}

impl TryFrom<String> for MaskedPan {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<MaskedPan> for String {
    fn from(masked: MaskedPan) -> Self {
        masked.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clear_number_is_no_masked_number() {
        assert!("9999000000000017".parse::<MaskedPan>().is_err());
        assert!("9999000*****0017".parse::<MaskedPan>().is_err());
        assert_eq!(
            "999900******0017".parse::<MaskedPan>().unwrap().last_four(),
            "0017"
        );
    }

    #[test]
    fn a_short_number_hides_six_digits_too() {
        assert!("99******0017".parse::<MaskedPan>().is_ok());
        assert!("999900**0017".parse::<MaskedPan>().is_err());
        assert!("99990******0017".parse::<MaskedPan>().is_ok());
        assert!("999900*********0017".parse::<MaskedPan>().is_ok());
    }
}
