//! Lock a card, or lock it harder. A lock that can be lifted is the gateway's alone; one that cannot is set in the vault
//! first, whose flag no gateway can take back.

use shared::vault_api::cards;

use super::carry_out::{carry_out, go_on};
use super::{CardCaller, answers, tell};
use crate::domain::card::{Card, CardId, CardState};
use crate::domain::lock::{Lock, LockCode};
use crate::error::Error;
use crate::flows::attempt::Attempt;
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::audit;
use crate::store::card_requests::{self, FinalLock, Task};
use crate::store::cards as card_rows;
use crate::store::idempotency::{Answer, Request};

/// Locks a card for the reason `code`.
///
/// # Errors
/// `CARD_REMOVED`, `LOCK_IRREVERSIBLE`, `LOCK_NOT_YOURS`; for a final lock, that the vault is away.
pub async fn lock(
    services: &Services,
    caller: &CardCaller,
    card: CardId,
    code: LockCode,
    request: &Request,
) -> Result<Answer, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    if let Some(work) = card_requests::resume(&mut tx, claim.entry(), None, now).await? {
        tx.commit().await?;
        return go_on(services, &work).await;
    }
    let mut card = caller.take(services, &mut tx, card).await?;
    let asked = Lock {
        code,
        placed_by: caller.party,
        placed_at: now,
    };
    let state = card.standing.lock(asked, caller.rules)?;
    let stamp = caller.stamp.clone();
    let stamp = stamp.map(|stamp| {
        stamp
            .about_card(card.id)
            .saying(format!("code {}", code.number()))
    });
    if code.is_irreversible() && state != card.standing.state {
        let task = Task::Lock(FinalLock::new(card.token.clone(), asked, call(caller, code)));
        let key = services.vault_key()?;
        let work = card_requests::begin(&mut tx, card.id, claim.entry(), key, task, stamp, now).await?;
        tx.commit().await?;
        return carry_out(services, &work, Attempt::First).await;
    }
    let changed = state != card.standing.state;
    let answer = set(&mut card, state, caller)?;
    card_rows::set_standing(&mut tx, card.id, card.standing).await?;
    if let Some(lock) = state.lock().filter(|_| changed) {
        tell::write(
            services,
            &mut tx,
            &tell::locked(&caller.user.partner, &card, lock),
        )
        .await?;
    }
    audit::write_done(&mut tx, stamp.as_ref(), now).await?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

fn set(card: &mut Card, state: CardState, caller: &CardCaller) -> Result<Answer, Error> {
    card.standing.state = state;
    answers::masked(card, caller.party, caller.rules)
}

fn call(caller: &CardCaller, code: LockCode) -> cards::LockFinally {
    cards::LockFinally {
        code: code.number(),
        actor: caller.actor.clone(),
    }
}
