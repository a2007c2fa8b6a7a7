//! Serial numbers: random, so that nobody can foresee the bytes a CA is about to sign.

use std::fmt;
use std::str::FromStr;

use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Bytes of a new serial: 126 random bits. The CA/Browser Forum asks for 64 at least, RFC 5280 §4.1.2.2 for 20 bytes at most.
const NEW_LENGTH: usize = 16;
/// The most that RFC 5280 §4.1.2.2 allows.
const MAX_LENGTH: usize = 20;

/// A certificate's serial number: big-endian, without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial(Vec<u8>);

impl Serial {
    /// A fresh one. Its length is constant and its sign positive: the two top bits are set to `01`.
    pub(crate) fn random(rng: &SystemRandom) -> Result<Self> {
        let mut bytes = vec![0; NEW_LENGTH];
        rng.fill(&mut bytes).map_err(|_| Error::Random)?;
        if let Some(top) = bytes.first_mut() {
            *top = (*top & 0x3f) | 0x40;
        }
        Ok(Self(bytes))
    }

    /// From the content of a DER INTEGER, which may begin with a zero for its sign. `None` if it is zero or too long.
    pub(crate) fn from_der_integer(bytes: &[u8]) -> Option<Self> {
        let start = bytes.iter().position(|byte| *byte != 0)?;
        let digits = bytes.get(start..)?;
        (digits.len() <= MAX_LENGTH).then(|| Self(digits.to_vec()))
    }

    /// The number, big-endian.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Serial {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = || Error::Serial(text.escape_debug().to_string());
        let mut digits: String = text.chars().filter(|digit| *digit != ':').collect();
        if digits.is_empty()
            || digits.len() > 2 * MAX_LENGTH
            || !digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            return Err(refused());
        }
        if digits.len() % 2 == 1 {
            digits.insert(0, '0');
        }
        let bytes: Option<Vec<u8>> = (0..digits.len())
            .step_by(2)
            .map(|at| {
                digits
                    .get(at..at + 2)
                    .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            })
            .collect();
        bytes
            .and_then(|bytes| Self::from_der_integer(&bytes))
            .ok_or_else(refused)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl TryFrom<String> for Serial {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Serial> for String {
    fn from(serial: Serial) -> Self {
        serial.to_string()
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::Serial;

    #[test]
    fn new_serials_are_positive_long_and_differ() {
        let rng = SystemRandom::new();
        let (one, other) = (Serial::random(&rng).unwrap(), Serial::random(&rng).unwrap());
        assert_ne!(one, other);
        assert_eq!(one.as_bytes().len(), 16);
        assert_eq!(one.as_bytes()[0] & 0xc0, 0x40);
    }

    #[test]
    fn the_spellings_of_openssl_are_read() {
        let serial: Serial = "4A:0b:ff".parse().unwrap();
        assert_eq!(serial.to_string(), "4a0bff");
        assert_eq!("04A0BFF".parse::<Serial>().unwrap(), serial);
        assert_eq!(Serial::from_der_integer(&[0, 0x4a, 0x0b, 0xff]), Some(serial));
    }

    #[test]
    fn what_is_no_serial_is_refused() {
        for text in ["", "0", "00", ":", "xyz", "12 34", &"a".repeat(41)] {
            assert!(text.parse::<Serial>().is_err(), "{text:?} was taken");
        }
    }
}
