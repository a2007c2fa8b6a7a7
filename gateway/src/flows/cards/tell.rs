//! What partners are told of cards: numbers, states and codes, in the transaction that brings it about.

use shared::mtls::identity::Name;

use crate::domain::card::{Card, CardId};
use crate::domain::event::{Event, EventKind};
use crate::domain::lock::{Lock, Party};
use crate::domain::user::{User, UserId};
use crate::error::Error;
use crate::services::Services;
use crate::store::{StoreError, Tx, events, users};

/// An event about a card of a partner's user.
#[must_use]
pub(crate) fn about(kind: EventKind, partner: &Name, card: &Card) -> Event {
    Event::new(kind, partner)
        .about_user(card.user)
        .about_card(card.id)
        .telling("token", card.token.as_str())
        .telling("type", card.standing.kind.as_str())
}

/// That there is a new card.
pub(crate) fn created(partner: &Name, card: &Card) -> Event {
    about(EventKind::CardCreated, partner, card)
        .telling("state", card.standing.state.as_str())
        .telling("origin", card.standing.origin.as_str())
        .telling("balanceId", card.balance.0)
}

/// That a lock lies on the card now.
pub(crate) fn locked(partner: &Name, card: &Card, lock: Lock) -> Event {
    about(EventKind::CardLocked, partner, card)
        .telling("reasonCode", lock.code.number())
        .telling("placedBy", lock.placed_by.as_str())
}

/// That a lock is gone.
pub(crate) fn unlocked(partner: &Name, card: &Card, lifted: Lock) -> Event {
    about(EventKind::CardUnlocked, partner, card)
        .telling("reasonCode", lifted.code.number())
        .telling("state", card.standing.state.as_str())
}

/// That a physical card, or the next plastic of one, is in use.
pub(crate) fn activated(partner: &Name, card: &Card, by: Party) -> Event {
    Event::new(EventKind::CardActivated, partner)
        .about_user(card.user)
        .about_card(card.id)
        .telling("token", card.token.as_str())
        .telling("by", by.as_str())
}

/// That a card that nears its end is not renewed, and why.
pub(crate) fn not_renewed(partner: &Name, card: &Card, code: &str) -> Event {
    about(EventKind::CardNotRenewed, partner, card)
        .telling("exp", card.exp.to_string())
        .telling("code", code)
}

/// That a card took the place of another: told of the one that lost its place.
pub(crate) fn replaced(partner: &Name, old: &Card, new: CardId) -> Event {
    about(EventKind::CardReplaced, partner, old).telling("replacedBy", new.0)
}

/// Writes an event.
///
/// # Errors
/// When the database is away.
pub(crate) async fn write(services: &Services, tx: &mut Tx, event: &Event) -> Result<(), Error> {
    Ok(events::write(tx, event, services.now()).await?)
}

/// Whose card it is, also after the removal of that user.
///
/// # Errors
/// When the database is away.
pub(crate) async fn owner(tx: &mut Tx, user: UserId) -> Result<User, Error> {
    let found = users::find_even_removed(tx, user).await?;
    Ok(found.ok_or(StoreError::Corrupt("a card's user is gone"))?)
}
