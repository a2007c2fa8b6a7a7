//! Budgets: how much card data may leave per hour, however good the proofs are. A taken-over client or partner key is
//! bounded by them.
//!
//! The hour slides: whichever hour one looks at, no more than the budget lies in it. Units are counted by the minute, and
//! a minute counts until a whole hour has passed since its end; so a unit comes back after an hour and at most a minute.
//!
//! What an operation costs is read off its audit event, and the events are durable before their answers. So the book
//! needs no records of its own: after a restart it is counted again from the last hour of the log.

use std::collections::{HashMap, VecDeque};

use shared::ids::{CardToken, HolderToken, ProgramName};

/// Seconds of a budget's window.
const WINDOW_SECONDS: i64 = 3600;
/// Seconds that are counted as one.
const SLOT_SECONDS: i64 = 60;
/// Seconds after which a unit is certain to count no more: how far back the log is read after a restart.
pub const COUNTED_SECONDS: i64 = WINDOW_SECONDS + SLOT_SECONDS;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Meter {
    /// Card data of one card left the vault.
    CardEmissions(CardToken),
    /// Card data of one holder left the vault.
    HolderEmissions(HolderToken),
    /// Card data of one partner's cards left the vault.
    PartnerEmissions(String),
    /// Card data left through one gateway.
    GatewayEmissions(String),
    /// Cards were issued to one holder.
    HolderIssues(HolderToken),
    /// The PIN of one card was set.
    CardPinSets(CardToken),
    /// Keys of one holder were enrolled.
    HolderEnrolments(HolderToken),
    /// Cards were erased through one gateway.
    GatewayErasures(String),
    /// Cards of one program were given to its bureau.
    BureauEmissions(ProgramName),
    /// Numbers were brought in for one holder.
    HolderTokenise(HolderToken),
    /// Numbers were brought in by one partner.
    PartnerTokenise(String),
    /// Numbers were brought in through one gateway.
    GatewayTokenise(String),
    /// Comparisons asked for by one processor failed.
    ProcessorFailures(String),
}

impl Meter {
    /// What is counted, without whose it is.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CardEmissions(_) => "card-emissions",
            Self::HolderEmissions(_) => "holder-emissions",
            Self::PartnerEmissions(_) => "partner-emissions",
            Self::GatewayEmissions(_) => "gateway-emissions",
            Self::HolderIssues(_) => "holder-issues",
            Self::CardPinSets(_) => "card-pin-sets",
            Self::HolderEnrolments(_) => "holder-enrolments",
            Self::GatewayErasures(_) => "gateway-erasures",
            Self::BureauEmissions(_) => "bureau-emissions",
            Self::HolderTokenise(_) => "holder-tokenise",
            Self::PartnerTokenise(_) => "partner-tokenise",
            Self::GatewayTokenise(_) => "gateway-tokenise",
            Self::ProcessorFailures(_) => "processor-failures",
        }
    }
}

/// One unit on a meter, and the meter's limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The meter.
    pub meter: Meter,
    /// Units per window.
    pub limit: u32,
}

/// A budget is used up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an hourly budget is used up")]
pub struct Exhausted {
    /// The meter.
    pub meter: Meter,
    /// When the window ends.
    pub retry_after_seconds: u32,
}

/// The units of one minute.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The minute's first second.
    since: i64,
    used: u32,
}

impl Slot {
    /// When the slot counts no more. A clock that goes back frees nothing early.
    const fn ends(self) -> i64 {
        self.since.saturating_add(COUNTED_SECONDS)
    }
}

/// The minutes of the last hour in which a meter moved, oldest first: at most 62 of them.
#[derive(Debug, Clone, Default)]
struct Window {
    slots: VecDeque<Slot>,
}

impl Window {
    fn used(&self, now: i64) -> u32 {
        let counting = self.slots.iter().filter(|slot| slot.ends() > now);
        counting.fold(0, |sum, slot| sum.saturating_add(slot.used))
    }

    /// Seconds until fewer than `limit` units count; `None` for a limit of 0.
    fn free_in(&self, limit: u32, now: i64) -> Option<i64> {
        let mut left = self.used(now);
        for slot in self.slots.iter().filter(|slot| slot.ends() > now) {
            left = left.saturating_sub(slot.used);
            if left < limit {
                return Some(slot.ends().saturating_sub(now));
            }
        }
        None
    }

    fn count(&mut self, now: i64) {
        while self.slots.front().is_some_and(|slot| slot.ends() <= now) {
            self.slots.pop_front();
        }
        let since = now.saturating_sub(now.rem_euclid(SLOT_SECONDS));
        match self.slots.back_mut() {
            // Also what a clock that went back says is earlier: slots stay in order, and none is dated back.
            Some(last) if last.since >= since => last.used = last.used.saturating_add(1),
            _ => self.slots.push_back(Slot { since, used: 1 }),
        }
    }
}

/// All meters that moved within the last hour.
#[derive(Debug, Clone, Default)]
pub struct Book {
    windows: HashMap<Meter, Window>,
    swept_at: i64,
}

impl Book {
    /// Whether every charge fits.
    ///
    /// # Errors
    /// The first meter that is used up.
    pub fn permits(&self, charges: &[Charge], now: i64) -> Result<(), Exhausted> {
        for charge in charges {
            let window = self.windows.get(&charge.meter);
            if window.map_or(0, |window| window.used(now)) >= charge.limit {
                let free_in = window.and_then(|window| window.free_in(charge.limit, now));
                let seconds = free_in.unwrap_or(WINDOW_SECONDS).max(1);
                return Err(Exhausted {
                    meter: charge.meter.clone(),
                    retry_after_seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
                });
            }
        }
        Ok(())
    }

    /// Counts what happened at `now`.
    pub fn count(&mut self, charges: impl IntoIterator<Item = Charge>, now: i64) {
        self.sweep(now);
        for charge in charges {
            self.windows.entry(charge.meter).or_default().count(now);
        }
    }

    /// Forgets meters that did not move for an hour, once an hour.
    fn sweep(&mut self, now: i64) {
        if now.saturating_sub(self.swept_at) >= WINDOW_SECONDS {
            self.swept_at = now;
            self.windows.retain(|_, window| window.used(now) > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A whole minute.
    const NOW: i64 = 1_800_000_000;

    fn charge(limit: u32) -> Charge {
        Charge {
            meter: Meter::PartnerEmissions("partner".to_owned()),
            limit,
        }
    }

    #[test]
    fn a_budget_ends_and_its_units_come_back_after_their_hour() {
        let mut book = Book::default();
        for second in [0, 30, 600] {
            book.permits(&[charge(3)], NOW + second).unwrap();
            book.count([charge(3)], NOW + second);
        }
        let exhausted = book.permits(&[charge(3)], NOW + 600).unwrap_err();
        assert_eq!(exhausted.retry_after_seconds, 3060);
        assert!(book.permits(&[charge(3)], NOW + 3659).is_err());
        for second in [3660, 3661] {
            book.permits(&[charge(3)], NOW + second).unwrap();
            book.count([charge(3)], NOW + second);
        }
        // The third unit is of the eleventh minute.
        let exhausted = book.permits(&[charge(3)], NOW + 3662).unwrap_err();
        assert_eq!(exhausted.retry_after_seconds, 600 + 3660 - 3662);
    }

    #[test]
    fn around_the_border_of_two_hours_no_more_passes_than_within_one() {
        let mut book = Book::default();
        // All of the budget at the end of the first hour.
        for _ in 0..100 {
            book.permits(&[charge(100)], NOW + 3599).unwrap();
            book.count([charge(100)], NOW + 3599);
        }
        assert!(book.permits(&[charge(100)], NOW + 3600).is_err());
        assert!(book.permits(&[charge(100)], NOW + 3599 + 3600).is_err());
        assert!(book.permits(&[charge(100)], NOW + 3600 + 3600).is_ok());
    }

    #[test]
    fn a_clock_that_goes_back_opens_no_fresh_window() {
        let mut book = Book::default();
        book.count([charge(2)], NOW);
        book.count([charge(2)], NOW - 90_000);
        assert!(book.permits(&[charge(2)], NOW - 90_000).is_err());
        assert!(book.permits(&[charge(2)], NOW + 3659).is_err());
        assert!(book.permits(&[charge(2)], NOW + 3660).is_ok());
    }

    #[test]
    fn a_budget_of_nothing_permits_nothing() {
        let book = Book::default();
        assert_eq!(
            book.permits(&[charge(0)], NOW).unwrap_err().retry_after_seconds,
            3600
        );
    }

    #[test]
    fn meters_that_stand_still_are_forgotten() {
        let mut book = Book::default();
        book.count([charge(1)], NOW);
        book.count([], NOW + 2 * WINDOW_SECONDS);
        assert!(book.windows.is_empty());
    }

    #[test]
    fn one_full_meter_stops_all_charges() {
        let mut book = Book::default();
        book.count([charge(1)], NOW);
        let other = Charge {
            meter: Meter::ProcessorFailures("p".to_owned()),
            limit: 5,
        };
        assert!(book.permits(&[other, charge(1)], NOW).is_err());
    }

    proptest! {
        /// Whatever the rhythm: in no hour more than the budget, and who waits as told is let through.
        #[test]
        fn no_hour_holds_more_than_its_budget(limit in 1..12u32, pauses in prop::collection::vec(0..900i64, 1..200)) {
            let (mut book, mut now, mut passed) = (Book::default(), NOW + 17, Vec::new());
            for pause in pauses {
                now += pause;
                match book.permits(&[charge(limit)], now) {
                    Ok(()) => {
                        book.count([charge(limit)], now);
                        passed.push(now);
                    }
                    Err(exhausted) => {
                        let then = now + i64::from(exhausted.retry_after_seconds);
                        prop_assert!(book.permits(&[charge(limit)], then).is_ok());
                        prop_assert!(book.permits(&[charge(limit)], then - 1).is_err());
                    }
                }
            }
            for start in &passed {
                let within = passed.iter().filter(|at| (*start..start + WINDOW_SECONDS).contains(at)).count();
                prop_assert!(within <= limit as usize);
            }
            prop_assert!(book.windows.values().all(|window| window.slots.len() <= 62));
        }
    }
}
