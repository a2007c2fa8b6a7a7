//! When the vault cannot be reached, callers learn it at once instead of each waiting for a time-out of its own.
//!
//! After [`FAILURES_TO_OPEN`] calls in a row without an answer the circuit is open for [`OPEN_FOR`]; then one call at a
//! time is let through until one succeeds.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Calls without an answer, one after the other, that open the circuit.
const FAILURES_TO_OPEN: u32 = 5;
/// How long an open circuit refuses, and how long a probe has before the next one may try.
const OPEN_FOR: Duration = Duration::from_secs(1);

/// Counts calls without an answer. Time is an argument, so that tests need not wait.
#[derive(Debug, Default)]
pub(super) struct Circuit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    refuse_until: Option<Instant>,
}

impl Circuit {
    /// Whether a call may be tried now. In a half-open circuit the caller that is told yes is the probe; should it be
    /// cancelled, the next one is let through [`OPEN_FOR`] later.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut state = self.state();
        if state.failures < FAILURES_TO_OPEN {
            return true;
        }
        if state.refuse_until.is_some_and(|until| now < until) {
            return false;
        }
        state.refuse_until = Some(now + OPEN_FOR);
        true
    }

    /// The vault answered, whatever it said.
    pub(super) fn answered(&self) {
        *self.state() = State::default();
    }

    /// No answer came.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_TO_OPEN {
            state.refuse_until = Some(now + OPEN_FOR);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Circuit {
        let circuit = Circuit::default();
        for _ in 0..FAILURES_TO_OPEN {
            assert!(circuit.admits(now));
            circuit.failed(now);
        }
        circuit
    }

    #[test]
    fn the_fifth_failure_in_a_row_opens_the_circuit_for_a_second() {
        let now = Instant::now();
        let circuit = opened(now);
        assert!(!circuit.admits(now));
        assert!(!circuit.admits(now + OPEN_FOR - Duration::from_millis(1)));
        assert!(circuit.admits(now + OPEN_FOR));
    }

    #[test]
    fn a_half_open_circuit_lets_one_probe_through() {
        let now = Instant::now();
        let circuit = opened(now);
        let later = now + OPEN_FOR;
        assert!(circuit.admits(later), "the probe");
        assert!(!circuit.admits(later), "nobody beside it");
        circuit.failed(later);
        assert!(!circuit.admits(later + OPEN_FOR / 2));
        assert!(circuit.admits(later + OPEN_FOR), "the next probe");
        circuit.answered();
        assert!(circuit.admits(later + OPEN_FOR));
        assert!(circuit.admits(later + OPEN_FOR));
    }

    #[test]
    fn an_answer_in_between_starts_the_count_anew() {
        let now = Instant::now();
        let circuit = Circuit::default();
        for _ in 0..10 {
            for _ in 1..FAILURES_TO_OPEN {
                circuit.failed(now);
            }
            circuit.answered();
        }
        assert!(circuit.admits(now));
    }
}
