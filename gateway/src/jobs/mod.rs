//! What goes on without being asked: sweeping what has lapsed and finishing what a crash cut short.

pub mod card_requests;
pub mod events;
pub(crate) mod holds;
pub mod imports;
mod key_revocations;
pub mod kyc_submissions;
pub mod mails;
pub mod notices;
mod registrations;
mod removals;
mod sweep;
pub mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::flows::cards::age;
use crate::flows::flag_late_orders::flag_late_orders;
use crate::rates::Rates;
use crate::services::Services;

/// How often each job looks for work.
const EVERY: Duration = Duration::from_secs(15);

/// Runs every job, again and again; dropping the future ends it. A job that fails is tried again at the next turn.
pub async fn run(services: Arc<Services>, rates: Arc<Rates>) {
    let mut turn = interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        rates.sweep();
        services.documents.uploads.sweep();
        log("expiries", age::expire(&services).await);
        log("renewals", age::begin_renewals(&services).await);
        log("key revocations", key_revocations::revoke(&services).await);
        log("removals", removals::finish(&services).await);
        log("registrations", registrations::finish(&services).await);
        log("late orders", flag_late_orders(&services).await);
        log("holds", holds::expire_due(&services).await);
        log("sweep", sweep::sweep(&services).await);
        log("left-over imports", imports::sweep(&services).await);
    }
}

fn log(job: &str, outcome: Result<u64, crate::error::Error>) {
    match outcome {
        Ok(0) => {}
        Ok(count) => tracing::info!(job, count, "job done"),
        Err(error) => tracing::error!(job, %error, cause = error.cause(), "job failed"),
    }
}
