//! Holds whose time is over are ended, each in a transaction of its own.

use crate::error::Error;
use crate::flows::money::expire::expire;
use crate::services::Services;
use crate::store::ledger::pending;

/// Holds a look.
const BATCH: i64 = 100;

/// Ends what is due. Returns how many holds.
pub(crate) async fn expire_due(services: &Services) -> Result<u64, Error> {
    let mut expired = 0;
    loop {
        let mut read = services.db.read().await?;
        let due = pending::due(&mut read, services.now(), BATCH).await?;
        drop(read);
        let mut ended = 0;
        for hold in &due {
            let mut tx = services.db.begin().await?;
            ended += u64::from(expire(services, &mut tx, *hold).await?);
            tx.commit().await?;
        }
        expired += ended;
        // Where another process ends the same ones, the next look finds what is left.
        if ended == 0 {
            return Ok(expired);
        }
    }
}
