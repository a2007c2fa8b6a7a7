//! Activate a physical card that is in its holder's hands. The vault is not asked: whether a card pays is decided here, so an
//! inactive card has every authorisation rejected here.
//!
//! The next plastic of a card that was in use is activated by the same door. Then the vault is asked: it knows the end and the
//! code that hold from now on.

use shared::vault_api::cards::ActivateRenewal;

use super::carry_out::{carry_out, go_on};
use super::{CardCaller, answers, tell};
use crate::domain::card::{Action, CardId, CardState};
use crate::domain::order::OrderState;
use crate::error::{Code, Error};
use crate::flows::attempt::Attempt;
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::card_requests::{self, RenewalActivation, Task};
use crate::store::idempotency::{Answer, Request};
use crate::store::{audit, cards, orders};

/// Activates a card.
///
/// # Errors
/// `CARD_REMOVED`, `CARD_LOCKED`, `LOCK_IRREVERSIBLE`, `CARD_NOT_PHYSICAL`, `ALREADY_ACTIVE`; `CARD_RETURNED` while the
/// plastic lies at the bureau.
pub async fn activate(
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
    let now = services.now();
    if let Some(work) = card_requests::resume(&mut tx, claim.entry(), None, now).await? {
        tx.commit().await?;
        return go_on(services, &work).await;
    }
    let mut card = caller.take(services, &mut tx, card).await?;
    card.standing
        .permits(Action::Activate, caller.party, caller.rules)?;
    let order = orders::of_card(&mut tx, card.id).await?;
    if order.is_some_and(|order| {
        matches!(
            order.state,
            OrderState::Returned { .. } | OrderState::Failed { .. }
        )
    }) {
        return Err(Code::CardReturned.into());
    }
    if card.standing.activates_renewal() {
        let call = ActivateRenewal {
            ends: card.exp,
            actor: caller.actor.clone(),
        };
        let task = RenewalActivation::new(card.token, caller.party, call);
        let (task, key) = (Task::ActivateRenewal(task), services.vault_key()?);
        let stamp = caller.stamp.clone();
        let work = card_requests::begin(&mut tx, card.id, claim.entry(), key, task, stamp, now).await?;
        tx.commit().await?;
        return carry_out(services, &work, Attempt::First).await;
    }
    card.standing.state = CardState::Active;
    cards::set_standing(&mut tx, card.id, card.standing).await?;
    let event = tell::activated(&caller.user.partner, &card, caller.party);
    tell::write(services, &mut tx, &event).await?;
    audit::write_done(&mut tx, caller.stamp.as_ref(), now).await?;
    let answer = answers::masked(&card, caller.party, caller.rules)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
