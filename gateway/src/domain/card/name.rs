//! What a user calls a card. Free text on a card: somebody might type its number here.

use crate::domain::rule::Rule;

const LENGTH: Rule = Rule {
    code: "CARD_NAME_LENGTH",
    message: "Must have 1 to 64 characters beside the spaces around it.",
};
const UNPRINTABLE: Rule = Rule {
    code: "CONTROL_CHARACTERS",
    message: "Must not have control characters.",
};
const CARD_NUMBER: Rule = Rule {
    code: "LOOKS_LIKE_CARD_NUMBER",
    message: "Must have fewer than 12 digits.",
};

/// A name of 1 to [`CardName::MAX_CHARACTERS`] characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardName(String);

impl CardName {
    /// The longest name, in characters.
    pub const MAX_CHARACTERS: usize = 64;
    /// From this many digits on (the shortest card numbers have 12), whatever stands between them, a name could be a card
    /// number, and the gateway stores none.
    pub const CARD_NUMBER_DIGITS: usize = 12;

    /// Takes a name; white space around it is dropped.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        let name = text.trim();
        if !(1..=Self::MAX_CHARACTERS).contains(&name.chars().count()) {
            return Err(LENGTH);
        }
        if name.chars().any(char::is_control) {
            return Err(UNPRINTABLE);
        }
        if name.chars().filter(|c| c.is_numeric()).count() >= Self::CARD_NUMBER_DIGITS {
            return Err(CARD_NUMBER);
        }
        Ok(Self(name.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_text() {
        assert_eq!(
            CardName::parse("  Groceries 2026 ").unwrap().as_str(),
            "Groceries 2026"
        );
        assert_eq!(CardName::parse("Łódź 🛒").unwrap().as_str(), "Łódź 🛒");
        assert!(CardName::parse(&"ż".repeat(64)).is_ok());
    }

    #[test]
    fn what_could_be_a_card_number_is_no_name() {
        for text in [
            "9999000000000017",
            "9999 0000 0000",
            "9-9-9-9-0-0-0-0-0-0-0-0",
            "٠١٢٣٤٥٦٧٨٩٠١",
        ] {
            assert_eq!(CardName::parse(text), Err(CARD_NUMBER), "{text}");
        }
        assert!(CardName::parse("99990000000").is_ok());
    }

    #[test]
    fn empty_long_and_unprintable_texts_are_refused() {
        assert_eq!(CardName::parse(" \t"), Err(LENGTH));
        assert_eq!(CardName::parse(&"x".repeat(65)), Err(LENGTH));
        assert_eq!(CardName::parse("a\nb"), Err(UNPRINTABLE));
    }
}
