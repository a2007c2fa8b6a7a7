//! What a partner says of a person, each value checked once. None of these types prints its content: they end up in logs
//! by accident only if they can.

use shared::vault_api::cards::PostalAddress;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::rule::Rule;
use super::text::is_line;

/// Longest e-mail address (RFC 5321 §4.5.3.1.3, less the angle brackets).
const EMAIL_MAX: usize = 254;
/// Oldest person that is believed, in years.
const AGE_MAX_YEARS: i32 = 130;

/// An e-mail address. Only its form is checked; whether it exists is shown by a mail that arrives.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Reads `local@domain`: a domain of two labels or more, no white space, no control characters.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        const RULE: Rule = Rule {
            code: "NOT_AN_EMAIL",
            message: "Must be an e-mail address, at most 254 characters.",
        };
        let (local, domain) = text.rsplit_once('@').ok_or(RULE)?;
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let local_fits = (1..=64).contains(&local.len())
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local
                .chars()
                .all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c));
        let fits =
            text.len() <= EMAIL_MAX && local_fits && domain.contains('.') && domain.split('.').all(label);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(RULE)
        }
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A telephone number in the international form of E.164: `+` and 7 to 15 digits.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads the number.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        const RULE: Rule = Rule {
            code: "NOT_A_PHONE_NUMBER",
            message: "Must be + and 7 to 15 digits (E.164).",
        };
        let digits = text.strip_prefix('+').ok_or(RULE)?;
        let fits = (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(RULE)
        }
    }

    /// The number with its `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A first or a last name: 1 to 100 characters of any script.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

impl PersonName {
    /// Reads the name; white space around it is dropped.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        line(text, 100).map(Self).ok_or(Rule {
            code: "NOT_A_NAME",
            message: "Must be 1 to 100 characters on one line.",
        })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One line of 1 to `max` characters, without the white space around it. `<` and `>` are refused: no
/// name or street has them, and injected markup does.
fn line(text: &str, max: usize) -> Option<String> {
    let text = text.trim();
    (is_line(text, max) && !text.contains(['<', '>'])).then(|| text.to_owned())
}

/// The day a person was born.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BirthDate(Date);

impl BirthDate {
    /// Reads `YYYY-MM-DD`, a day before `now` and within the longest human life.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn parse(text: &str, now: OffsetDateTime) -> Result<Self, Rule> {
        const RULE: Rule = Rule {
            code: "NOT_A_DATE_OF_BIRTH",
            message: "Must be a past day, YYYY-MM-DD.",
        };
        let day = Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| RULE)?;
        let today = now.date();
        if text.len() == 10 && day < today && day.year() >= today.year() - AGE_MAX_YEARS {
            Ok(Self(day))
        } else {
            Err(RULE)
        }
    }

    /// The day.
    #[must_use]
    pub const fn day(self) -> Date {
        self.0
    }

    /// `YYYY-MM-DD`.
    #[must_use]
    pub fn to_text(self) -> String {
        format!(
            "{:04}-{:02}-{:02}",
            self.0.year(),
            u8::from(self.0.month()),
            self.0.day()
        )
    }
}

/// A country by its two letters (ISO 3166-1 alpha-2; the form is checked, not membership, since countries come and go).
#[derive(Clone, PartialEq, Eq)]
pub struct Country(String);

impl Country {
    /// Reads two capital letters.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        let fits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Rule {
                code: "NOT_A_COUNTRY",
                message: "Must be two capital letters (ISO 3166-1 alpha-2).",
            })
        }
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The partner's own name of a user: 1 to 64 visible ASCII characters, unique within the partner.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalId(String);

impl ExternalId {
    /// Reads the name.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Rule {
                code: "NOT_AN_EXTERNAL_ID",
                message: "Must be 1 to 64 visible ASCII characters.",
            })
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads one line of an address: 1 to 100 characters.
///
/// # Errors
/// The rule that is broken.
pub fn address_line(text: &str) -> Result<String, Rule> {
    line(text, 100).ok_or(Rule {
        code: "NOT_AN_ADDRESS_LINE",
        message: "Must be 1 to 100 characters on one line.",
    })
}

/// Reads a postal code: 1 to 16 characters.
///
/// # Errors
/// The rule that is broken.
pub fn postal_code(text: &str) -> Result<String, Rule> {
    line(text, 16).ok_or(Rule {
        code: "NOT_A_POSTAL_CODE",
        message: "Must be 1 to 16 characters.",
    })
}

/// A person as the partner registered them.
#[derive(Clone)]
pub struct Person {
    /// Where mail reaches them.
    pub email: Email,
    /// Where calls reach them.
    pub phone_number: PhoneNumber,
    /// Given name.
    pub first_name: PersonName,
    /// Family name.
    pub last_name: PersonName,
    /// Day of birth.
    pub date_of_birth: BirthDate,
    /// Citizenship.
    pub nationality: Country,
    /// Where plastic goes.
    pub address: Option<PostalAddress>,
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn e_mail_addresses_are_taken_as_people_have_them() {
        for good in [
            "a@b.eu",
            "first.last+tag@sub.example.com",
            "o'neil@example.org",
            "jürgen@müller.de",
        ] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for bad in [
            "",
            "a",
            "@b.eu",
            "a@",
            "a@b",
            "a@.eu",
            "a@b..eu",
            ".a@b.eu",
            "a..b@c.eu",
            "a b@c.eu",
            "a@b.eu\r\nBcc: x@y.eu",
            "a@-b.eu",
            "<a@b.eu>",
            &long,
        ] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn telephone_numbers_are_international() {
        assert!(PhoneNumber::parse("+48600100200").is_ok());
        for bad in [
            "48600100200",
            "+",
            "+0486001002",
            "+48 600 100",
            "+123456",
            "+1234567890123456",
        ] {
            assert!(PhoneNumber::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_every_script_are_taken_and_markup_is_not() {
        for good in ["Zoë", "Nguyễn", "李", "O’Connor-Smith", " Ann "] {
            assert!(PersonName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "  ", "<script>", "a\nb", "\u{2028}", &"x".repeat(101)] {
            assert!(PersonName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nobody_is_born_tomorrow_or_two_centuries_ago() {
        let now = datetime!(2026-11-23 12:00 UTC);
        assert_eq!(
            BirthDate::parse("2000-02-29", now).map(BirthDate::to_text),
            Ok("2000-02-29".to_owned())
        );
        for bad in [
            "2026-11-23",
            "1800-01-01",
            "2001-02-29",
            "2000-2-29",
            "+2000-02-29",
            "29.02.2000",
        ] {
            assert!(BirthDate::parse(bad, now).is_err(), "{bad}");
        }
    }
}
