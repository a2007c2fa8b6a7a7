//! The lock outside: the issuing processor locks a card, or lifts its lock, by the card's number. What cannot be undone is
//! set here, in the transaction that also writes the notice for the gateway; what can be is the gateway's to place, raise or
//! refuse, and this vault only passes it on.
//!
//! A number that is no card of this processor is answered like one that there is not, and counts as a failed comparison
//! does: nobody finds out numbers here that the other doors would not tell.

use std::sync::Arc;

use shared::ids::CardToken;
use shared::mtls::identity::Identity;
use shared::vault_api::notices::NoticeKind;
use shared::vault_api::processor::{OutsideLock, OutsideOutcome, action_code};

use super::lookup::{CardContext, card_key};
use super::notices;
use crate::audit::event::{Event, Outcome};
use crate::domain::card::{Card, FinalCode, Standing, StandingRefusal};
use crate::domain::pan::Pan;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::Tx;

/// Locks the card of this number for the reason `code`, 1 to 8.
///
/// # Errors
/// Another code; the processor's hourly budget of failures; never the card.
pub async fn lock(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    pan: Pan,
    code: u8,
) -> Result<OutsideLock, Error> {
    if action_code(code).is_none() {
        return Err(Error::Validation {
            field: "reasonCode",
            code: "NOT_A_LOCK_CODE",
            message: "must be a reason code, 1 to 8".into(),
        });
    }
    event.note = Some(format!("code {code}"));
    let Some(context) = vault.unraced(|| own(vault, caller, &pan))? else {
        return unknown(vault, event).await;
    };
    on_card(vault, event, context, move |tx, card, at| {
        if let Standing::LockedFinally { code } = card.standing {
            return Ok(code);
        }
        if let Ok(code) = FinalCode::try_from(code) {
            card.standing = card.standing.lock_finally(code)?;
            tx.put(&*card)?;
        }
        let kind = NoticeKind::LockedOutside { code };
        notices::write(tx, kind, card.token.clone(), None, at)?;
        Ok(code)
    })
    .await
}

/// Lifts the lock of the card of this number, if it has one that can be lifted: the gateway knows.
///
/// # Errors
/// `LOCK_IRREVERSIBLE`; the processor's hourly budget of failures.
pub async fn unlock(
    vault: &Arc<OpenVault>,
    event: Event,
    caller: &Identity,
    pan: Pan,
) -> Result<OutsideLock, Error> {
    let Some(context) = vault.unraced(|| own(vault, caller, &pan))? else {
        return unknown(vault, event).await;
    };
    let done = on_card(vault, event, context, |tx, card, at| {
        card.standing.permits_use()?;
        notices::write(tx, NoticeKind::UnlockedOutside, card.token.clone(), None, at)?;
        Ok(0)
    });
    Ok(OutsideLock {
        reason_code: None,
        action_code: None,
        ..done.await?
    })
}

/// The card of this number, if it is of a program of this processor and was not closed.
fn own(vault: &OpenVault, caller: &Identity, pan: &Pan) -> Result<Option<CardContext>, Error> {
    let Some(token) = vault.card_of_pan(pan)? else {
        return Ok(None);
    };
    let context = vault.card(&token)?;
    let own = caller
        .name()
        .is_some_and(|name| name.as_str() == context.program.program().processor);
    let closed = context.card.record.standing.permits_use() == Err(StandingRefusal::Closed);
    Ok(Some(context).filter(|_| own && !closed))
}

async fn unknown(vault: &Arc<OpenVault>, mut event: Event) -> Result<OutsideLock, Error> {
    event.outcome = Outcome::NoMatch;
    event.note = Some("no card of this processor".to_owned());
    vault.commit(event, |_, _| Ok(())).await?;
    Ok(OutsideLock {
        outcome: OutsideOutcome::NoMatch,
        reason_code: None,
        action_code: None,
    })
}

/// Does `work` on the card in a transaction, once the budget of failures permits one more: were only failures refused, the
/// refusal would tell the numbers that are cards. `work` gives the code of the lock that holds.
async fn on_card(
    vault: &Arc<OpenVault>,
    mut event: Event,
    context: CardContext,
    work: impl Fn(&mut Tx<'_, '_>, &mut Card, time::OffsetDateTime) -> Result<u8, Error> + Send + 'static,
) -> Result<OutsideLock, Error> {
    context.describe(&mut event);
    let token: CardToken = context.card.record.token;
    event.card = Some(token.clone());
    let mut failed = event.clone();
    failed.outcome = Outcome::NoMatch;
    let (book, at) = (Arc::clone(vault), vault.surroundings.clock.now());
    let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
        book.permits(&failed)?;
        let mut card: Card = tx.get(&card_key(&token))?.ok_or(Error::NotFound("card"))?;
        let code = work(tx, &mut card, at)?;
        Ok(OutsideLock {
            outcome: OutsideOutcome::Done,
            reason_code: Some(code),
            action_code: action_code(code),
        })
    };
    vault.commit(event, work).await
}
