//! Void: an approval is taken back before it is settled. What was held is free again on both sides, on locked cards too.

use super::carry::{About, Chain, carry};
use crate::domain::ledger::plan::{self, Planned};
use crate::domain::ledger::{PendingState, TransferId};
use crate::domain::user::User;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::Tx;
use crate::store::ledger::pending::{self, Pending};
use crate::store::ledger::{accounts, transfers};

/// Voids an authorisation. The number is that of the reversal.
///
/// # Errors
/// `NOT_FOUND` for what is no authorisation of the user's; `HOLD_ENDED` when it was cleared or voided before, or has expired.
pub async fn void(
    services: &Services,
    tx: &mut Tx,
    (user, hold): (&User, TransferId),
) -> Result<TransferId, Error> {
    let now = services.now();
    let held = transfers::find(tx, user.id, hold).await?.ok_or(Code::NotFound)?;
    let legs = pending::take(tx, hold).await?;
    match legs.first().map(|leg| leg.state) {
        None => return Err(Code::NotFound.into()),
        Some(PendingState::Pending) => {}
        Some(PendingState::Posted | PendingState::Voided | PendingState::Expired) => {
            return Err(Code::HoldEnded.into());
        }
    }
    let taken = accounts::take(tx, legs.iter().flat_map(|leg| [leg.debit, leg.credit])).await?;
    let chain = Chain {
        planned: released(&legs),
        about: About {
            shown_to: Some((user.id, held.balance)),
            card: held.card,
            reference: held.reference.as_deref(),
            merchant: held.merchant.as_ref(),
            authorisation: None,
        },
        pending: &legs,
        expires_at: None,
    };
    let carried = carry(tx, taken, &chain, now).await?;
    pending::end(tx, hold, PendingState::Voided, now).await?;
    Ok(carried.first)
}

/// The entries that free what these legs hold.
pub(super) fn released(legs: &[Pending]) -> Vec<Planned> {
    plan::release(legs.iter().map(|leg| (leg.debit, leg.credit, leg.amount)))
}
