//! The `{name}` of an identity. It is written by the operator, stands in a URI and in file names, and is compared byte for
//! byte by those who authorise; so it has one spelling.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The longest name: one DNS label, so that names may become host names one day.
const MAX_LENGTH: usize = 63;

/// A name: 1 to 63 of `a-z`, `0-9` and `-`, neither first nor last a `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=MAX_LENGTH).contains(&text.len())
            && text.bytes().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::Name(text.escape_debug().to_string()))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn a_plain_name_is_taken_as_it_is() {
        for text in ["a", "acme", "officer-1", "7", &"a".repeat(63)] {
            assert_eq!(text.parse::<Name>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_could_be_read_as_another_identity_is_refused() {
        for text in [
            "",
            "Acme",
            "a/b",
            "..",
            "a.b",
            "a%2fb",
            "-a",
            "a-",
            "a b",
            "é",
            "a\n",
            &"a".repeat(64),
        ] {
            assert!(text.parse::<Name>().is_err(), "{text:?} was taken");
        }
    }
}
