//! Names that cross the wire between gateway and vault. Each is its own type, checked once where it is parsed.
//!
//! Tokens are prefixed text from an alphabet in which no 13 digits can stand in a row, so that no search for card numbers
//! ever mistakes a token for one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed {0}")]
pub struct InvalidId(pub &'static str);

/// Letters and the digits 2–7 (RFC 4648 §6, lower case).
const TOKEN_ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// 26 symbols of 5 bits: 130 bits, of which 128 are random.
const TOKEN_SYMBOLS: usize = 26;
/// 5 random bytes in symbols of 5 bits.
const SLOT_SYMBOLS: usize = 8;
/// Card data scanners look for 13 to 19 digits in a row.
const LONGEST_DIGIT_RUN: usize = 12;

fn encode_token(random: &[u8; 16]) -> String {
    let number = u128::from_be_bytes(*random);
    let alphabet = |index: u32| {
        let symbol = (number.checked_shr(index * 5).unwrap_or(0) & 31) as usize;
        TOKEN_ALPHABET.get(symbol).copied().map_or('a', char::from)
    };
    (0..TOKEN_SYMBOLS as u32).rev().map(alphabet).collect()
}

fn longest_digit_run(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit())
        .map(str::len)
        .max()
        .unwrap_or(0)
}

fn is_token_body(body: &str) -> bool {
    body.len() == TOKEN_SYMBOLS
        && body.bytes().all(|b| TOKEN_ALPHABET.contains(&b))
        && longest_digit_run(body) <= LONGEST_DIGIT_RUN
}

/// Gives a type that holds checked text its parsing, printing and JSON form.
macro_rules! text_forms {
    ($name:ident) => {
        impl $name {
            /// The text as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

macro_rules! token {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);
        text_forms!($name);
        impl $name {
            /// Makes a token from 128 random bits; `None` for the one in 10⁹ whose text would look like a card number.
            #[must_use]
            pub fn from_random(random: &[u8; 16]) -> Option<Self> {
                format!(concat!($prefix, "{}"), encode_token(random)).parse().ok()
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                match text.strip_prefix($prefix) {
                    Some(body) if is_token_body(body) => Ok(Self(text.to_owned())),
                    _ => Err(InvalidId($what)),
                }
            }
        }
    };
}

token!(
    /// A card, as everybody outside the vault knows it.
    CardToken, "crd_", "card token"
);
token!(
    /// A cardholder in the vault: who may enrol keys and prove things about their cards.
    HolderToken, "hld_", "holder token"
);
token!(
    /// An order of plastic.
    OrderToken, "ord_", "order token"
);
token!(
    /// A batch of orders that a bureau was given.
    BatchToken, "bat_", "batch token"
);
token!(
    /// An operation that waits for a second officer.
    ApprovalToken, "apr_", "approval token"
);
token!(
    /// Long work in the vault: a rotation, a backup, an import, an export, an integrity check.
    JobToken, "job_", "job token"
);
token!(
    /// A backup of the vault.
    BackupToken, "bak_", "backup token"
);

/// A root key slot: 8 letters (RFC 4648 §6, lower case), as they stand in each of its shares.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SlotName(String);
text_forms!(SlotName);

impl FromStr for SlotName {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() == SLOT_SYMBOLS && text.bytes().all(|b| TOKEN_ALPHABET.contains(&b)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId("slot name"))
        }
    }
}

/// A card program, e.g. `demo-eur`: 1 to 64 lower-case letters, digits and inner hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProgramName(String);
text_forms!(ProgramName);

impl FromStr for ProgramName {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let well_formed = (1..=64).contains(&text.len())
            && text.bytes().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-')
            && longest_digit_run(text) <= LONGEST_DIGIT_RUN;
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId("program name"))
        }
    }
}

/// The value of an `Idempotency-Key` header: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdempotencyKey(String);
text_forms!(IdempotencyKey);

impl FromStr for IdempotencyKey {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let well_formed = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId("idempotency key"))
        }
    }
}

/// A challenge that the vault made for one holder proof: 256 random bits in base64url.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nonce(String);
text_forms!(Nonce);

impl Nonce {
    /// Encodes 256 random bits.
    #[must_use]
    pub fn from_random(random: &[u8; 32]) -> Self {
        use base64::Engine as _;
        Self(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random))
    }
}

impl FromStr for Nonce {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if text.len() == 43 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId("nonce"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_form() {
        let token = CardToken::from_random(&[0xA5; 16]).unwrap();
        assert!(token.as_str().starts_with("crd_"));
        assert_eq!(token.as_str().parse::<CardToken>().unwrap(), token);
        assert_eq!(serde_json::to_string(&token).unwrap(), format!("\"{token}\""));
    }

    #[test]
    fn different_bits_make_different_tokens() {
        let mut bits = [0u8; 16];
        let all_zero = CardToken::from_random(&bits).unwrap();
        for bit in 0..128 {
            bits.fill(0);
            bits[bit / 8] |= 1 << (bit % 8);
            assert_ne!(CardToken::from_random(&bits).unwrap(), all_zero, "bit {bit}");
        }
    }

    #[test]
    fn a_token_that_looks_like_a_card_number_is_refused() {
        assert!("crd_2222222222222aaaaaaaaaaaaa".parse::<CardToken>().is_err());
        assert!("crd_222222222222aaaaaaaaaaaaaa".parse::<CardToken>().is_ok());
    }

    #[test]
    fn tokens_of_another_kind_are_refused() {
        let card = CardToken::from_random(&[7; 16]).unwrap();
        assert!(card.as_str().parse::<HolderToken>().is_err());
    }

    #[test]
    fn names_keep_to_their_alphabet() {
        assert!("demo-eur".parse::<ProgramName>().is_ok());
        for bad in ["", "-a", "a-", "Demo", "a b", "1234567890123"] {
            assert!(bad.parse::<ProgramName>().is_err(), "{bad}");
        }
        assert!("key with space".parse::<IdempotencyKey>().is_err());
        assert!("k".repeat(256).parse::<IdempotencyKey>().is_err());
    }
}
