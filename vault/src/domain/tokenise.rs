//! A card that a partner brings in: what it may say of itself, and whose number it may be. Everything here is judged before
//! anything is looked up, so that asking about numbers of other programs tells nothing of them.

use shared::expiry::Expiry;
use time::OffsetDateTime;

use super::cvv::Cvv;
use super::import::{RowRefusal, judge_pan};
use super::pan::Pan;
use super::program::Rules;

/// Digits of a code that is printed on a card; some issuers print four.
const CODE_DIGITS: std::ops::RangeInclusive<usize> = 3..=4;

/// A card as it stands in an opened payload: text that is wiped with its buffer.
pub struct BroughtText<'a> {
    /// Digits without blanks.
    pub card_no: &'a str,
    /// The last day of the month.
    pub exp: &'a str,
    /// The verification code.
    pub cvv: Option<&'a str>,
}

/// A card that may be looked up.
pub struct Brought {
    /// Its number.
    pub pan: Pan,
    /// A month that is not over.
    pub exp: Expiry,
    /// Its code, if its issuer is here. Whoever does not issue a card must not keep its code (PCI DSS 3.3.1.2).
    pub cvv: Option<Cvv>,
    /// Who gave out the number.
    pub issuer: Issuer,
}

/// Who gave out a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuer {
    /// The holder's program: the number lies in its range.
    Program,
    /// Somebody else: the number lies in no program's range.
    Foreign,
}

/// Why a card is not brought in. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BroughtRefusal {
    /// A member is malformed or over.
    #[error(transparent)]
    Member(RowRefusal),
    /// Of the range of another program, whoever's that is.
    #[error("the number lies in the range of another program")]
    OtherProgram,
}

impl From<RowRefusal> for BroughtRefusal {
    fn from(refusal: RowRefusal) -> Self {
        Self::Member(refusal)
    }
}

impl BroughtText<'_> {
    /// Judges the card for a holder of the program `rules`; `programs` are all programs of the vault.
    ///
    /// # Errors
    /// The first rule that is broken: number, expiry, code, range.
    pub fn judge<'a>(
        &self,
        rules: &Rules,
        mut programs: impl Iterator<Item = &'a Rules>,
        now: OffsetDateTime,
    ) -> Result<Brought, BroughtRefusal> {
        let own = match judge_pan(self.card_no.as_bytes(), rules) {
            Ok(pan) => Some(pan),
            Err(RowRefusal::Range) => None,
            Err(refusal) => return Err(refusal.into()),
        };
        let exp: Expiry = self.exp.parse().map_err(|_| RowRefusal::Expiry)?;
        if exp.is_past(now) {
            return Err(RowRefusal::Expired.into());
        }
        if let Some(pan) = own {
            let cvv = self.cvv.map(|text| Cvv::parse(text.as_bytes())).transpose();
            return Ok(Brought {
                pan,
                exp,
                cvv: cvv.map_err(|_| RowRefusal::Cvv)?,
                issuer: Issuer::Program,
            });
        }
        if !self.cvv.is_none_or(is_code) {
            return Err(RowRefusal::Cvv.into());
        }
        let of_a_program = |program: &Rules| self.card_no.starts_with(program.bin().digits());
        if programs.any(of_a_program) {
            return Err(BroughtRefusal::OtherProgram);
        }
        Ok(Brought {
            pan: Pan::parse(self.card_no.as_bytes()).map_err(|_| RowRefusal::Pan)?,
            exp,
            cvv: None,
            issuer: Issuer::Foreign,
        })
    }
}

fn is_code(text: &str) -> bool {
    CODE_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::program::tests::program;
    use time::macros::datetime;

    const OWN: &str = "9999000000000012";
    /// Of the range 999901.
    const OTHERS: &str = "9999010000000011";
    /// Of no range.
    const FOREIGN: &str = "9999990000000014";

    fn judged(text: &BroughtText<'_>) -> Result<Brought, BroughtRefusal> {
        let own = Rules::check(program("demo-eur", "999900"), [].iter()).unwrap();
        let mut other = program("other", "999901");
        other.partner = "somebody".to_owned();
        let other = Rules::check(other, [own.clone()].iter()).unwrap();
        text.judge(&own, [&own, &other].into_iter(), datetime!(2027-01-15 12:00 UTC))
    }

    fn text<'a>(card_no: &'a str, exp: &'a str, cvv: Option<&'a str>) -> BroughtText<'a> {
        BroughtText { card_no, exp, cvv }
    }

    #[test]
    fn a_number_is_the_programs_or_foreign_and_never_another_programs() {
        let own = judged(&text(OWN, "2029-11-30", Some("123"))).ok().unwrap();
        assert_eq!((own.issuer, own.cvv.is_some()), (Issuer::Program, true));
        let foreign = judged(&text(FOREIGN, "2029-11-30", None)).ok().unwrap();
        assert_eq!(foreign.issuer, Issuer::Foreign);
        assert_eq!(foreign.pan.as_bytes(), FOREIGN.as_bytes());
        assert_eq!(
            judged(&text(OTHERS, "2029-11-30", None)).err(),
            Some(BroughtRefusal::OtherProgram)
        );
    }

    #[test]
    fn a_code_is_kept_only_where_its_issuer_is() {
        for code in ["123", "1234"] {
            let foreign = judged(&text(FOREIGN, "2029-11-30", Some(code))).ok().unwrap();
            assert!(foreign.cvv.is_none(), "{code}");
        }
        assert!(judged(&text(OWN, "2029-11-30", None)).ok().unwrap().cvv.is_none());
    }

    #[test]
    fn each_fault_has_its_own_code() {
        for (card, code) in [
            (text("9999 0000 0000 0012", "2029-11-30", None), "PAN_INVALID"),
            (text("99990000001", "2029-11-30", None), "PAN_INVALID"),
            (text("99990000000000000001", "2029-11-30", None), "PAN_INVALID"),
            (text("9999000000000013", "2029-11-30", None), "PAN_LUHN"),
            (text("9999990000000013", "2029-11-30", None), "PAN_LUHN"),
            (text(OWN, "2029-11-29", None), "EXP_INVALID"),
            (text(OWN, "11/29", None), "EXP_INVALID"),
            (text(FOREIGN, "2026-12-31", None), "EXPIRED"),
            (text(OWN, "2029-11-30", Some("12")), "CVV_INVALID"),
            (text(OWN, "2029-11-30", Some("1234")), "CVV_INVALID"),
            (text(FOREIGN, "2029-11-30", Some("12345")), "CVV_INVALID"),
            (text(FOREIGN, "2029-11-30", Some("12a")), "CVV_INVALID"),
            // What is malformed is told before whose it is.
            (text(OTHERS, "2029-11-29", None), "EXP_INVALID"),
        ] {
            match judged(&card).err() {
                Some(BroughtRefusal::Member(refusal)) => assert_eq!(refusal.code(), code),
                other => panic!("{code}: {other:?}"),
            }
        }
    }
}
