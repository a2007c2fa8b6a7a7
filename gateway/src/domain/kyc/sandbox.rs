//! Who is accepted where nobody decides: fixed rules on the data, so that whoever tries the API out foresees the outcome.
//!
//! In this order: a last name that begins with `WAIT` is never decided; with `REJECT`, `DATA_MISMATCH`; with `BLUR`,
//! `DOCUMENT_UNREADABLE`; with `FRAUD`, `SUSPECTED_FRAUD`; somebody under 18 years, `UNDERAGE`; a citizen or an inhabitant
//! of a country on the list below, `SANCTIONED`; everybody else is accepted.

use time::{Date, OffsetDateTime};

use super::reason::RejectionReason;

/// Years of age from which somebody is accepted.
const OF_AGE: i32 = 18;
/// Countries whose people a sandbox turns away: an example, not a list of sanctions.
const TURNED_AWAY: [&str; 4] = ["CU", "IR", "KP", "SY"];

/// What the rules look at.
pub struct SandboxView<'a> {
    /// Family name.
    pub last_name: &'a str,
    /// Day of birth.
    pub date_of_birth: Date,
    /// Citizenship, two letters.
    pub nationality: &'a str,
    /// Where the person lives, two letters.
    pub country: Option<&'a str>,
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxOutcome {
    /// Nothing.
    Waits,
    /// Accepted.
    Accepted,
    /// Rejected.
    Rejected(RejectionReason),
}

/// Applies the rules.
#[must_use]
pub fn sandbox_outcome(view: &SandboxView<'_>, now: OffsetDateTime) -> SandboxOutcome {
    let name = view.last_name.to_uppercase();
    let named = [
        ("WAIT", SandboxOutcome::Waits),
        ("REJECT", SandboxOutcome::Rejected(RejectionReason::DataMismatch)),
        (
            "BLUR",
            SandboxOutcome::Rejected(RejectionReason::DocumentUnreadable),
        ),
        ("FRAUD", SandboxOutcome::Rejected(RejectionReason::SuspectedFraud)),
    ];
    if let Some((_, outcome)) = named
        .into_iter()
        .find(|(beginning, _)| name.starts_with(beginning))
    {
        return outcome;
    }
    if age(view.date_of_birth, now.date()) < OF_AGE {
        return SandboxOutcome::Rejected(RejectionReason::Underage);
    }
    let turned_away = |country: &str| TURNED_AWAY.contains(&country);
    if turned_away(view.nationality) || view.country.is_some_and(turned_away) {
        return SandboxOutcome::Rejected(RejectionReason::Sanctioned);
    }
    SandboxOutcome::Accepted
}

/// Years that are full; who was born on 29 February has their day on 1 March where there is none.
fn age(born: Date, today: Date) -> i32 {
    let had_the_day = (today.month() as u8, today.day()) >= (born.month() as u8, born.day());
    today.year() - born.year() - i32::from(!had_the_day)
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn the_rules_are_what_they_say() {
        use RejectionReason as R;
        use SandboxOutcome::{Accepted, Rejected, Waits};
        let grown = date!(1990 - 12 - 10);
        for (last_name, born, nationality, country, outcome) in [
            ("Example", grown, "PL", Some("PL"), Accepted),
            ("Example", grown, "PL", None, Accepted),
            ("Waiting", grown, "PL", None, Waits),
            ("REJECT-ME", grown, "PL", None, Rejected(R::DataMismatch)),
            ("blurred", grown, "PL", None, Rejected(R::DocumentUnreadable)),
            ("Fraudster", grown, "PL", None, Rejected(R::SuspectedFraud)),
            (
                "Example",
                date!(2008 - 11 - 24),
                "PL",
                None,
                Rejected(R::Underage),
            ),
            ("Example", date!(2008 - 11 - 23), "PL", None, Accepted),
            ("Example", grown, "KP", None, Rejected(R::Sanctioned)),
            ("Example", grown, "PL", Some("SY"), Rejected(R::Sanctioned)),
        ] {
            let view = SandboxView {
                last_name,
                date_of_birth: born,
                nationality,
                country,
            };
            assert_eq!(
                sandbox_outcome(&view, datetime!(2026-11-23 12:00 UTC)),
                outcome,
                "{last_name} {born} {nationality} {country:?}"
            );
        }
    }
}
