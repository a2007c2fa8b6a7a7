//! Activate a physical card that is in its holder's hands. The vault is not asked: whether a card pays is decided here, so an
//! inactive card has every authorisation rejected here.

use super::{CardCaller, answers};
use crate::domain::card::{Action, CardId, CardState};
use crate::domain::event::{Event, EventKind};
use crate::domain::order::OrderState;
use crate::error::{Code, Error};
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::idempotency::{Answer, Request};
use crate::store::{audit, cards, events, orders};

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
    card.standing.state = CardState::Active;
    cards::set_standing(&mut tx, card.id, card.standing).await?;
    let now = services.now();
    let event = Event::new(EventKind::CardActivated, &caller.user.partner)
        .about_user(card.user)
        .about_card(card.id)
        .telling("token", card.token.as_str())
        .telling("by", caller.party.as_str());
    events::write(&mut tx, &event, now).await?;
    audit::write_done(&mut tx, caller.stamp.as_ref(), now).await?;
    let answer = answers::masked(&card, caller.party, caller.rules)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
