//! A card's expiry: a month, written on the wire as its last day (`"2026-01-31"`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::{Date, Month, OffsetDateTime};

use crate::ids::InvalidId;

/// The last month in which a card is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expiry {
    year: i32,
    month: u8,
}

impl Expiry {
    /// The month that is `months` after the one of `from`.
    #[must_use]
    pub fn months_after(from: OffsetDateTime, months: u16) -> Self {
        let index = from.year() * 12 + i32::from(u8::from(from.month())) - 1 + i32::from(months);
        Self {
            year: index.div_euclid(12),
            month: u8::try_from(index.rem_euclid(12) + 1).unwrap_or(12),
        }
    }

    /// The month that is so many months later.
    #[must_use]
    pub fn plus_months(self, months: u16) -> Self {
        let index = self.year * 12 + i32::from(self.month) - 1 + i32::from(months);
        Self {
            year: index.div_euclid(12),
            month: u8::try_from(index.rem_euclid(12) + 1).unwrap_or(12),
        }
    }

    /// The last day of the month.
    #[must_use]
    pub fn last_day(self) -> Option<Date> {
        let month = Month::try_from(self.month).ok()?;
        Date::from_calendar_date(self.year, month, month.length(self.year)).ok()
    }

    /// Whether the card's last day lies before `now`.
    #[must_use]
    pub fn is_past(self, now: OffsetDateTime) -> bool {
        self.last_day().is_none_or(|day| now.date() > day)
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = Month::try_from(self.month).map_or(30, |month| month.length(self.year));
        write!(f, "{:04}-{:02}-{last:02}", self.year, self.month)
    }
}

impl FromStr for Expiry {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId("expiry date: the last day of a month, YYYY-MM-DD");
        let well_formed = text.len() == 10
            && text.bytes().enumerate().all(|(i, b)| {
                if i == 4 || i == 7 {
                    b == b'-'
                } else {
                    b.is_ascii_digit()
                }
            });
        if !well_formed {
            return Err(invalid);
        }
        let number =
            |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<u16>().ok());
        let (Some(year), Some(month)) = (number(0..4), number(5..7)) else {
            return Err(invalid);
        };
        let month = u8::try_from(month)
            .ok()
            .filter(|month| (1..=12).contains(month))
            .ok_or(invalid)?;
        let expiry = Self {
            year: i32::from(year),
            month,
        };
        if expiry.to_string() == text {
            Ok(expiry)
        } else {
            Err(invalid)
        }
    }
}

impl TryFrom<String> for Expiry {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Expiry> for String {
    fn from(expiry: Expiry) -> Self {
        expiry.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_last_day_of_the_month_is_written() {
        let expiry = Expiry::months_after(datetime!(2026-11-23 12:00 UTC), 36);
        assert_eq!(expiry.to_string(), "2029-11-30");
        assert_eq!(
            Expiry::months_after(datetime!(2027-12-05 0:00 UTC), 2).to_string(),
            "2028-02-29"
        );
    }

    #[test]
    fn months_are_added_over_the_turn_of_a_year() {
        let expiry: Expiry = "2029-11-30".parse().unwrap();
        for (months, end) in [
            (0, "2029-11-30"),
            (1, "2029-12-31"),
            (3, "2030-02-28"),
            (36, "2032-11-30"),
        ] {
            assert_eq!(expiry.plus_months(months).to_string(), end);
        }
    }

    #[test]
    fn a_card_is_valid_through_its_last_day() {
        let expiry: Expiry = "2026-01-31".parse().unwrap();
        assert!(!expiry.is_past(datetime!(2026-01-31 23:59:59 UTC)));
        assert!(expiry.is_past(datetime!(2026-02-01 0:00 UTC)));
    }

    #[test]
    fn another_day_is_refused() {
        for bad in [
            "2026-01-30",
            "2026-13-31",
            "2026-1-31",
            "26-01-31",
            "2026-02-29",
            "2026/01/31",
            "+026-01-31",
        ] {
            assert!(bad.parse::<Expiry>().is_err(), "{bad}");
        }
    }
}
