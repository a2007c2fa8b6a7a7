//! Create a virtual card without waiting for it: the state is judged at once, the vault is asked by a job. Nothing is
//! sealed to anybody: whoever wants the card's data reveals it when it is there.

use serde::Serialize;
use shared::vault_api::cards::IssueCard;
use utoipa::ToSchema;

use super::create_virtual::{CardWish, verdict};
use super::{CardCaller, answers};
use crate::domain::card::{CardId, NewCard};
use crate::error::{Code, Error};
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::card_creations::{self, CreationId, CreationState};
use crate::store::card_requests::{self, Issue, Task};
use crate::store::idempotency::{Answer, Request};
use crate::store::{Sequence, Tx};

/// What became of a request for a card.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CardRequestStatus {
    /// The number to ask with.
    request_id: i64,
    /// `PENDING`, `DONE` or `FAILED`.
    #[schema(example = "PENDING")]
    status: &'static str,
    /// The card, once it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    card_id: Option<i64>,
    /// Why there will be none: the code of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

impl CardRequestStatus {
    fn new(id: CreationId, state: CreationState) -> Self {
        let status = state.as_str();
        let (card_id, code) = match state {
            CreationState::Pending => (None, None),
            CreationState::Done(card) => (Some(card.0), None),
            CreationState::Failed(code) => (None, Some(code)),
        };
        Self {
            request_id: id.0,
            status,
            card_id,
            code,
        }
    }
}

/// Asks for a card; the answer (202) names the request.
///
/// # Errors
/// `KYC_REQUIRED`, `BALANCE_REQUIRED`, `NOT_FOUND` for a balance that is not the user's.
pub async fn create_async(
    services: &Services,
    caller: &CardCaller,
    wish: CardWish,
    request: &Request,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    if let Some(code) = verdict(&mut tx, caller, wish.balance).await? {
        return Err(code.into());
    }
    let id = write_down(services, caller, wish, &mut tx).await?;
    let answer = answers::accepted(&CardRequestStatus::new(id, CreationState::Pending))?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    services.card_work.notify_one();
    Ok(answer)
}

async fn write_down(
    services: &Services,
    caller: &CardCaller,
    wish: CardWish,
    tx: &mut Tx,
) -> Result<CreationId, Error> {
    let (now, user) = (services.now(), &caller.user);
    let card = NewCard {
        id: CardId(tx.next_number(Sequence::Cards).await?),
        user: user.id,
        balance: wish.balance,
        name: wish.name,
        created_at: now,
        replaces: None,
    };
    let id = card_creations::insert(tx, user.id, card.id, now).await?;
    let call = IssueCard {
        recipient: None,
        payload: None,
        holder_proof: None,
        issue_key: None,
        refuse: false,
        actor: caller.actor.clone(),
    };
    let task = Task::Issue(Issue::new(user.holder.clone(), &card, call).answered_before(id));
    let (key, stamp) = (services.vault_key()?, caller.stamp.clone());
    let work = card_requests::begin(tx, card.id, None, key, task, stamp, now).await?;
    card_requests::put_off(tx, work.id, now).await?;
    Ok(id)
}

/// What became of a request about the user's cards, whoever of user and partner asked.
///
/// # Errors
/// `NOT_FOUND`.
pub async fn status(
    services: &Services,
    caller: &CardCaller,
    id: CreationId,
) -> Result<CardRequestStatus, Error> {
    let mut read = services.db.read().await?;
    let found = card_creations::find(&mut read, caller.user.id, id).await?;
    Ok(CardRequestStatus::new(id, found.ok_or(Code::NotFound)?))
}
