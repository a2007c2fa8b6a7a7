//! What is printed on plastic and on its letter: a name and an address. Personal, so wiped and silent; they are read from
//! what the holder sealed, kept sealed, and leave sealed to the bureau.

use serde::{Deserialize, Serialize};
use shared::vault_api::cards::PostalAddress;
use zeroize::Zeroizing;

/// Fewest and most characters of an embossed name (ISO/IEC 7813: the name of track 1 has 2 to 26).
const NAME_CHARACTERS: std::ops::RangeInclusive<usize> = 2..=26;

/// Which rule an entry breaks: never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// The member.
    pub field: &'static str,
    /// A sentence for people.
    pub message: &'static str,
}

/// The name on the plastic.
#[derive(Serialize, Deserialize)]
pub struct EmbossedName(Zeroizing<String>);

impl EmbossedName {
    /// Capitals A to Z, space, `.`, `'`, `-` and `/` (the set that both track 1 and ICAO 9303 print, without digits: a name
    /// carries no number); small letters become capitals.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn parse(mut text: Zeroizing<String>) -> Result<Self, Broken> {
        text.make_ascii_uppercase();
        let allowed = |c: char| c.is_ascii_uppercase() || matches!(c, ' ' | '.' | '\'' | '-' | '/');
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_uppercase());
        let fits = NAME_CHARACTERS.contains(&text.len())
            && text.chars().all(allowed)
            && letter(text.chars().next())
            && !text.ends_with(' ')
            && !text.contains("  ");
        if fits {
            return Ok(Self(text));
        }
        Err(Broken {
            field: "embossedName",
            message: "2 to 26 characters: A to Z, single spaces and . ' - /, beginning with a letter",
        })
    }

    /// The name, for the one line that is sealed to the bureau.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Where the letter goes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeliveryAddress {
    line1: Zeroizing<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line2: Option<Zeroizing<String>>,
    city: Zeroizing<String>,
    postal_code: Zeroizing<String>,
    country: Zeroizing<String>,
}

impl From<PostalAddress> for DeliveryAddress {
    fn from(address: PostalAddress) -> Self {
        Self {
            line1: Zeroizing::new(address.line1),
            line2: address.line2.map(Zeroizing::new),
            city: Zeroizing::new(address.city),
            postal_code: Zeroizing::new(address.postal_code),
            country: Zeroizing::new(address.country),
        }
    }
}

impl DeliveryAddress {
    /// The address, if every line can be printed.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn checked(self) -> Result<Self, Broken> {
        let broken = |field, message| Err(Broken { field, message });
        let fits = |text: &str, most| {
            (1..=most).contains(&text.trim().chars().count()) && !text.contains(char::is_control)
        };
        if !fits(&self.line1, 100) || !self.line2.as_ref().is_none_or(|line| fits(line, 100)) {
            return broken(
                "deliveryAddress.line1",
                "each address line has 1 to 100 characters",
            );
        }
        if !fits(&self.city, 100) {
            return broken("deliveryAddress.city", "the city has 1 to 100 characters");
        }
        if !fits(&self.postal_code, 16) {
            return broken(
                "deliveryAddress.postalCode",
                "the postal code has 1 to 16 characters",
            );
        }
        if self.country.len() != 2 || !self.country.bytes().all(|b| b.is_ascii_uppercase()) {
            return broken(
                "deliveryAddress.country",
                "the country is two capitals (ISO 3166-1 alpha-2)",
            );
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<String, Broken> {
        EmbossedName::parse(Zeroizing::new(text.to_owned())).map(|name| name.expose().to_owned())
    }

    #[test]
    fn a_name_is_what_can_be_embossed() {
        assert_eq!(name("Ada O'Brien-Lovelace").unwrap(), "ADA O'BRIEN-LOVELACE");
        assert_eq!(name("DOE/J.").unwrap(), "DOE/J.");
        for bad in [
            "",
            "A",
            " ADA",
            "ADA ",
            "ADA  B",
            "ADA1",
            "ÄDA",
            "9999000000000017",
            "A%B",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZA",
        ] {
            assert!(name(bad).is_err(), "{bad}");
        }
        assert!(name("ABCDEFGHIJKLMNOPQRSTUVWXYZ").is_ok());
    }

    #[test]
    fn an_address_can_be_printed_and_keeps_its_form() {
        let text = r#"{"line1":"1 Main St","city":"Vilnius","postalCode":"LT-01001","country":"LT"}"#;
        let address: DeliveryAddress = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&address.checked().unwrap()).unwrap(), text);
        for (from, to) in [
            ("1 Main St", ""),
            ("Vilnius", "a\\nb"),
            ("LT-01001", "12345678901234567"),
            ("\"LT\"}", "\"lt\"}"),
        ] {
            let bad: DeliveryAddress = serde_json::from_str(&text.replace(from, to)).unwrap();
            assert!(bad.checked().is_err(), "{to}");
        }
        assert!(serde_json::from_str::<DeliveryAddress>(&text.replace("city", "town")).is_err());
    }
}
