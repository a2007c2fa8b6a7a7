//! Budgets: how much card data may leave per hour, however good the proofs are. A taken-over client or partner key is
//! bounded by them.
//!
//! What an operation costs is read off its audit event, and the events are durable before their answers. So the book
//! needs no records of its own: after a restart it is counted again from the last hour of the log.

use std::collections::HashMap;

use shared::ids::{CardToken, HolderToken};

/// Seconds of a budget's window.
pub const WINDOW_SECONDS: i64 = 3600;

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
    /// Comparisons asked for by one processor failed.
    ProcessorFailures(String),
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

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    since: i64,
    used: u32,
}

impl Window {
    fn is_over(self, now: i64) -> bool {
        // A clock that went backwards must not open a fresh window.
        now.saturating_sub(self.since) >= WINDOW_SECONDS
    }
}

/// All meters that moved within the last window.
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
            let window = self
                .windows
                .get(&charge.meter)
                .copied()
                .unwrap_or(Window { since: now, used: 0 });
            if !window.is_over(now) && window.used >= charge.limit {
                let left = WINDOW_SECONDS
                    .saturating_sub(now.saturating_sub(window.since))
                    .max(1);
                let retry_after_seconds = u32::try_from(left).unwrap_or(u32::MAX);
                return Err(Exhausted {
                    meter: charge.meter.clone(),
                    retry_after_seconds,
                });
            }
        }
        Ok(())
    }

    /// Counts what happened at `now`.
    pub fn count(&mut self, charges: impl IntoIterator<Item = Charge>, now: i64) {
        self.sweep(now);
        for charge in charges {
            let window = self
                .windows
                .entry(charge.meter)
                .or_insert(Window { since: now, used: 0 });
            if window.is_over(now) {
                *window = Window { since: now, used: 0 };
            }
            window.used = window.used.saturating_add(1);
        }
    }

    /// Forgets meters that did not move for a window, once a window.
    fn sweep(&mut self, now: i64) {
        if now.saturating_sub(self.swept_at) >= WINDOW_SECONDS {
            self.swept_at = now;
            self.windows.retain(|_, window| !window.is_over(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn charge(limit: u32) -> Charge {
        Charge {
            meter: Meter::PartnerEmissions("partner".to_owned()),
            limit,
        }
    }

    #[test]
    fn a_budget_ends_and_begins_again_after_its_hour() {
        let mut book = Book::default();
        for _ in 0..3 {
            book.permits(&[charge(3)], NOW).unwrap();
            book.count([charge(3)], NOW);
        }
        let exhausted = book.permits(&[charge(3)], NOW + 600).unwrap_err();
        assert_eq!(exhausted.retry_after_seconds, 3000);
        assert!(book.permits(&[charge(3)], NOW + 3600).is_ok());
    }

    #[test]
    fn a_clock_that_goes_back_opens_no_fresh_window() {
        let mut book = Book::default();
        book.count([charge(1)], NOW);
        assert!(book.permits(&[charge(1)], NOW - 90_000).is_err());
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
}
