//! The store against crashes: real processes killed at random moments and at named points, power cut under an ext4
//! volume, a volume that is full. What a process was told is there afterwards, whole; nothing half-done is.
//!
//! Kills meet both engines, PostgreSQL where `TESSERA_TEST_POSTGRES_URL` names a server; what its own disk does under a
//! power cut is PostgreSQL's matter.
//!
//! `STORE_CRASH_CYCLES` (50), `STORE_POWER_CUTS` (20) and `STORE_CRASH_SEED` (random, printed) set how long and which.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test crate: a failed step is a failed test"
)]

mod child;
mod engine;
mod full;
mod kill;
mod power;
mod random;
mod volume;

use std::io::Write;

/// Prints past the test harness, which would swallow it: whoever runs this must see a skip.
fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}
