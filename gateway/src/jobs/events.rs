//! Hands events out as soon as they are committed, and what another process has left behind soon after.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::flows::events::hand_out::hand_out;
use crate::services::Services;

/// How often events of other processes are looked for: each hands out its own at once, unless it was killed before.
const EVERY: Duration = Duration::from_secs(2);

/// Hands out, again and again; dropping the future ends it.
pub async fn run(services: Arc<Services>) {
    let mut turn = interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = services.db.event_written() => {}
            _ = turn.tick() => {}
        }
        match hand_out(&services).await {
            Ok(_) => {}
            Err(error) => super::log("events", Err(error)),
        }
    }
}
