//! Delivers what is due to webhook endpoints: so many tries at a time, fewer to each endpoint, so that one that is slow or away
//! holds up no other. Several processes share the work by leases.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use crate::domain::webhook::EndpointId;
use crate::error::Error;
use crate::flows::webhooks::deliver::deliver;
use crate::services::Services;
use crate::store::webhooks::deliveries;

/// How often what has become due is looked for: the shortest pause is five seconds.
const EVERY: Duration = Duration::from_secs(1);

/// The tries under way.
#[derive(Default)]
struct UnderWay {
    tries: JoinSet<Result<(), Error>>,
    to: HashMap<Id, EndpointId>,
}

/// Delivers, again and again; dropping the future ends it, and what was under way is tried again once its lease is over.
pub async fn run(services: Arc<Services>) {
    let mut under_way = UnderWay::default();
    let mut turn = interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(ended) = under_way.tries.join_next_with_id() => under_way.end(ended),
            () = services.deliveries_due.notified() => {}
            _ = turn.tick() => {}
        }
        while let Some(ended) = under_way.tries.try_join_next_with_id() {
            under_way.end(ended);
        }
        if let Err(error) = under_way.begin(&services).await {
            super::log("webhooks", Err(error));
            // A database that is away is not asked at once for each try that ends.
            turn.tick().await;
        }
    }
}

impl UnderWay {
    /// Begins as many tries as there is room for.
    async fn begin(&mut self, services: &Arc<Services>) -> Result<(), Error> {
        let config = &services.config.webhooks;
        if self.to.len() >= config.tries_at_once {
            return Ok(());
        }
        let now = services.now();
        let endpoints = {
            let mut read = services.db.read().await?;
            deliveries::due_endpoints(&mut read, now).await?
        };
        for endpoint in endpoints {
            let room_here = config
                .tries_at_once_per_endpoint
                .saturating_sub(self.to.values().filter(|other| **other == endpoint).count());
            let room = room_here.min(config.tries_at_once.saturating_sub(self.to.len()));
            if room == 0 {
                continue;
            }
            let most = i64::try_from(room).unwrap_or(i64::MAX);
            let mut tx = services.db.begin().await?;
            let due = deliveries::take_due(&mut tx, endpoint, now, most).await?;
            tx.commit().await?;
            for due in due {
                let services = Arc::clone(services);
                let handle = self.tries.spawn(async move { deliver(&services, &due).await });
                self.to.insert(handle.id(), endpoint);
            }
        }
        Ok(())
    }

    /// Strikes a try off that has ended. One that failed for a reason of ours is tried again once its lease is over.
    fn end(&mut self, ended: Result<(Id, Result<(), Error>), JoinError>) {
        match ended {
            Ok((id, result)) => {
                self.to.remove(&id);
                if let Err(error) = result {
                    super::log("webhooks", Err(error));
                }
            }
            Err(panicked) => {
                self.to.remove(&panicked.id());
                tracing::error!(error = %panicked, "a delivery ended by itself");
            }
        }
    }
}
