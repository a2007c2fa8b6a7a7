//! Expire: nobody cleared or reversed an approval in time. What was held is free again; no transfer is written, for nobody moved
//! anything.

use super::carry::release;
use super::void::released;
use crate::domain::ledger::{PendingState, TransferId};
use crate::error::Error;
use crate::services::Services;
use crate::store::Tx;
use crate::store::ledger::{accounts, pending};

/// Ends a hold whose time is over; `false` when it was ended before, or its time is not over.
///
/// # Errors
/// When the database fails.
pub async fn expire(services: &Services, tx: &mut Tx, hold: TransferId) -> Result<bool, Error> {
    let now = services.now();
    let legs = pending::take(tx, hold).await?;
    let is_due = |leg: &pending::Pending| leg.state == PendingState::Pending && leg.expires_at <= now;
    if !legs.first().is_some_and(is_due) {
        return Ok(false);
    }
    let taken = accounts::take(tx, legs.iter().flat_map(|leg| [leg.debit, leg.credit])).await?;
    release(tx, taken, &released(&legs), now).await?;
    pending::end(tx, hold, PendingState::Expired, now).await?;
    Ok(true)
}
