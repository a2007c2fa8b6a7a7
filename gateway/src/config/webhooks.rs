//! Webhooks: whom to trust, what to show, how long to remember. Which addresses are called is no setting: the environment
//! decides it.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, first_broken};

/// How events leave.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// PEM of an authority that endpoints' certificates may come from beside the public ones.
    pub extra_ca: Option<PathBuf>,
    /// PEM chain that is shown to endpoints that ask for a client certificate.
    pub client_certificate: Option<PathBuf>,
    /// Its PEM private key, readable by the owner alone.
    pub client_key: Option<PathBuf>,
    /// Days for which events and their deliveries can be looked at and replayed.
    pub retention_days: u32,
    /// Hours without any arrival after which a failing endpoint is disabled.
    pub disable_after_hours: u32,
    /// Endpoints a partner may have.
    pub endpoints_per_partner: u32,
    /// Tries at the same time, in all.
    pub tries_at_once: usize,
    /// Tries at the same time, an endpoint: a slow one holds up no other.
    pub tries_at_once_per_endpoint: usize,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            extra_ca: None,
            client_certificate: None,
            client_key: None,
            retention_days: 90,
            disable_after_hours: 120,
            endpoints_per_partner: 20,
            tries_at_once: 64,
            tries_at_once_per_endpoint: 4,
        }
    }
}

impl Webhooks {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let rules = [
            (
                self.client_certificate.is_some() == self.client_key.is_some(),
                "client_certificate and client_key come together",
            ),
            // What is tried is tried for three and a half days.
            (
                (7..=3_650).contains(&self.retention_days),
                "retention_days must be 7 to 3650",
            ),
            (
                (24..=720).contains(&self.disable_after_hours),
                "disable_after_hours must be 24 to 720",
            ),
            (
                (1..=1_000).contains(&self.endpoints_per_partner),
                "endpoints_per_partner must be 1 to 1000",
            ),
            (
                (1..=1_024).contains(&self.tries_at_once),
                "tries_at_once must be 1 to 1024",
            ),
            (
                (1..=self.tries_at_once).contains(&self.tries_at_once_per_endpoint),
                "tries_at_once_per_endpoint must be 1 to tries_at_once",
            ),
        ];
        first_broken("webhooks", &rules)
    }
}
