//! What happened to a card without the gateway: the processor locked it or had its lock lifted, an officer erased it.

use shared::vault_api::cards::CardOperation;
use shared::vault_api::notices::{Notice, NoticeKind};
use shared::vault_api::{Actor, Channel};

use crate::domain::card::{Card, CardRefusal, CardState};
use crate::domain::event::EventKind;
use crate::domain::lock::{Lock, LockCode, Party};
use crate::domain::user::User;
use crate::error::Error;
use crate::flows::cards::{rules_of, tell};
use crate::services::Services;
use crate::store::card_requests::{self, ClearPinTries, Task};
use crate::store::cards::life;
use crate::store::{Tx, cards, notices};

/// Applies one notice about a card; one whose card is not here yet is laid aside for it.
pub(super) async fn apply(services: &Services, tx: &mut Tx, notice: &Notice) -> Result<(), Error> {
    let now = services.now();
    let Some(card) = cards::take_of_token(tx, &notice.card).await? else {
        return Ok(notices::park(tx, notice, now).await?);
    };
    let user = tell::owner(tx, card.user).await?;
    let card = card.at(now);
    let id = card.id.0;
    let outcome = match &notice.kind {
        NoticeKind::LockedOutside { code } => lock(services, tx, card, &user, (*code, notice)).await?,
        NoticeKind::UnlockedOutside => unlock(services, tx, card, &user).await?,
        NoticeKind::Erased => erased(services, tx, card, &user).await?,
        _ => {
            return Err(Error::internal(
                "a notice about an order was taken for one about a card",
            ));
        }
    };
    if let Err(refusal) = outcome {
        tracing::info!(card = id, index = notice.index, %refusal, "a notice of the vault changes nothing here");
    }
    Ok(())
}

/// What it came to: the lock that lies on the card may be one that this one does not replace.
type Applied = Result<Result<(), CardRefusal>, Error>;

async fn lock(
    services: &Services,
    tx: &mut Tx,
    mut card: Card,
    user: &User,
    (code, notice): (u8, &Notice),
) -> Applied {
    let lock = Lock {
        code: LockCode::from_number(code.into())
            .ok_or_else(|| Error::internal("the vault knows a lock code that is none"))?,
        placed_by: Party::Processor,
        placed_at: notice.at.truncate_to_millisecond(),
    };
    let state = match card.standing.lock(lock, rules_of(services.program_of(user)?)) {
        Ok(state) if state == card.standing.state => return Ok(Ok(())),
        Ok(state) => state,
        Err(refusal) => return Ok(Err(refusal)),
    };
    card.standing.state = state;
    cards::set_standing(tx, card.id, card.standing).await?;
    tell::write(services, tx, &tell::locked(&user.partner, &card, lock)).await?;
    Ok(Ok(()))
}

/// Lifting code 6 begins the PIN tries again: the vault is asked for that by the job, not in here.
async fn unlock(services: &Services, tx: &mut Tx, mut card: Card, user: &User) -> Applied {
    let rules = rules_of(services.program_of(user)?);
    let (state, lifted) = match card.standing.unlock(Party::Processor, rules) {
        Ok(unlocked) => unlocked,
        Err(refusal) => return Ok(Err(refusal)),
    };
    card.standing.state = state;
    cards::set_standing(tx, card.id, card.standing).await?;
    tell::write(services, tx, &tell::unlocked(&user.partner, &card, lifted)).await?;
    if lifted.clears_pin_tries(Party::Processor) {
        let call = CardOperation {
            actor: Actor {
                channel: Channel::System,
                subject: Some(format!("user:{}", user.id.0)),
                device: None,
                trace_id: None,
            },
        };
        let (key, now) = (services.vault_key()?, services.now());
        let task = Task::ClearPinTries(ClearPinTries {
            card: card.token,
            call,
        });
        let work = card_requests::begin(tx, card.id, None, key, task, None, now).await?;
        card_requests::put_off(tx, work.id, now).await?;
    }
    Ok(Ok(()))
}

async fn erased(services: &Services, tx: &mut Tx, mut card: Card, user: &User) -> Applied {
    if card.standing.state == CardState::Removed {
        return Ok(Err(CardRefusal::Removed));
    }
    let unmade = matches!(card.standing.state, CardState::Ordered { .. });
    card.standing.state = CardState::Removed;
    cards::set_standing(tx, card.id, card.standing).await?;
    if let (true, Some(old)) = (unmade, card.replaces) {
        life::give_back(tx, old, card.id).await?;
    }
    let event = tell::about(EventKind::CardRemoved, &user.partner, &card);
    tell::write(services, tx, &event).await?;
    Ok(Ok(()))
}
