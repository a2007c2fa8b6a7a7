//! What callers call a transfer, and what the bank calls one.

use crate::domain::rule::Rule;
use crate::domain::text::{is_line, may_be_card_number};

/// Longest reference, in characters; SEPA's end-to-end identification has 35.
const REFERENCE_MAX: usize = 64;

const NOT_A_REFERENCE: Rule = Rule {
    code: "NOT_A_REFERENCE",
    message: "Must be one line of 1 to 64 characters without 13 digits in a row.",
};
const NOT_A_BANK_REFERENCE: Rule = Rule {
    code: "NOT_A_BANK_REFERENCE",
    message: "Must be one line of 4 to 64 characters with at least 4 letters or digits, without 13 digits in a row.",
};
/// Fewer letters and digits tell no two bank transfers apart.
const SIGNIFICANT_MIN: usize = 4;

fn line(text: &str) -> bool {
    is_line(text, REFERENCE_MAX) && !may_be_card_number(text)
}

/// The caller's own name of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference(String);

impl Reference {
    /// Reads one.
    ///
    /// # Errors
    /// A [`Rule`] for what is no line, or could be a card number.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        if line(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NOT_A_REFERENCE)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The bank's name of a transfer, by which it is credited once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankReference {
    text: String,
    key: String,
}

impl BankReference {
    /// Reads one.
    ///
    /// # Errors
    /// A [`Rule`] for what is no line, too little, or could be a card number.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        let significant = text.chars().filter(|c| c.is_alphanumeric());
        let key: String = significant.flat_map(char::to_uppercase).collect();
        // Without what separates the digits they could still be a card number: that is a person's slip, not a bank's name.
        if !line(text) || key.chars().count() < SIGNIFICANT_MIN {
            return Err(NOT_A_BANK_REFERENCE);
        }
        Ok(Self {
            text: text.to_owned(),
            key,
        })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What two spellings of one reference have in common: its letters and digits, in capitals.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_a_bank_reference_are_one() {
        let key = |text| BankReference::parse(text).unwrap().key().to_owned();
        assert_eq!(key("nb 2026/11-07"), key("NB-20261107"));
        assert_ne!(key("NB-1107"), key("NB-1108"));
    }

    #[test]
    fn what_is_no_reference_is_told() {
        for bad in ["", "a\nb", "9999000000000017", &"x".repeat(65)] {
            assert!(Reference::parse(bad).is_err(), "{bad}");
            assert!(BankReference::parse(bad).is_err(), "{bad}");
        }
        assert!(Reference::parse("a").is_ok());
        for bad in ["a", "----", "a b c"] {
            assert!(BankReference::parse(bad).is_err(), "{bad}");
        }
    }
}
