//! Counters of failed comparisons: the one that unlocking code 6 resets, and caps that only a proven act or two officers reset.

use serde::{Deserialize, Serialize};

/// Wrong PINs in a row before the vault stops comparing.
pub const PIN_TRIES: u8 = 3;
/// Wrong PINs within [`CAP_DAYS`], however often the short counter was reset; cleared by a proven PIN set or two
/// officers.
pub const PIN_FAILURE_CAP: u16 = 30;
/// Wrong CVVs within [`CAP_DAYS`]; cleared by a proven CVV reset or two officers.
pub const CVV_FAILURE_CAP: u16 = 30;
/// The window of the caps, days.
pub const CAP_DAYS: i64 = 30;

const SECONDS_PER_DAY: i64 = 86_400;

/// Failures since the beginning of a window of [`CAP_DAYS`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capped {
    since: i64,
    failures: u16,
}

impl Capped {
    /// Failures within the window that runs.
    #[must_use]
    pub fn count(self, now: i64) -> u16 {
        if now - self.since >= CAP_DAYS * SECONDS_PER_DAY {
            0
        } else {
            self.failures
        }
    }

    /// One more.
    pub fn fail(&mut self, now: i64) {
        let failures = self.count(now);
        if failures == 0 {
            self.since = now;
        }
        self.failures = failures.saturating_add(1);
    }
}

/// What went wrong on one card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    pin_in_a_row: u8,
    pin: Capped,
    cvv: Capped,
}

/// Whether a comparison may take place at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Compare.
    Compare,
    /// The counter that unlocking resets is used up.
    TriesExceeded,
    /// The 30-day cap is reached: answer "no match" without comparing.
    Capped,
}

impl Tries {
    /// May a PIN be compared?
    #[must_use]
    pub fn pin(&self, now: i64) -> Permit {
        if self.pin.count(now) >= PIN_FAILURE_CAP {
            Permit::Capped
        } else if self.pin_in_a_row >= PIN_TRIES {
            Permit::TriesExceeded
        } else {
            Permit::Compare
        }
    }

    /// May a CVV be compared?
    #[must_use]
    pub fn cvv(&self, now: i64) -> Permit {
        if self.cvv.count(now) >= CVV_FAILURE_CAP {
            Permit::Capped
        } else {
            Permit::Compare
        }
    }

    /// Wrong PINs that are still allowed in a row.
    #[must_use]
    pub fn pin_tries_left(&self) -> u8 {
        PIN_TRIES.saturating_sub(self.pin_in_a_row)
    }

    /// A PIN was compared.
    pub fn pin_compared(&mut self, matched: bool, now: i64) {
        if matched {
            self.pin_in_a_row = 0;
        } else {
            self.pin_in_a_row = self.pin_in_a_row.saturating_add(1);
            self.pin.fail(now);
        }
    }

    /// A CVV was compared.
    pub fn cvv_compared(&mut self, matched: bool, now: i64) {
        if !matched {
            self.cvv.fail(now);
        }
    }

    /// Lock code 6 was lifted: tries in a row begin again; the cap stays.
    pub fn pin_unlocked(&mut self) {
        self.pin_in_a_row = 0;
    }

    /// The holder proved themselves and set a PIN: both PIN counters begin again.
    pub fn pin_set_with_proof(&mut self) {
        self.pin_in_a_row = 0;
        self.pin = Capped::default();
    }

    /// The holder proved themselves and took a new CVV. An unproven reset does not come here.
    pub fn cvv_reset_with_proof(&mut self) {
        self.cvv = Capped::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn three_wrong_pins_end_the_comparing() {
        let mut tries = Tries::default();
        for left in [2, 1, 0] {
            assert_eq!(tries.pin(NOW), Permit::Compare);
            tries.pin_compared(false, NOW);
            assert_eq!(tries.pin_tries_left(), left);
        }
        assert_eq!(tries.pin(NOW), Permit::TriesExceeded);
        tries.pin_unlocked();
        assert_eq!(tries.pin(NOW), Permit::Compare);
    }

    #[test]
    fn unlocking_again_and_again_runs_into_the_cap() {
        let mut tries = Tries::default();
        for _ in 0..PIN_FAILURE_CAP {
            tries.pin_unlocked();
            assert_eq!(tries.pin(NOW), Permit::Compare);
            tries.pin_compared(false, NOW);
        }
        tries.pin_unlocked();
        assert_eq!(tries.pin(NOW), Permit::Capped);
        tries.pin_compared(true, NOW);
        assert_eq!(tries.pin(NOW), Permit::Capped, "a match does not clear the cap");
        assert_eq!(tries.pin(NOW + CAP_DAYS * SECONDS_PER_DAY), Permit::Compare);
        tries.pin_set_with_proof();
        assert_eq!(tries.pin(NOW), Permit::Compare);
    }

    #[test]
    fn a_thousand_cvvs_cannot_be_tried() {
        let mut tries = Tries::default();
        let compared = (0..1000).filter(|_| {
            tries.cvv(NOW) == Permit::Compare && {
                tries.cvv_compared(false, NOW);
                true
            }
        });
        assert_eq!(compared.count(), usize::from(CVV_FAILURE_CAP));
    }
}
