//! Where a purchase was made, in the words of the scheme's message.

use crate::domain::rule::Rule;
use crate::domain::text::{is_line, may_be_card_number};

/// Longest name, in characters; ISO 8583 field 43 has 40.
const NAME_MAX: usize = 64;

const NOT_A_NAME: Rule = Rule {
    code: "NOT_A_MERCHANT_NAME",
    message: "Must be one line of 1 to 64 characters without 13 digits in a row.",
};
const NOT_A_CATEGORY: Rule = Rule {
    code: "NOT_A_CATEGORY",
    message: "Must be four digits (ISO 18245).",
};
const NOT_A_COUNTRY: Rule = Rule {
    code: "NOT_A_COUNTRY",
    message: "Must be two or three capital letters (ISO 3166-1).",
};

/// A merchant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merchant {
    name: String,
    category: Option<String>,
    country: Option<String>,
}

impl Merchant {
    /// Reads what a message says of a merchant.
    ///
    /// # Errors
    /// The [`Rule`] that is broken.
    pub fn parse(name: &str, category: Option<&str>, country: Option<&str>) -> Result<Self, Rule> {
        if !is_line(name, NAME_MAX) || may_be_card_number(name) {
            return Err(NOT_A_NAME);
        }
        if category.is_some_and(|code| code.len() != 4 || !code.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(NOT_A_CATEGORY);
        }
        let is_country =
            |code: &str| matches!(code.len(), 2 | 3) && code.bytes().all(|byte| byte.is_ascii_uppercase());
        if country.is_some_and(|code| !is_country(code)) {
            return Err(NOT_A_COUNTRY);
        }
        Ok(Self {
            name: name.to_owned(),
            category: category.map(str::to_owned),
            country: country.map(str::to_owned),
        })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The category code (MCC).
    #[must_use]
    pub fn category(&self) -> Option<&str> {
        self.category.as_deref()
    }

    /// The country.
    #[must_use]
    pub fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_merchant_is_told() {
        assert!(Merchant::parse("Shop", Some("5411"), Some("PL")).is_ok());
        assert!(Merchant::parse("Shop", None, None).is_ok());
        for (name, category, country) in [
            ("", None, None),
            ("a\nb", None, None),
            ("9999000000000017", None, None),
            ("Shop", Some("541"), None),
            ("Shop", Some("541x"), None),
            ("Shop", None, Some("pl")),
            ("Shop", None, Some("POLA")),
        ] {
            assert!(
                Merchant::parse(name, category, country).is_err(),
                "{name} {category:?} {country:?}"
            );
        }
    }
}
