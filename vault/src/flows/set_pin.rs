//! Set the PIN that a proven holder sealed to the vault.

use std::sync::Arc;

use serde::Deserialize;
use shared::ids::{CardToken, IdempotencyKey};
use shared::jwe::BodyHash;
use shared::jws::holder_proof::Op;
use shared::mtls::identity::Identity;
use shared::vault_api::cards::{SealedAnswer, SetPin};

use super::answer::Answer;
use super::lookup::TriesRecord;
use super::prove::Permit;
use crate::audit::event::{Event, Operation};
use crate::domain::card::Card;
use crate::domain::pin::{InvalidPin, Pin};
use crate::domain::program::Rules;
use crate::error::Error;
use crate::idempotency::Slot;
use crate::open_vault::OpenVault;

/// Judges the proof, opens the payload, sets the PIN, answers with the gateway's members.
///
/// # Errors
/// The proof's, then the payload's, then the gateway's own state, a one-way flag, a used-up budget.
pub async fn set_pin(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    token: CardToken,
    key: &IdempotencyKey,
    request: SetPin,
) -> Result<SealedAnswer, Error> {
    let thumbprint = request.recipient.public_key.thumbprint().to_string();
    let says = [request.payload.as_bytes(), thumbprint.as_bytes()];
    let slot = Slot::new(caller, Operation::SetPin, token.as_str(), key, &says, vault.now());
    if let Some(answer) = vault.replay(&slot, &event).await? {
        return Ok(answer);
    }
    let context = vault.card(&token)?;
    let claim = context.claim(Op::SetPin, &request.recipient.public_key, Some(&request.payload));
    let permit = vault.judge_proof(request.holder_proof.as_deref(), claim)?;
    event.assurance = Some(vault.spend(&permit).await?);
    let plain = vault.open_payload(&request.payload).await?;
    let pin = read_pin(&plain, &context.program)?;
    if request.refuse {
        return Err(Error::StateRefused);
    }
    context.describe(&mut event);
    let attempt = async || write(vault, event.clone(), &token, &slot, &request, &permit, &pin).await;
    vault.attempt(Some((&slot, &event)), attempt).await
}

/// The payload. Borrowed, so that the PIN is never copied to the heap; a text with escapes cannot be borrowed and is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PinPayload<'a> {
    pin: &'a str,
}

fn read_pin(plain: &[u8], program: &Rules) -> Result<Pin, Error> {
    // serde's own words may repeat what was in the payload.
    let payload: PinPayload<'_> =
        serde_json::from_slice(plain).map_err(|_| Error::InvalidPayload("not {pin}".into()))?;
    let pin = Pin::parse(payload.pin.as_bytes()).map_err(|error| refused(error, program))?;
    if program.permits_pin(&pin) {
        Ok(pin)
    } else {
        Err(refused(InvalidPin::Length, program))
    }
}

fn refused(error: InvalidPin, program: &Rules) -> Error {
    let (fewest, most) = (program.program().pin_min_digits, program.program().pin_max_digits);
    match error {
        InvalidPin::Length => Error::Validation {
            field: "pin",
            code: "LENGTH",
            message: format!("the PIN must have {fewest} to {most} digits").into(),
        },
        InvalidPin::NotDigits => Error::Validation {
            field: "pin",
            code: "DIGITS_ONLY",
            message: "a PIN has digits only".into(),
        },
    }
}

async fn write(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: &CardToken,
    slot: &Slot,
    request: &SetPin,
    permit: &Permit,
    pin: &Pin,
) -> Result<SealedAnswer, Error> {
    let stored = vault.card_alone(token)?;
    stored.record.standing.permits_use()?;
    stored.record.issuer_is_here()?;
    let mut card = stored.record.clone();
    let version = Card::next_version(card.pin.as_ref());
    card.pin = Some(vault.secrets(&card)?.seal_pin(pin, version)?);
    let payload =
        Answer::with(&request.recipient.members)?.seal(&vault.sealers, &request.recipient.public_key)?;
    let vault_proof = vault.vault_proof(permit, Some(&payload))?;
    event.bdh = Some(BodyHash::of(&payload));
    let mut answer = SealedAnswer {
        payload,
        vault_proof,
        order: None,
        // Known on the commit thread.
        audit_index: 0,
    };
    let (slot, proven) = (slot.clone(), matches!(permit, Permit::Proven(_)));
    let work = move |tx: &mut crate::records::Tx<'_, '_>, _: &mut Event| {
        if !tx.is_unchanged(&stored)? {
            return Err(Error::Raced);
        }
        let mut counters = TriesRecord::of(tx, &card.token)?;
        if proven {
            counters.tries.pin_set_with_proof();
        } else {
            counters.tries.pin_unlocked();
        }
        tx.put(&counters)?;
        tx.put(&card)?;
        answer.audit_index = tx.audit_index();
        slot.remember(tx, &answer)?;
        Ok(answer)
    };
    vault.commit(event, work).await
}
