//! Make a new CVV: told to a proven holder, or, for an administrator, to nobody.

use std::sync::Arc;

use shared::ids::{CardToken, IdempotencyKey};
use shared::jwe::BodyHash;
use shared::jws::holder_proof::Op;
use shared::mtls::identity::Identity;
use shared::vault_api::cards::{ProvenOperation, Recipient, ResetCvvUnseen, SealedAnswer};

use super::answer::Answer;
use super::lookup::TriesRecord;
use super::prove::Permit;
use crate::audit::event::{Assurance, Event, Operation};
use crate::domain::card::Card;
use crate::error::Error;
use crate::idempotency::Slot;
use crate::open_vault::OpenVault;
use crate::records::Record;

/// Resets the CVV and seals the new one to the holder.
///
/// # Errors
/// The proof's, the gateway's own state, a one-way flag, a used-up budget.
pub async fn reset_cvv(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    token: CardToken,
    key: &IdempotencyKey,
    request: ProvenOperation,
) -> Result<SealedAnswer, Error> {
    let slot = slot(
        caller,
        Operation::ResetCvv,
        &token,
        key,
        &request.recipient,
        vault.now(),
    )?;
    if let Some(answer) = vault.replay(&slot, &event).await? {
        return Ok(answer);
    }
    let context = vault.card(&token)?;
    let permit = context.judge(vault, Op::ResetCvv, &request, None)?;
    event.assurance = Some(vault.spend(&permit).await?);
    if request.refuse {
        return Err(Error::StateRefused);
    }
    context.describe(&mut event);
    event.emitted = true;
    let told = Told::Holder(&permit);
    let attempt = async || replace(vault, event.clone(), &token, &slot, &request.recipient, &told).await;
    vault.attempt(Some((&slot, &event)), attempt).await
}

/// Resets the CVV and answers without it. Does not clear the counter of failed comparisons: nobody proved anything.
///
/// # Errors
/// A one-way flag.
pub async fn reset_cvv_unseen(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    token: CardToken,
    key: &IdempotencyKey,
    request: ResetCvvUnseen,
) -> Result<SealedAnswer, Error> {
    let slot = slot(
        caller,
        Operation::ResetCvvUnseen,
        &token,
        key,
        &request.recipient,
        vault.now(),
    )?;
    if let Some(answer) = vault.replay(&slot, &event).await? {
        return Ok(answer);
    }
    vault.card(&token)?.describe(&mut event);
    event.assurance = Some(Assurance::Asserted);
    let told = Told::Nobody;
    let attempt = async || replace(vault, event.clone(), &token, &slot, &request.recipient, &told).await;
    vault.attempt(Some((&slot, &event)), attempt).await
}

/// Who learns the new code.
enum Told<'a> {
    Holder(&'a Permit),
    Nobody,
}

fn slot(
    caller: &Identity,
    operation: Operation,
    card: &CardToken,
    key: &IdempotencyKey,
    recipient: &Recipient,
    now: i64,
) -> Result<Slot, Error> {
    let members =
        serde_json::to_vec(&recipient.members).map_err(|error| Error::Internal(error.to_string()))?;
    let thumbprint = recipient.public_key.thumbprint().to_string();
    Ok(Slot::new(
        caller,
        operation,
        card.as_str(),
        key,
        &[&members, thumbprint.as_bytes()],
        now,
    ))
}

async fn replace(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: &CardToken,
    slot: &Slot,
    recipient: &Recipient,
    told: &Told<'_>,
) -> Result<SealedAnswer, Error> {
    let stored = vault.card_alone(token)?;
    stored.record.standing.permits_use()?;
    stored.record.issuer_is_here()?;
    let cvv = vault.surroundings.random.cvv()?;
    let mut card = stored.record.clone();
    let version = Card::next_version(card.cvv.as_ref());
    card.cvv = Some(vault.secrets(&card)?.seal_cvv(&cvv, version)?);
    let answer = Answer::with(&recipient.members)?;
    let (answer, permit) = match told {
        Told::Holder(permit) => (answer.cvv(&cvv), Some(permit)),
        Told::Nobody => (answer.masked(&card), None),
    };
    let payload = answer.seal(&vault.sealers, &recipient.public_key)?;
    let vault_proof = permit
        .map(|permit| vault.vault_proof(permit, Some(&payload)))
        .transpose()?
        .flatten();
    event.bdh = Some(BodyHash::of(&payload));
    let mut answer = SealedAnswer {
        payload,
        vault_proof,
        order: None,
        // Known on the commit thread.
        audit_index: 0,
    };
    let (slot, proven) = (slot.clone(), matches!(told, Told::Holder(Permit::Proven(_))));
    let work = move |tx: &mut crate::records::Tx<'_, '_>, _: &mut Event| {
        if !tx.is_unchanged(&stored)? {
            return Err(Error::Raced);
        }
        if proven && tx.exists::<TriesRecord>(&card.key())? {
            let mut counters = TriesRecord::of(tx, &card.token)?;
            counters.tries.cvv_reset_with_proof();
            tx.put(&counters)?;
        }
        tx.put(&card)?;
        answer.audit_index = tx.audit_index();
        slot.remember(tx, &answer)?;
        Ok(answer)
    };
    vault.commit(event, work).await
}
