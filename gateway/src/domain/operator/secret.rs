//! What an operator logs in with.

use zeroize::Zeroizing;

use crate::domain::person::Email;
use crate::domain::rule::Rule;

/// Characters of a password: no fewer than twelve, and no more than is hashed in reasonable time.
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 12..=128;

/// An operator's login: an e-mail address of ASCII, in small letters, so that there is one way to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login(String);

impl Login {
    /// Reads the address.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        const RULE: Rule = Rule {
            code: "NOT_A_LOGIN",
            message: "Must be an e-mail address in ASCII, at most 254 characters.",
        };
        if !text.is_ascii() {
            return Err(RULE);
        }
        Email::parse(text)
            .map(|email| Self(email.as_str().to_ascii_lowercase()))
            .map_err(|_| RULE)
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Login {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).map_err(|rule| rule.message)
    }
}

/// An operator's password. Wiped when dropped, never printed.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Reads a new password; takes the text over, so that no copy is left.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn parse(text: Zeroizing<String>) -> Result<Self, Rule> {
        if PASSWORD_LENGTH.contains(&text.chars().count()) {
            Ok(Self(text))
        } else {
            Err(Rule {
                code: "NOT_A_PASSWORD",
                message: "Must be 12 to 128 characters.",
            })
        }
    }

    /// Takes a password that is tried: whether it could be one is told to nobody. What is too long to be one is cut, so
    /// that it costs no more than another.
    #[must_use]
    pub fn tried(mut text: Zeroizing<String>) -> Self {
        if let Some((end, _)) = text.char_indices().nth(*PASSWORD_LENGTH.end() + 1) {
            text.truncate(end);
        }
        Self(text)
    }

    /// The text, for the one who hashes it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_way_to_write_a_login() {
        assert_eq!(
            Login::parse("Ada@Bank.Example").unwrap().as_str(),
            "ada@bank.example"
        );
        for bad in ["", "ada", "ada@bank", "ądа@bank.example", "a\n@bank.example"] {
            assert!(Login::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_has_twelve_characters_and_a_tried_one_as_many_as_it_likes() {
        let text = |length: usize| Zeroizing::new("ż".repeat(length));
        for (length, fits) in [(11, false), (12, true), (128, true), (129, false)] {
            assert_eq!(Password::parse(text(length)).is_ok(), fits, "{length}");
        }
        assert_eq!(Password::tried(text(3)).expose().len(), 6);
        assert_eq!(Password::tried(text(9_999)).expose().len(), 2 * 129);
    }
}
