//! Remove a card for good: the vault closes it first, then it is gone here. The token stays as a tombstone.

use shared::vault_api::cards::CardOperation;

use super::carry_out::carry_out;
use super::{CardCaller, answers};
use crate::domain::card::{Action, CardId, CardRefusal};
use crate::error::Error;
use crate::flows::attempt::Attempt;
use crate::services::Services;
use crate::store::card_requests::{self, Remove, Task};
use crate::store::idempotency::Answer;

/// Removes a card. One that is removed already stays so: DELETE carries no key, and its retry must be harmless.
///
/// # Errors
/// That the vault is away, or its budget of closures is used up.
pub async fn remove(services: &Services, caller: &CardCaller, card: CardId) -> Result<Answer, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let card = caller.take(services, &mut tx, card).await?;
    match card.standing.permits(Action::Remove, caller.party, caller.rules) {
        Ok(()) => {}
        Err(CardRefusal::Removed) => return Ok(answers::nothing()),
        Err(refusal) => return Err(refusal.into()),
    }
    let call = CardOperation {
        actor: caller.actor.clone(),
    };
    let task = Task::Remove(Remove {
        card: card.token.clone(),
        call,
    });
    let (key, stamp) = (services.vault_key()?, caller.stamp.clone());
    let work = card_requests::begin(&mut tx, card.id, None, key, task, stamp, now).await?;
    tx.commit().await?;
    carry_out(services, &work, Attempt::First).await
}
