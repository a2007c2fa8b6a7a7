//! Secrets that the gateway gives out and keeps only the hash of: activation codes, session tokens, login challenges.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::domain::text::may_be_card_number;
use crate::error::Error;
use crate::services::Services;

/// Crockford's base32: no letter that is read as a digit, none that is taken for another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Symbols of an activation code by which its row is found: 20 bits.
const SELECTOR_SYMBOLS: usize = 4;
/// Symbols of an activation code that have to be known: 60 bits.
const SECRET_SYMBOLS: usize = 12;
/// SHA-256.
pub(super) fn hash(secret: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, secret).as_ref());
    hash
}

/// A token of 256 random bits, with its prefix; and the hash to keep.
pub(super) fn token(services: &Services, prefix: &str) -> Result<(Zeroizing<String>, [u8; 32]), Error> {
    loop {
        let text = Zeroizing::new(format!(
            "{prefix}{}",
            URL_SAFE_NO_PAD.encode(services.random::<32>()?)
        ));
        if !may_be_card_number(&text) {
            let hash = hash(text.as_bytes());
            return Ok((text, hash));
        }
    }
}

/// An activation code, as two parts.
pub(super) struct CodeParts {
    pub(super) selector: String,
    pub(super) secret: Zeroizing<String>,
}

impl CodeParts {
    /// A fresh one: 80 random bits.
    pub(super) fn fresh(services: &Services) -> Result<Self, Error> {
        loop {
            let random = Zeroizing::new(services.random::<{ SELECTOR_SYMBOLS + SECRET_SYMBOLS }>()?);
            let symbols: Zeroizing<String> = Zeroizing::new(
                random
                    .iter()
                    .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)))
                    .map(|b| char::from(*b))
                    .collect(),
            );
            if let Some(parts) = Self::split(&symbols)
                && !may_be_card_number(&symbols)
            {
                return Ok(parts);
            }
        }
    }

    /// Reads what a user typed: case, blanks and hyphens do not matter, and what looks alike is taken for the same.
    pub(super) fn parse(typed: &str) -> Option<Self> {
        if typed.len() > 64 {
            return None;
        }
        let symbols: Zeroizing<String> = Zeroizing::new(
            typed
                .chars()
                .filter(|c| !matches!(c, ' ' | '-'))
                .map(|c| match c.to_ascii_uppercase() {
                    'O' => '0',
                    'I' | 'L' => '1',
                    other => other,
                })
                .collect(),
        );
        let known = symbols.bytes().all(|symbol| ALPHABET.contains(&symbol));
        if known { Self::split(&symbols) } else { None }
    }

    fn split(symbols: &str) -> Option<Self> {
        if symbols.len() != SELECTOR_SYMBOLS + SECRET_SYMBOLS {
            return None;
        }
        let (selector, secret) = symbols.split_at_checked(SELECTOR_SYMBOLS)?;
        Some(Self {
            selector: selector.to_owned(),
            secret: Zeroizing::new(secret.to_owned()),
        })
    }

    /// Names the code without giving it away.
    pub(super) fn name(&self) -> String {
        URL_SAFE_NO_PAD.encode(hash(self.shown().as_bytes()))
    }

    /// The code as it is shown: four groups of four.
    pub(super) fn shown(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(2 * (SELECTOR_SYMBOLS + SECRET_SYMBOLS)));
        for (index, symbol) in self.selector.chars().chain(self.secret.chars()).enumerate() {
            if index > 0 && index % 4 == 0 {
                text.push('-');
            }
            text.push(symbol);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let shown = CodeParts::parse("ABCD-EFGH-JKMN-0123").unwrap();
        for typed in [
            "abcd efgh jkmn o1l3".replace("o1l3", "oi23"),
            "ABCDEFGHJKMN0L23".to_owned(),
        ] {
            let parts = CodeParts::parse(&typed).unwrap();
            assert_eq!(
                (parts.selector.as_str(), parts.secret.as_str()),
                (shown.selector.as_str(), shown.secret.as_str())
            );
        }
        assert_eq!(shown.shown().as_str(), "ABCD-EFGH-JKMN-0123");
        for bad in [
            "",
            "ABCD-EFGH-JKMN",
            "ABCD-EFGH-JKMN-012U",
            "ABCD-EFGH-JKMN-01234",
            "ÄBCD-EFGH-JKMN-0123",
            &" ".repeat(65),
        ] {
            assert!(CodeParts::parse(bad).is_none(), "{bad}");
        }
    }
}
