//! What the vault has done, written here: the card, the links between cards, what partners are told. Called in the
//! transaction that strikes the work off; an effect that is there is not written again.

use shared::expiry::Expiry;
use shared::vault_api::cards::IssuedCard;

use super::answers::VaultsWord;
use super::{answers, rules_for, rules_of, tell};
use crate::domain::card::{Card, CardId, CardState, NewCard};
use crate::domain::event::{Event, EventKind};
use crate::domain::lock::{Lock, Party};
use crate::error::{Code, Error};
use crate::flows::notices;
use crate::services::Services;
use crate::store::card_creations::{self, CreationId, CreationState};
use crate::store::card_requests::{CardRequest, Task};
use crate::store::cards::life;
use crate::store::idempotency::Answer;
use crate::store::{Tx, cards};

/// The outcome of an effect within its transaction: the outer error is the machine's, and nothing of it is kept; the inner
/// one is the client's answer.
pub(super) type Effect = Result<Result<Answer, Error>, Error>;

/// A new card, perhaps in the place of another.
pub(super) async fn issued(
    services: &Services,
    tx: &mut Tx,
    card: NewCard,
    creation: Option<CreationId>,
    issued: IssuedCard,
) -> Effect {
    let IssuedCard {
        card: token,
        masked_card_no,
        exp,
        payload,
        vault_proof,
        audit_index,
    } = issued;
    let word = VaultsWord {
        vault_proof,
        audit_index,
    };
    let answer = match (payload, creation) {
        (Some(payload), _) => answers::sealed_created(&payload, word),
        // It was answered before the vault was asked.
        (None, Some(_)) => Ok(answers::nothing()),
        (None, None) => {
            let what = "the vault issued a card without the answer it was asked for";
            return Err(Error::internal(what));
        }
    };
    if cards::take(tx, card.id).await?.is_some() {
        return Ok(answer);
    }
    let card = card.issued(token, masked_card_no, exp);
    cards::insert(tx, &card).await?;
    let partner = tell::owner(tx, card.user).await?.partner;
    let mut created = tell::created(&partner, &card);
    if let Some(creation) = creation {
        card_creations::end(tx, creation, &CreationState::Done(card.id), services.now()).await?;
        created = created.telling("requestId", creation.0);
    }
    tell::write(services, tx, &created).await?;
    notices::catch_up_card(services, tx, &card.token).await?;
    replaced(services, tx, &card).await?;
    Ok(answer)
}

/// A new card that was made in the place of another has that place now.
pub(super) async fn replaced(services: &Services, tx: &mut Tx, new: &Card) -> Result<(), Error> {
    let Some(old) = new.replaces else {
        return Ok(());
    };
    life::replace(tx, old, new.id).await?;
    let partner = tell::owner(tx, new.user).await?.partner;
    let old = taken(tx, old).await?;
    tell::write(services, tx, &tell::replaced(&partner, &old, new.id)).await
}

/// No card will come of this work.
pub(super) async fn given_up(
    services: &Services,
    tx: &mut Tx,
    work: &CardRequest,
    error: &Error,
) -> Result<(), Error> {
    let (card, creation) = match &work.task {
        Task::Issue(issue) => (issue.card(work.card)?, issue.creation()),
        Task::Order(order) => (order.card(work.card)?, None),
        Task::Renew(_) | Task::RenewPlastic(_) => {
            let card = taken(tx, work.card).await?;
            let partner = tell::owner(tx, card.user).await?.partner;
            let event = tell::not_renewed(&partner, &card, error.code().row().1);
            return tell::write(services, tx, &event).await;
        }
        _ => return Ok(()),
    };
    if let Some(old) = card.replaces {
        life::release(tx, old, card.id).await?;
    }
    if let Some(creation) = creation {
        let (now, code) = (services.now(), error.code().row().1);
        card_creations::end(tx, creation, &CreationState::Failed(code.to_owned()), now).await?;
        let partner = tell::owner(tx, card.user).await?.partner;
        let failed = Event::new(EventKind::CardRequestFailed, &partner)
            .about_user(card.user)
            .telling("requestId", creation.0)
            .telling("code", code);
        tell::write(services, tx, &failed).await?;
    }
    Ok(())
}

/// The state may have changed since the lock was asked for; it is judged again. A final lock loses only to removal and to
/// another final lock.
pub(super) async fn locked(
    services: &Services,
    tx: &mut Tx,
    ours: bool,
    work: &CardRequest,
    lock: Lock,
) -> Effect {
    let mut card = taken(tx, work.card).await?;
    let user = tell::owner(tx, card.user).await?;
    let rules = rules_for(rules_of(services.program_of(&user)?), work.stamp.as_ref());
    if ours {
        let state = match card.standing.lock(lock, rules) {
            Ok(state) => state,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let changed = state != card.standing.state;
        card.standing.state = state;
        cards::set_standing(tx, card.id, card.standing).await?;
        if changed {
            tell::write(services, tx, &tell::locked(&user.partner, &card, lock)).await?;
        }
    }
    Ok(answers::masked(&card, lock.placed_by, rules))
}

/// The card is gone.
pub(super) async fn removed(services: &Services, tx: &mut Tx, id: CardId) -> Effect {
    let mut card = taken(tx, id).await?;
    if card.standing.state != CardState::Removed {
        card.standing.state = CardState::Removed;
        cards::set_standing(tx, id, card.standing).await?;
        let partner = tell::owner(tx, card.user).await?.partner;
        let event = tell::about(EventKind::CardRemoved, &partner, &card);
        tell::write(services, tx, &event).await?;
    }
    Ok(Ok(answers::nothing()))
}

/// The card has another end and another CVV.
pub(super) async fn renewed(
    services: &Services,
    tx: &mut Tx,
    id: CardId,
    (old, new): (Expiry, Expiry),
) -> Effect {
    let card = taken(tx, id).await?;
    if old != new && life::renew(tx, id, old, new).await? {
        let partner = tell::owner(tx, card.user).await?.partner;
        let event = tell::about(EventKind::CardRenewed, &partner, &card);
        tell::write(services, tx, &event).await?;
    }
    Ok(Ok(answers::nothing()))
}

/// The holder has the card's next plastic, which has taken over.
pub(super) async fn renewal_activated(
    services: &Services,
    tx: &mut Tx,
    work: &CardRequest,
    by: Party,
    (old, new): (Expiry, Expiry),
) -> Effect {
    let card = taken(tx, work.card).await?;
    let user = tell::owner(tx, card.user).await?;
    let rules = rules_for(rules_of(services.program_of(&user)?), work.stamp.as_ref());
    if life::renew(tx, card.id, old, new).await? {
        let renewed = tell::about(EventKind::CardRenewed, &user.partner, &card);
        tell::write(services, tx, &renewed).await?;
        let activated = tell::activated(&user.partner, &card, by);
        tell::write(services, tx, &activated).await?;
    }
    let card = taken(tx, work.card).await?.at(services.now());
    Ok(answers::masked(&card, by, rules))
}

pub(super) async fn taken(tx: &mut Tx, id: CardId) -> Result<Card, Error> {
    cards::take(tx, id)
        .await?
        .ok_or_else(|| Error::from(Code::Internal).caused_by("the card of a request is gone"))
}
