//! An installation: one app on one device of one user, with a key and a PIN of its own.

/// The gateway's number of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstallationId(pub i64);

use super::rule::Rule;
use zeroize::Zeroizing;

/// The app's PIN, 4 to 8 digits. It is no card PIN and apps refuse to make it one. Wiped when dropped.
pub struct AppPin(Zeroizing<String>);

impl AppPin {
    /// Reads 4 to 8 digits; takes the text over, so that no copy is left.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn parse(text: Zeroizing<String>) -> Result<Self, Rule> {
        let fits = (4..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits {
            Ok(Self(text))
        } else {
            Err(Rule {
                code: "NOT_AN_APP_PIN",
                message: "Must be 4 to 8 digits.",
            })
        }
    }

    /// The digits, for the one who hashes them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The app's own name of a device: 1 to 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceId(String);

impl DeviceId {
    /// Reads the name.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Rule {
                code: "NOT_A_DEVICE_ID",
                message: "Must be 1 to 128 visible ASCII characters.",
            })
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_pin_has_four_to_eight_digits() {
        for good in ["0000", "12345678"] {
            assert!(AppPin::parse(Zeroizing::new(good.to_owned())).is_ok(), "{good}");
        }
        for bad in ["", "123", "123456789", "12a4", "١٢٣٤", " 1234"] {
            assert!(AppPin::parse(Zeroizing::new(bad.to_owned())).is_err(), "{bad}");
        }
    }
}
