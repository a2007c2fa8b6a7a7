//! A program's rules, checked once. Two programs never share account numbers.

use shared::vault_api::governance::{EnrolmentPolicy, Program};

use super::bin_range::{BinRange, InvalidBin};
use super::pin::{LONGEST, Pin, SHORTEST};

/// Longest validity of a card, months.
const LONGEST_VALIDITY_MONTHS: u16 = 120;

/// Why rules are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProgram {
    /// Not 6 to 12 digits.
    #[error(transparent)]
    Bin(#[from] InvalidBin),
    /// Another program issues under these digits.
    #[error("the BIN overlaps with that of program {0}")]
    BinTaken(String),
    /// Outside 1 to 120.
    #[error("a card is valid for 1 to 120 months")]
    Validity,
    /// Outside 4 to 12, or the wrong way round.
    #[error("a PIN has 4 to 12 digits, and the fewest are not more than the most")]
    PinDigits,
    /// Less than an hour.
    #[error("a pending key matures after an hour at the earliest")]
    Maturing,
    /// A key of nobody.
    #[error("a key of the bureau needs a bureau")]
    BureauKey,
    /// A program's partner was to change.
    #[error("the partner of a program is fixed")]
    PartnerFixed,
}

/// Checked rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    program: Program,
    bin: BinRange,
}

impl Rules {
    /// Checks a program against itself and against its neighbours.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check<'a>(
        program: Program,
        others: impl Iterator<Item = &'a Self>,
    ) -> Result<Self, InvalidProgram> {
        let bin: BinRange = program.bin.parse()?;
        if !(1..=LONGEST_VALIDITY_MONTHS).contains(&program.validity_months) {
            return Err(InvalidProgram::Validity);
        }
        let (fewest, most) = (
            usize::from(program.pin_min_digits),
            usize::from(program.pin_max_digits),
        );
        if fewest < SHORTEST || most > LONGEST || fewest > most {
            return Err(InvalidProgram::PinDigits);
        }
        if matches!(program.enrolment, EnrolmentPolicy::MaturesAfter { hours: 0 }) {
            return Err(InvalidProgram::Maturing);
        }
        if program.bureau_key.is_some() && program.bureau.is_none() {
            return Err(InvalidProgram::BureauKey);
        }
        for other in others {
            if other.program.name == program.name {
                if other.program.partner != program.partner {
                    return Err(InvalidProgram::PartnerFixed);
                }
            } else if other.bin.overlaps(&bin) {
                return Err(InvalidProgram::BinTaken(other.program.name.to_string()));
            }
        }
        Ok(Self { program, bin })
    }

    /// The rules as they were approved.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The digits under which cards are issued.
    #[must_use]
    pub fn bin(&self) -> &BinRange {
        &self.bin
    }

    /// Whether the PIN's length is allowed here.
    #[must_use]
    pub fn permits_pin(&self, pin: &Pin) -> bool {
        let range = usize::from(self.program.pin_min_digits)..=usize::from(self.program.pin_max_digits);
        range.contains(&pin.length())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use shared::money::Currency;
    use shared::vault_api::governance::{Budgets, HolderProofPolicy};

    pub(crate) fn program(name: &str, bin: &str) -> Program {
        Program {
            name: name.parse().unwrap(),
            partner: "partner".to_owned(),
            processor: "processor".to_owned(),
            bureau: Some("bureau".to_owned()),
            bureau_key: None,
            currency: Currency::EUR,
            bin: bin.to_owned(),
            validity_months: 36,
            digital_first: true,
            renews_plastic: true,
            pin_min_digits: 4,
            pin_max_digits: 12,
            holder_proof: HolderProofPolicy::Required,
            enrolment: EnrolmentPolicy::MaturesAfter { hours: 24 },
            budgets: Budgets {
                emissions_per_card: 3,
                emissions_per_holder: 5,
                emissions_per_partner: 100,
                emissions_per_gateway: 100,
                issues_per_holder: 10,
                pin_sets_per_card: 2,
                enrolments_per_holder: 5,
                erasures_per_gateway: 10,
                emissions_per_bureau: 100,
                tokenise_per_holder: 10,
                tokenise_per_partner: 50,
                tokenise_per_gateway: 50,
            },
        }
    }

    #[test]
    fn two_programs_never_share_account_numbers() {
        let first = Rules::check(program("one", "999900"), [].iter()).unwrap();
        let taken = Rules::check(program("two", "99990055"), [first.clone()].iter());
        assert_eq!(taken, Err(InvalidProgram::BinTaken("one".to_owned())));
        assert!(Rules::check(program("two", "999901"), [first.clone()].iter()).is_ok());
        assert!(
            Rules::check(program("one", "999902"), [first].iter()).is_ok(),
            "its own range may change"
        );
    }

    #[test]
    fn the_partner_is_fixed() {
        let first = Rules::check(program("one", "999900"), [].iter()).unwrap();
        let mut moved = program("one", "999900");
        moved.partner = "other".to_owned();
        assert_eq!(
            Rules::check(moved, [first].iter()),
            Err(InvalidProgram::PartnerFixed)
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let mut bad = program("one", "999900");
        bad.pin_min_digits = 3;
        assert_eq!(Rules::check(bad, [].iter()), Err(InvalidProgram::PinDigits));
        let mut bad = program("one", "999900");
        bad.validity_months = 0;
        assert_eq!(Rules::check(bad, [].iter()), Err(InvalidProgram::Validity));
        let mut bad = program("one", "999900");
        bad.enrolment = EnrolmentPolicy::MaturesAfter { hours: 0 };
        assert_eq!(Rules::check(bad, [].iter()), Err(InvalidProgram::Maturing));
    }
}
