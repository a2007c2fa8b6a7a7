//! How often each symmetric key has sealed or wrapped (SP 800-38D §8.3, PCI DSS 3.7.4). Each GCM key of ours serves one
//! value (ADR 0007), so that the standard's limit is out of reach; it is kept all the same, as the bound at which a key
//! is rotated or refuses.
//!
//! Counted in memory, written with the commits once some thousand came together; what a crash takes along is made up for
//! at the next opening, where every count begins too high.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::header::KeyId;

/// SP 800-38D §8.3: most invocations under one key with random nonces.
pub const MOST_USES: u64 = 1 << 32;
/// From this share of the limit on a rotation is asked for, per cent.
pub const WARN_AT_PERCENT: u64 = 80;
/// Uses that are written down together.
pub const WRITTEN_TOGETHER: u64 = 4096;
/// What is added when a count is read again: what may have been counted and not written.
pub const LOST_AT_MOST: u64 = 2 * WRITTEN_TOGETHER;

/// Counts by key version.
#[derive(Debug)]
pub struct Uses {
    limit: u64,
    counts: Mutex<BTreeMap<KeyId, Count>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    /// As written, all processes together.
    written: u64,
    /// Not written yet, ours alone.
    more: u64,
}

impl Default for Uses {
    fn default() -> Self {
        Self::limited(MOST_USES)
    }
}

impl Uses {
    /// Counts up to a limit.
    #[must_use]
    pub fn limited(limit: u64) -> Self {
        Self {
            limit,
            counts: Mutex::default(),
        }
    }

    /// How often a key may seal.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Counts one use and gives the sum.
    pub fn count(&self, key: KeyId) -> u64 {
        let mut counts = self.lock();
        let count = counts.entry(key).or_default();
        count.more = count.more.saturating_add(1);
        count.written.saturating_add(count.more)
    }

    /// How often a key has sealed.
    #[must_use]
    pub fn of(&self, key: KeyId) -> u64 {
        let count = self.lock().get(&key).copied().unwrap_or_default();
        count.written.saturating_add(count.more)
    }

    /// What is to be written: keys with what came together since.
    #[must_use]
    pub fn due(&self) -> Vec<(KeyId, u64)> {
        let counts = self.lock();
        let due = counts.iter().filter(|(_, count)| count.more >= WRITTEN_TOGETHER);
        due.map(|(key, count)| (*key, count.more)).collect()
    }

    /// Takes over that `more` uses of a key were written, which makes `written` of all processes.
    pub fn wrote(&self, key: KeyId, more: u64, written: u64) {
        let mut counts = self.lock();
        let count = counts.entry(key).or_default();
        count.more = count.more.saturating_sub(more);
        count.written = written;
    }

    /// Takes over what was written by an earlier process, and what it may have counted beyond.
    pub fn begin_at(&self, key: KeyId, written: u64) {
        let mut counts = self.lock();
        let count = counts.entry(key).or_default();
        count.written = written;
        count.more = count.more.saturating_add(LOST_AT_MOST);
    }

    /// Whether a rotation is due.
    #[must_use]
    pub fn is_nearly_used_up(&self, key: KeyId) -> bool {
        self.of(key) >= self.limit / 100 * WARN_AT_PERCENT
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<KeyId, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::KeyPurpose;
    use super::*;

    const KEY: KeyId = KeyId {
        purpose: KeyPurpose::Records,
        version: 1,
    };

    #[test]
    fn uses_are_written_together_and_begin_too_high_after_a_crash() {
        let uses = Uses::limited(100_000);
        (0..WRITTEN_TOGETHER - 1).for_each(|_| assert!(uses.count(KEY) > 0));
        assert_eq!(uses.due(), []);
        uses.count(KEY);
        assert_eq!(uses.due(), [(KEY, WRITTEN_TOGETHER)]);
        uses.wrote(KEY, WRITTEN_TOGETHER, WRITTEN_TOGETHER);
        assert_eq!((uses.due(), uses.of(KEY)), (vec![], WRITTEN_TOGETHER));
        let next = Uses::limited(100_000);
        next.begin_at(KEY, WRITTEN_TOGETHER);
        assert_eq!(next.of(KEY), WRITTEN_TOGETHER + LOST_AT_MOST);
    }

    #[test]
    fn a_rotation_is_due_at_four_fifths() {
        let uses = Uses::limited(1000);
        (0..799).for_each(|_| assert!(uses.count(KEY) > 0));
        assert!(!uses.is_nearly_used_up(KEY));
        uses.count(KEY);
        assert!(uses.is_nearly_used_up(KEY));
    }
}
