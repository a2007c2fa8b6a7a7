//! Limits come before the audit log: refusals are written down one by one up to a rate per caller, and beyond it as one
//! counted event a minute, so that nobody fills the disk by being refused.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use shared::mtls::identity::Identity;

/// Refusals per caller and second that are written down one by one: far more than any honest caller causes.
const PER_SECOND: NonZeroU32 = match NonZeroU32::new(50) {
    Some(rate) => rate,
    None => NonZeroU32::MIN,
};

/// Which refusals are written down.
pub struct Refusals {
    rate: DefaultKeyedRateLimiter<String>,
    excess: AtomicU64,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            rate: RateLimiter::keyed(Quota::per_second(PER_SECOND)),
            excess: AtomicU64::new(0),
        }
    }
}

impl Refusals {
    /// Whether this refusal of `caller` is written down by itself; counts it if not. Callers are as many as there are
    /// certificates, so the table stays small.
    #[must_use]
    pub fn is_written_down(&self, caller: Option<&Identity>) -> bool {
        let key = caller.map(ToString::to_string).unwrap_or_default();
        let within = self.rate.check_key(&key).is_ok();
        if !within {
            self.excess.fetch_add(1, Ordering::Relaxed);
        }
        within
    }

    /// How many were not written down since this was last asked.
    pub fn take_excess(&self) -> u64 {
        self.excess.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_no_other_caller_suffers() {
        let refusals = Refusals::default();
        let written = (0..1000)
            .filter(|_| refusals.is_written_down(Some(&Identity::Gateway)))
            .count();
        assert!(written < 200, "{written}");
        assert_eq!(refusals.take_excess(), 1000 - written as u64);
        assert_eq!(refusals.take_excess(), 0);
        let officer: Identity = "spiffe://tessera/officer/one".parse().unwrap();
        assert!(refusals.is_written_down(Some(&officer)));
    }
}
