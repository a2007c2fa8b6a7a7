//! What may be asked how often, how large it may be and how long it may take.

use serde::Deserialize;

use super::ConfigError;

/// Limits; each has a default that fits a single bank's traffic on one machine.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Attempts to pair, a minute and address. An activation code has 80 bits; this is against noise, not guessing.
    pub pairings_per_minute_per_address: u32,
    /// Logins and login challenges, a minute and address: offices and mobile carriers share addresses.
    pub logins_per_minute_per_address: u32,
    /// Logins, a minute and installation.
    pub logins_per_minute_per_installation: u32,
    /// Holder and card challenges, a minute and user.
    pub challenges_per_minute_per_user: u32,
    /// Answers with card data (reveals, CVV resets, cards created under proof), an hour and user. The vault has budgets of
    /// its own beside it.
    pub reveals_per_hour_per_user: u32,
    /// Requests without a session, a minute and address.
    pub anonymous_per_minute_per_address: u32,
    /// Largest body, in bytes. The largest that means anything is a JWE of 8 KiB.
    pub body_bytes: usize,
    /// Seconds for a whole body.
    pub body_seconds: u64,
    /// Most items on a page.
    pub page_items: u32,
    /// Worker threads of each listener; 0 takes one for each core.
    pub workers: usize,
    /// Open connections, a worker and listener.
    pub connections_per_worker: usize,
    /// Seconds for requests under way when the process is told to end.
    pub shutdown_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pairings_per_minute_per_address: 10,
            logins_per_minute_per_address: 60,
            logins_per_minute_per_installation: 10,
            challenges_per_minute_per_user: 120,
            reveals_per_hour_per_user: 120,
            anonymous_per_minute_per_address: 300,
            body_bytes: 64 * 1024,
            body_seconds: 10,
            page_items: 100,
            workers: 0,
            connections_per_worker: 1_024,
            shutdown_seconds: 20,
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let rates = [
            self.pairings_per_minute_per_address,
            self.logins_per_minute_per_address,
            self.logins_per_minute_per_installation,
            self.challenges_per_minute_per_user,
            self.reveals_per_hour_per_user,
            self.anonymous_per_minute_per_address,
        ];
        let bounds = [
            (rates.contains(&0), "rates must be at least 1"),
            (
                !(1_024..=1024 * 1024).contains(&self.body_bytes),
                "body_bytes must be 1 KiB to 1 MiB",
            ),
            (
                !(1..=60).contains(&self.body_seconds),
                "body_seconds must be 1 to 60",
            ),
            (
                !(1..=1_000).contains(&self.page_items),
                "page_items must be 1 to 1000",
            ),
            (self.workers > 256, "workers must be at most 256"),
            (
                !(1..=65_536).contains(&self.connections_per_worker),
                "connections_per_worker must be 1 to 65536",
            ),
            (
                !(1..=300).contains(&self.shutdown_seconds),
                "shutdown_seconds must be 1 to 300",
            ),
        ];
        match bounds.into_iter().find(|(broken, _)| *broken) {
            Some((_, rule)) => Err(ConfigError::Invalid { key: "limits", rule }),
            None => Ok(()),
        }
    }
}
