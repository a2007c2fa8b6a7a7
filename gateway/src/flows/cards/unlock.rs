//! Lift a lock. Lifting code 6 clears the PIN try counter in the vault first, so that a card that is open again can be
//! used; should the gateway fail in between, the lock still holds. A user's own code 6 clears nothing.

use shared::vault_api::cards::CardOperation;

use super::{CardCaller, answers, ask, tell};
use crate::domain::card::{Card, CardId};
use crate::error::Error;
use crate::flows::attempt::Attempt;
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::idempotency::{Answer, Claim, Request};
use crate::store::{Tx, audit, cards};

/// Unlocks a card.
///
/// # Errors
/// `CARD_REMOVED`, `NOT_LOCKED`, `LOCK_IRREVERSIBLE`, `LOCK_NOT_YOURS`; for code 6, that the vault is away.
pub async fn unlock(
    services: &Services,
    caller: &CardCaller,
    card: CardId,
    request: &Request,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let taken = caller.take(services, &mut tx, card).await?;
    let (_, lifted) = taken.standing.unlock(caller.party, caller.rules)?;
    if !lifted.clears_pin_tries(caller.party) {
        return lift(services, caller, tx, taken, &claim).await;
    }
    tx.commit().await?;
    let outcome = match clear_pin_tries(services, caller, &taken, request, &claim).await {
        Ok(()) => lift_again(services, caller, card, &claim).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(answer) => Ok(answer),
        Err(error) => ask::end(services, &claim, Err(error)).await,
    }
}

async fn clear_pin_tries(
    services: &Services,
    caller: &CardCaller,
    card: &Card,
    request: &Request,
    claim: &Claim,
) -> Result<(), Error> {
    let key = ask::vault_key(services, request, claim)?;
    let operation = CardOperation {
        actor: caller.actor.clone(),
    };
    services
        .vault
        .clear_pin_tries(&key, &card.token, &operation)
        .await
        .map_err(|error| Attempt::of_claim(claim, services.now()).judge(error))?;
    Ok(())
}

/// The lock may have changed while the vault was asked: it is judged again.
async fn lift_again(
    services: &Services,
    caller: &CardCaller,
    card: CardId,
    claim: &Claim,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let taken = caller.take(services, &mut tx, card).await?;
    lift(services, caller, tx, taken, claim).await
}

async fn lift(
    services: &Services,
    caller: &CardCaller,
    mut tx: Tx,
    mut card: Card,
    claim: &Claim,
) -> Result<Answer, Error> {
    let (state, lifted) = card.standing.unlock(caller.party, caller.rules)?;
    card.standing.state = state;
    cards::set_standing(&mut tx, card.id, card.standing).await?;
    let event = tell::unlocked(&caller.user.partner, &card, lifted);
    tell::write(services, &mut tx, &event).await?;
    let stamp = caller.stamp.clone();
    let stamp = stamp.map(|stamp| stamp.saying(format!("code {}", lifted.code.number())));
    audit::write_done(&mut tx, stamp.as_ref(), services.now()).await?;
    let answer = answers::masked(&card, caller.party, caller.rules)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
