//! Goes through mass imports, a turn at a time, in a loop of its own: a long import holds up no other job. And deletes what is
//! left of files that broke off, and results a month after their import's end.

use std::sync::Arc;
use std::time::Duration as Wait;

use time::Duration;
use tokio::time::timeout;

use crate::error::Error;
use crate::flows::imports::turn::take_a_turn;
use crate::services::Services;
use crate::store::imports;

/// How often imports are looked for that nobody told of: those of another process, and those that pause.
const EVERY: Wait = Wait::from_secs(2);
/// A file of which nothing more came for so long has broken off: longer than a part of it may take.
const BROKEN_OFF_AFTER: Duration = Duration::minutes(5);
/// How long results are kept.
const RESULTS_KEPT: Duration = Duration::days(30);

/// Works, again and again; dropping the future ends it.
pub async fn run(services: Arc<Services>) {
    if services.db.is_single_process() {
        super::log("imports", free_turns(&services).await.map(|()| 0));
    }
    loop {
        // Woken by a file that was received, or by the time.
        let _ = timeout(EVERY, services.imports.notified()).await;
        loop {
            match take_a_turn(&services).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    super::log("imports", Err(error));
                    break;
                }
            }
        }
    }
}

/// What a process took that is gone.
async fn free_turns(services: &Services) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    imports::free_turns(&mut tx, services.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Deletes what is left over. Returns how many imports.
pub(super) async fn sweep(services: &Services) -> Result<u64, Error> {
    let now = services.now();
    let left = {
        let mut read = services.db.read().await?;
        imports::left_over(&mut read, now - BROKEN_OFF_AFTER, now - RESULTS_KEPT).await?
    };
    let mut swept = 0;
    for id in left {
        let mut tx = services.db.begin().await?;
        imports::delete(&mut tx, id).await?;
        tx.commit().await?;
        swept += 1;
    }
    Ok(swept)
}
