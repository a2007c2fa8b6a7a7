//! Finishes what a crash, or a vault that did not answer, left between the gateway and the vault.

use crate::error::Error;
use crate::flows::cards::carry_out::carry_out;
use crate::services::Services;
use crate::store::card_requests::take_overdue;

/// Most requests in one turn: each may take as long as the vault's time limit.
const BATCH: i64 = 16;

/// Repeats overdue requests. Returns how many were brought to an end.
///
/// # Errors
/// When the database is away. That a request fails is logged; it is tried again, or was struck off.
pub(super) async fn finish(services: &Services) -> Result<u64, Error> {
    let mut tx = services.db.begin().await?;
    let overdue = take_overdue(&mut tx, services.now(), BATCH).await?;
    tx.commit().await?;
    let mut ended = 0;
    for work in overdue {
        match carry_out(services, &work).await {
            Ok(_) => ended += 1,
            Err(error) => {
                tracing::warn!(request = work.id.0, %error, cause = error.cause(), "a card request was not carried out");
            }
        }
    }
    Ok(ended)
}
