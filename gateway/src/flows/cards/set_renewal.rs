//! Decide whether a card is renewed by itself before its end. What the program rules out, no decision brings about; plastic
//! that is ordered by then comes all the same.

use super::{CardCaller, answers};
use crate::domain::card::{Action, CardId};
use crate::error::Error;
use crate::services::Services;
use crate::store::audit;
use crate::store::cards::life;
use crate::store::idempotency::Answer;

/// Decides it; deciding the same again changes nothing.
///
/// # Errors
/// `CARD_REMOVED`, `CARD_EXPIRED`, `CARD_NOT_ACTIVE`, `LOCK_IRREVERSIBLE`, `CARD_OF_ANOTHER_ISSUER`.
pub async fn set_renewal(
    services: &Services,
    caller: &CardCaller,
    card: CardId,
    automatic: bool,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let mut card = caller.take(services, &mut tx, card).await?;
    card.standing
        .permits(Action::SetRenewal, caller.party, caller.rules)?;
    card.automatic_renewal = automatic;
    life::set_automatic_renewal(&mut tx, card.id, automatic).await?;
    let stamp = caller.stamp.clone();
    let stamp = stamp.map(|stamp| stamp.saying(format!("automatic {automatic}")));
    audit::write_done(&mut tx, stamp.as_ref(), services.now()).await?;
    let answer = answers::masked(&card, caller.party, caller.rules)?;
    tx.commit().await?;
    Ok(answer)
}
