//! How often somebody may ask, by governor (GCRA): keyed by address, user and installation. The table of keys is swept
//! and bounded, so that a stranger with many addresses fills no memory; nor does he shut others out by filling it.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::config::Limits;
use crate::domain::installation::InstallationId;
use crate::domain::user::UserId;
use crate::error::Error;

/// Most keys of one limit. Beyond that, idle keys are dropped; while all are busy, keys are counted by bucket.
const KEYS_MAX: usize = 100_000;
/// Buckets that keys share then, by a hash that nobody outside can foretell.
const BUCKETS: u64 = 1 << 16;
/// A full table is searched for idle keys no more often than this.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// One limit.
pub struct Rate<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    buckets: DefaultKeyedRateLimiter<u64>,
    hasher: RandomState,
    swept: Mutex<Option<Instant>>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    fn new(times: u32, per: Duration) -> Self {
        let burst = NonZeroU32::new(times).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(per / burst.get())
            .unwrap_or_else(|| Quota::per_second(burst))
            .allow_burst(burst);
        Self {
            limiter: DefaultKeyedRateLimiter::keyed(quota),
            buckets: DefaultKeyedRateLimiter::keyed(quota),
            hasher: RandomState::new(),
            swept: Mutex::new(None),
            clock: DefaultClock::default(),
        }
    }

    /// Counts one.
    ///
    /// # Errors
    /// 429 with the seconds after which one more is allowed.
    pub fn check(&self, key: &K) -> Result<(), Error> {
        let counted = if self.is_full() {
            let bucket = self.hasher.hash_one(key) % BUCKETS;
            self.buckets.check_key(&bucket)
        } else {
            self.limiter.check_key(key)
        };
        counted.map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            Error::too_many(
                u32::try_from(wait.as_secs())
                    .unwrap_or(u32::MAX)
                    .saturating_add(1),
            )
        })
    }

    /// Whether there is no room for another key, idle ones dropped.
    fn is_full(&self) -> bool {
        if self.limiter.len() < KEYS_MAX {
            return false;
        }
        if self.is_time_to_sweep(Instant::now()) {
            self.sweep();
        }
        self.limiter.len() >= KEYS_MAX
    }

    fn is_time_to_sweep(&self, now: Instant) -> bool {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let due = swept.is_none_or(|last| now.duration_since(last) >= SWEEP_EVERY);
        if due {
            *swept = Some(now);
        }
        due
    }

    /// Drops the keys of those who have not asked for so long that nothing is held against them.
    pub fn sweep(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
    }
}

/// Logins, by installation. Flows count them, once the device has proved itself: a stranger who knows a number locks nobody out.
#[must_use]
pub fn installation_logins(limits: &Limits) -> Rate<InstallationId> {
    Rate::new(limits.logins_per_minute_per_installation, MINUTE)
}

/// Documents of KYC applications, by the user whose they are.
#[must_use]
pub fn document_uploads(per_hour: u32) -> Rate<UserId> {
    Rate::new(per_hour, HOUR)
}

/// The limits that doors count.
pub struct Rates {
    /// Attempts to pair, by address.
    pub pairings: Rate<IpAddr>,
    /// Logins and login challenges, by address.
    pub logins: Rate<IpAddr>,
    /// Holder and card challenges, by user.
    pub challenges: Rate<UserId>,
    /// Answers with card data, by user.
    pub reveals: Rate<UserId>,
    /// Requests without a session, by address.
    pub anonymous: Rate<IpAddr>,
}

impl Rates {
    /// The limits that the operator set.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            pairings: Rate::new(limits.pairings_per_minute_per_address, MINUTE),
            logins: Rate::new(limits.logins_per_minute_per_address, MINUTE),
            challenges: Rate::new(limits.challenges_per_minute_per_user, MINUTE),
            reveals: Rate::new(limits.reveals_per_hour_per_user, HOUR),
            anonymous: Rate::new(limits.anonymous_per_minute_per_address, MINUTE),
        }
    }

    /// Drops the keys of those who have not asked for so long that nothing is held against them.
    pub fn sweep(&self) {
        self.pairings.sweep();
        self.logins.sweep();
        self.challenges.sweep();
        self.reveals.sweep();
        self.anonymous.sweep();
    }
}

/// The address that counts: of IPv6 the first 64 bits, since whoever has one such address has all of them.
#[must_use]
pub fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn one_more_than_allowed_is_refused_and_told_when_to_come_back() {
        let rate = Rate::new(3, HOUR);
        for _ in 0..3 {
            rate.check(&UserId(1)).unwrap();
        }
        let refused = rate.check(&UserId(1)).unwrap_err();
        assert_eq!(refused.code(), Code::TooManyRequests);
        rate.check(&UserId(2)).unwrap();
    }

    #[test]
    fn a_full_table_grows_no_more_and_shuts_nobody_out() {
        let rate = Rate::new(2, HOUR);
        for key in 0..KEYS_MAX {
            rate.check(&key).unwrap();
        }
        let newcomer = KEYS_MAX;
        rate.check(&newcomer).unwrap();
        rate.check(&newcomer).unwrap();
        assert_eq!(rate.check(&newcomer).unwrap_err().code(), Code::TooManyRequests);
        assert_eq!(rate.limiter.len(), KEYS_MAX);
    }

    #[test]
    fn a_full_table_is_swept_at_most_once_a_second() {
        let rate = Rate::<UserId>::new(1, HOUR);
        let now = Instant::now();
        assert!(rate.is_time_to_sweep(now));
        assert!(!rate.is_time_to_sweep(now + SWEEP_EVERY / 2));
        assert!(rate.is_time_to_sweep(now + SWEEP_EVERY));
    }

    #[test]
    fn a_home_network_counts_as_one() {
        let counted_text = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(counted_text("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted_text("192.0.2.7"), "192.0.2.7");
        assert_eq!(counted_text("::ffff:192.0.2.7"), "192.0.2.7");
    }
}
