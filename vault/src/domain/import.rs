//! One row of an import: what it may say, and what is wrong with it. A row is judged before anything is looked up, so
//! that asking about numbers of other programs tells nothing of them.

use shared::expiry::Expiry;
use shared::ids::HolderToken;
use time::OffsetDateTime;

use super::cvv::Cvv;
use super::pan::{InvalidPan, Pan};
use super::pin::Pin;
use super::program::Rules;

/// Longest reference, characters.
const MOST_REFERENCE_CHARACTERS: usize = 64;
/// Card data scanners look for 13 to 19 digits in a row; the shortest number here has 12.
const MOST_REFERENCE_DIGITS: usize = 11;

/// A row as it stands in a file: text that is wiped with its buffer.
#[derive(Default)]
pub struct RowText<'a> {
    /// Digits without blanks.
    pub card_no: Option<&'a str>,
    /// The last day of the month.
    pub exp: Option<&'a str>,
    /// The verification code.
    pub cvv: Option<&'a str>,
    /// The PIN.
    pub pin: Option<&'a str>,
    /// The token of a holder that exists.
    pub holder: Option<&'a str>,
    /// Whatever the caller calls it.
    pub reference: Option<&'a str>,
    /// No object, an unknown member, one twice, or a value that is no plain text.
    pub malformed: bool,
}

/// A row that can be taken in.
pub struct ImportedCard {
    /// Its number, which lies in the program's range.
    pub pan: Pan,
    /// A month that is not over.
    pub exp: Expiry,
    /// Its code.
    pub cvv: Option<Cvv>,
    /// Its PIN, of a length that the program allows.
    pub pin: Option<Pin>,
    /// Whose it is to be; `None`: a new holder's.
    pub holder: Option<HolderToken>,
}

/// Why a row is not taken in. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RowRefusal {
    /// Not the members that a row has.
    #[error("the row is not {{cardNo, exp, cvv?, pin?, holder?, reference?}} of plain texts")]
    Malformed,
    /// Too long, not printable, or it might be a card number.
    #[error("a reference has 1 to 64 visible characters and no 12 digits in a row")]
    Reference,
    /// Not 12 to 19 digits.
    #[error("a card number has 12 to 19 digits")]
    Pan,
    /// The check digit.
    #[error("the card number's check digit is wrong")]
    Luhn,
    /// Not of this program's range, whoever's it is.
    #[error("the card number does not lie in the program's range")]
    Range,
    /// Not the last day of a month.
    #[error("an expiry is the last day of a month")]
    Expiry,
    /// The month is over.
    #[error("the card has expired")]
    Expired,
    /// Not three digits.
    #[error("a verification code has three digits")]
    Cvv,
    /// Not digits, or not as many as the program allows.
    #[error("the PIN is not of the program's length")]
    Pin,
    /// Not a token.
    #[error("the holder is not a holder token")]
    Holder,
}

impl RowRefusal {
    /// The code for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "ROW_MALFORMED",
            Self::Reference => "REFERENCE_INVALID",
            Self::Pan => "PAN_INVALID",
            Self::Luhn => "PAN_LUHN",
            Self::Range => "BIN_OF_ANOTHER_PROGRAM",
            Self::Expiry => "EXP_INVALID",
            Self::Expired => "EXPIRED",
            Self::Cvv => "CVV_INVALID",
            Self::Pin => "PIN_INVALID",
            Self::Holder => "HOLDER_INVALID",
        }
    }
}

impl RowText<'_> {
    /// The reference, if it is one that can be kept and repeated.
    ///
    /// # Errors
    /// [`RowRefusal::Reference`].
    pub fn reference(&self) -> Result<Option<String>, RowRefusal> {
        let Some(text) = self.reference else {
            return Ok(None);
        };
        let digits = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
        let fits = (1..=MOST_REFERENCE_CHARACTERS).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic())
            && digits.is_some_and(|run| run <= MOST_REFERENCE_DIGITS);
        if fits {
            Ok(Some(text.to_owned()))
        } else {
            Err(RowRefusal::Reference)
        }
    }

    /// Judges the row for a program.
    ///
    /// # Errors
    /// The first rule that is broken, in the order of [`RowRefusal`].
    pub fn judge(&self, rules: &Rules, now: OffsetDateTime) -> Result<ImportedCard, RowRefusal> {
        if self.malformed {
            return Err(RowRefusal::Malformed);
        }
        self.reference()?;
        let pan = judge_pan(self.card_no.unwrap_or_default().as_bytes(), rules)?;
        let exp: Expiry = self
            .exp
            .and_then(|text| text.parse().ok())
            .ok_or(RowRefusal::Expiry)?;
        if exp.is_past(now) {
            return Err(RowRefusal::Expired);
        }
        let cvv = self.cvv.map(|text| Cvv::parse(text.as_bytes())).transpose();
        let cvv = cvv.map_err(|_| RowRefusal::Cvv)?;
        let pin = self.pin.map(|text| Pin::parse(text.as_bytes())).transpose();
        let pin = pin.map_err(|_| RowRefusal::Pin)?;
        if pin.as_ref().is_some_and(|pin| !rules.permits_pin(pin)) {
            return Err(RowRefusal::Pin);
        }
        let holder = self.holder.map(str::parse).transpose();
        let holder = holder.map_err(|_| RowRefusal::Holder)?;
        Ok(ImportedCard {
            pan,
            exp,
            cvv,
            pin,
            holder,
        })
    }
}

/// A number that a partner brings for one of its programs: well-formed, and of that program's own range. Whether anybody
/// has it is another question, which may only be asked after this one.
///
/// # Errors
/// [`RowRefusal::Pan`], [`RowRefusal::Luhn`], [`RowRefusal::Range`].
pub fn judge_pan(ascii: &[u8], rules: &Rules) -> Result<Pan, RowRefusal> {
    let pan = Pan::parse(ascii).map_err(|error| match error {
        InvalidPan::Length | InvalidPan::NotDigits => RowRefusal::Pan,
        InvalidPan::CheckDigit => RowRefusal::Luhn,
    })?;
    if pan.as_bytes().starts_with(rules.bin().digits().as_bytes()) {
        Ok(pan)
    } else {
        Err(RowRefusal::Range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::program::tests::program;
    use time::macros::datetime;

    const NUMBER: &str = "9999000000000012";

    fn row() -> RowText<'static> {
        RowText {
            card_no: Some(NUMBER),
            exp: Some("2029-11-30"),
            ..RowText::default()
        }
    }

    fn judged(row: &RowText<'_>) -> Result<ImportedCard, RowRefusal> {
        let rules = Rules::check(program("demo-eur", "999900"), [].iter()).unwrap();
        row.judge(&rules, datetime!(2027-01-15 12:00 UTC))
    }

    fn refusal(change: impl FnOnce(&mut RowText<'static>)) -> RowRefusal {
        let mut row = row();
        change(&mut row);
        judged(&row).err().unwrap()
    }

    #[test]
    fn number_and_expiry_are_enough() {
        let card = judged(&row()).ok().unwrap();
        assert!(card.cvv.is_none() && card.pin.is_none() && card.holder.is_none());
        assert_eq!(card.pan.as_bytes(), NUMBER.as_bytes());
    }

    #[test]
    fn each_fault_has_its_own_code() {
        let faults = [
            (refusal(|row| row.malformed = true), "ROW_MALFORMED"),
            (refusal(|row| row.reference = Some("")), "REFERENCE_INVALID"),
            (refusal(|row| row.reference = Some(NUMBER)), "REFERENCE_INVALID"),
            (refusal(|row| row.card_no = None), "PAN_INVALID"),
            (
                refusal(|row| row.card_no = Some("9999 0000 0000 0012")),
                "PAN_INVALID",
            ),
            (refusal(|row| row.card_no = Some("9999000000000013")), "PAN_LUHN"),
            (
                refusal(|row| row.card_no = Some("9999010000000011")),
                "BIN_OF_ANOTHER_PROGRAM",
            ),
            (refusal(|row| row.exp = Some("2029-11-29")), "EXP_INVALID"),
            (refusal(|row| row.exp = None), "EXP_INVALID"),
            (refusal(|row| row.exp = Some("2026-12-31")), "EXPIRED"),
            (refusal(|row| row.cvv = Some("12")), "CVV_INVALID"),
            (refusal(|row| row.pin = Some("123")), "PIN_INVALID"),
            (refusal(|row| row.holder = Some("crd_x")), "HOLDER_INVALID"),
        ];
        for (found, code) in faults {
            assert_eq!(found.code(), code);
        }
    }
}
