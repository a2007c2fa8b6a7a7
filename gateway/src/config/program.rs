//! A card program as the gateway knows it. BIN ranges, proof policy and budgets are the vault's.

use serde::Deserialize;
use shared::ids::ProgramName;
use shared::money::Currency;
use shared::mtls::identity::Name;

use super::ConfigError;

/// The rules of a program.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its name, the same as in the vault.
    pub name: ProgramName,
    /// The partner whose program it is: the name in the URI SAN of its client certificate.
    pub partner: Name,
    /// Currency of its balances.
    pub currency: Currency,
    /// Whether plastic of a virtual card can be ordered.
    #[serde(default)]
    pub digital_first: bool,
    /// Whether a balance is created by itself when a user's identity is established.
    #[serde(default = "yes")]
    pub automatic_balance: bool,
    /// Fewest and most digits of a PIN.
    #[serde(default)]
    pub pin_digits: PinDigits,
    /// The seed's letter: a user lifts every reversible lock, also one that the scheme placed for fraud.
    #[serde(default)]
    pub users_lift_any_reversible_lock: bool,
    /// Whether payloads wrapped with RSA-OAEP (SHA-1) are taken.
    #[serde(default = "yes")]
    pub rsa_oaep_sha1: bool,
}

const fn yes() -> bool {
    true
}

/// Fewest and most digits of a PIN, `[4, 12]` in the file.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(from = "[u8; 2]")]
pub struct PinDigits {
    /// At least 4.
    pub min: u8,
    /// At most 12 (ISO 9564-1).
    pub max: u8,
}

impl Default for PinDigits {
    fn default() -> Self {
        Self { min: 4, max: 4 }
    }
}

impl From<[u8; 2]> for PinDigits {
    fn from([min, max]: [u8; 2]) -> Self {
        Self { min, max }
    }
}

impl Program {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let PinDigits { min, max } = self.pin_digits;
        if min < 4 || max > 12 || min > max {
            return Err(ConfigError::Invalid {
                key: "programs.pin_digits",
                rule: "must be [fewest, most] within 4 to 12",
            });
        }
        Ok(())
    }
}
