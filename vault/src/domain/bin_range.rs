//! The leading digits under which a program issues (ISO/IEC 7812-1: issuer identification number).

use std::str::FromStr;

/// Fewest leading digits.
const SHORTEST: usize = 6;
/// Most: more would leave fewer than a thousand account numbers.
const LONGEST: usize = 12;

/// The text is not 6 to 12 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a BIN has 6 to 12 digits")]
pub struct InvalidBin;

/// A BIN range: every PAN that starts with these digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinRange(String);

impl BinRange {
    /// The leading digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Whether one of two ranges lies in the other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }
}

impl FromStr for BinRange {
    type Err = InvalidBin;
    fn from_str(text: &str) -> Result<Self, InvalidBin> {
        let well_formed =
            (SHORTEST..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidBin)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_overlap_when_one_begins_the_other() {
        let bin = |text: &str| text.parse::<BinRange>().unwrap();
        assert!(bin("999900").overlaps(&bin("99990012")));
        assert!(bin("99990012").overlaps(&bin("999900")));
        assert!(!bin("999901").overlaps(&bin("999900")));
        assert!("99990".parse::<BinRange>().is_err());
    }
}
