//! Chance that can be repeated: xorshift from a printed seed.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::{say, setting};

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(what: &str) -> Self {
        let seed = setting("STORE_CRASH_SEED", RandomState::new().build_hasher().finish()).max(1);
        say(&format!("{what}: STORE_CRASH_SEED={seed}"));
        Self(seed)
    }

    pub(crate) fn from(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1))
    }

    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + self.0 % (high - low)
    }
}
