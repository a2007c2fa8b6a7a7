//! Order plastic of a virtual card (Digital First), to an address that the holder sealed or to the one on file.
//!
//! Plastic in the post is a reveal by other means: an address from outside needs a proof. The order is kept sealed for the
//! bureau; the gateway never reads an address that was sealed to the vault.

use std::sync::Arc;

use serde::Deserialize;
use shared::ids::{CardToken, IdempotencyKey};
use shared::jwe::BodyHash;
use shared::jws::holder_proof::Op;
use shared::mtls::identity::Identity;
use shared::vault_api::cards::{Destination, PrintCard, SealedAnswer};
use shared::vault_api::plastic::OrderKind;

use super::answer::Answer;
use super::lookup::CardContext;
use super::orders::{OrderRecord, place as place_order, refused};
use super::prove::Permit;
use crate::audit::event::{Assurance, Event, Operation};
use crate::domain::order::OrderState;
use crate::domain::plastic::DeliveryAddress;
use crate::error::Error;
use crate::idempotency::Slot;
use crate::open_vault::OpenVault;

/// Places the order.
///
/// # Errors
/// The proof's, then the payload's, then the gateway's own state, a one-way flag.
pub async fn print(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    token: CardToken,
    key: &IdempotencyKey,
    request: PrintCard,
) -> Result<SealedAnswer, Error> {
    let slot = slot(caller, &token, key, &request, vault.now())?;
    if let Some(answer) = vault.replay(&slot, &event).await? {
        return Ok(answer);
    }
    let context = vault.card(&token)?;
    let permit = judge(vault, &context, &request)?;
    event.assurance = Some(match &permit {
        Some(permit) => vault.spend(permit).await?,
        None => Assurance::Asserted,
    });
    address(vault, &request.destination).await?;
    if request.refuse {
        return Err(Error::StateRefused);
    }
    if !context.program.program().digital_first {
        return Err(Error::conflict(
            "NOT_DIGITAL_FIRST",
            "The program is not registered in Digital First.",
        ));
    }
    context.describe(&mut event);
    let attempt = async || place(vault, event.clone(), &token, &slot, &request, permit.as_ref()).await;
    vault.attempt(Some((&slot, &event)), attempt).await
}

fn slot(
    caller: &Identity,
    card: &CardToken,
    key: &IdempotencyKey,
    request: &PrintCard,
    now: i64,
) -> Result<Slot, Error> {
    let says = serde_json::to_vec(&(&request.recipient.members, &request.destination));
    let says = says.map_err(|error| Error::Internal(error.to_string()))?;
    let thumbprint = request.recipient.public_key.thumbprint().to_string();
    Ok(Slot::new(
        caller,
        Operation::Print,
        card.as_str(),
        key,
        &[&says, thumbprint.as_bytes()],
        now,
    ))
}

/// A sealed address needs a proof; the address on file needs none, and takes one that came along.
fn judge(vault: &OpenVault, context: &CardContext, request: &PrintCard) -> Result<Option<Permit>, Error> {
    let recipient = &request.recipient.public_key;
    let header = request.holder_proof.as_deref();
    match (&request.destination, header) {
        (Destination::Sealed { payload }, header) => vault
            .judge_proof(header, context.claim(Op::Order, recipient, Some(payload)))
            .map(Some),
        (Destination::OnFile { .. }, Some(header)) => {
            let proven = vault.judge_given_proof(header, context.claim(Op::Order, recipient, None))?;
            Ok(Some(Permit::Proven(Box::new(proven))))
        }
        (Destination::OnFile { .. }, None) => Ok(None),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddressPayload {
    delivery_address: DeliveryAddress,
}

/// Read at each try: what is personal is not copied about.
async fn address(vault: &OpenVault, destination: &Destination) -> Result<DeliveryAddress, Error> {
    let address = match destination {
        Destination::OnFile { address } => address.clone().into(),
        Destination::Sealed { payload } => {
            let plain = vault.open_payload(payload).await?;
            // serde's own words may repeat what was in the payload.
            let shape = |_| Error::InvalidPayload("not {deliveryAddress}".into());
            let payload: AddressPayload = serde_json::from_slice(&plain).map_err(shape)?;
            payload.delivery_address
        }
    };
    address.checked().map_err(refused)
}

async fn place(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: &CardToken,
    slot: &Slot,
    request: &PrintCard,
    permit: Option<&Permit>,
) -> Result<SealedAnswer, Error> {
    let address = address(vault, &request.destination).await?;
    let stored = vault.card_alone(token)?;
    stored.record.standing.permits_use()?;
    stored.record.issuer_is_here()?;
    if stored.record.plastic {
        return Err(Error::conflict(
            "ALREADY_PRINTED",
            "Plastic of this card was ordered before.",
        ));
    }
    let mut card = stored.record.clone();
    card.plastic = true;
    let payload = Answer::with(&request.recipient.members)?
        .masked(&card)
        .seal(&vault.sealers, &request.recipient.public_key)?;
    let vault_proof = match permit {
        Some(permit) => vault.vault_proof(permit, Some(&payload))?,
        None => None,
    };
    let order = OrderRecord {
        order: vault.surroundings.random.order_token()?,
        card: token.clone(),
        kind: OrderKind::Print,
        state: OrderState::Ordered,
        renews: false,
        embossed_name: None,
        address: Some(address),
        placed_at: vault.now(),
    };
    card.order = Some(order.order.clone());
    event.note = Some(order.order.to_string());
    event.bdh = Some(BodyHash::of(&payload));
    let mut answer = SealedAnswer {
        payload,
        vault_proof,
        order: Some(order.order.clone()),
        // Known on the commit thread.
        audit_index: 0,
    };
    let slot = slot.clone();
    let work = move |tx: &mut crate::records::Tx<'_, '_>, _: &mut Event| {
        if !tx.is_unchanged(&stored)? {
            return Err(Error::Raced);
        }
        place_order(tx, &order, &card.program)?;
        tx.put(&card)?;
        answer.audit_index = tx.audit_index();
        slot.remember(tx, &answer)?;
        Ok(answer)
    };
    vault.commit(event, work).await
}
