//! Money: an integer in minor units beside an ISO 4217 currency. No floats, no silent overflow.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::InvalidId;

/// An ISO 4217 currency that is in use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(iso_currency::Currency::EUR);

    /// The three-letter code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the decimal point; currencies without minor units have none.
    #[must_use]
    pub fn exponent(self) -> u16 {
        self.0.exponent().unwrap_or(0)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        iso_currency::Currency::from_code(text)
            .map(Self)
            .ok_or(InvalidId("ISO 4217 currency code"))
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

/// An amount in minor units of its currency (1 EUR = 100).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// The sum; `None` for two currencies or an overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        Some(Self {
            minor: self.minor.checked_add(other.minor)?,
            currency: self.currency,
        })
    }

    /// The difference; `None` for two currencies or an overflow.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        Some(Self {
            minor: self.minor.checked_sub(other.minor)?,
            currency: self.currency,
        })
    }
}

/// As people read it: `1234.56 EUR`, `1500 JPY`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = usize::from(self.currency.exponent());
        let sign = if self.minor < 0 { "-" } else { "" };
        // At least one digit stands before the point.
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = exponent + 1);
        let (whole, rest) = digits.split_at(digits.len().saturating_sub(exponent));
        let point = if rest.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{rest} {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_with_the_digits_of_its_currency() {
        for (minor, currency, written) in [
            (123_456, "EUR", "1234.56 EUR"),
            (5, "EUR", "0.05 EUR"),
            (0, "EUR", "0.00 EUR"),
            (-105, "EUR", "-1.05 EUR"),
            (1_500, "JPY", "1500 JPY"),
            (1_234, "BHD", "1.234 BHD"),
            (i64::MIN, "EUR", "-92233720368547758.08 EUR"),
        ] {
            let currency = currency.parse().unwrap();
            assert_eq!(Money { minor, currency }.to_string(), written);
        }
    }

    #[test]
    fn currencies_do_not_mix_and_sums_do_not_wrap() {
        let euro = |minor| Money {
            minor,
            currency: Currency::EUR,
        };
        let zloty = Money {
            minor: 1,
            currency: "PLN".parse().unwrap(),
        };
        assert_eq!(euro(1).checked_add(euro(2)), Some(euro(3)));
        assert_eq!(euro(1).checked_add(zloty), None);
        assert_eq!(euro(i64::MAX).checked_add(euro(1)), None);
        assert!("EURO".parse::<Currency>().is_err());
    }
}
