//! Order a physical card: draw a number, seal it, and keep the order for the bureau. The answer shows the masked card; its
//! number the holder sees on the plastic, or reveals once the card is theirs.
//!
//! Plastic in the post is a reveal by other means, so the order is proven; an operator's, who has nothing to prove with, is
//! written down as asserted. Name and address are read here alone.

use std::sync::Arc;

use serde::Deserialize;
use shared::expiry::Expiry;
use shared::ids::{HolderToken, IdempotencyKey};
use shared::jwe::BodyHash;
use shared::jws::holder_proof::Op;
use shared::mtls::identity::Identity;
use shared::public_key::PublicKey;
use shared::vault_api::plastic::{OpenOrderPayload, OrderCard, OrderKind, OrderPayload, OrderedCard};
use shared::vault_api::{Actor, Channel};
use zeroize::Zeroizing;

use super::answer::Answer;
use super::new_card::{Clear, NewCard};
use super::orders::{OrderRecord, place, refused};
use super::prove::{Claim, Permit};
use crate::audit::event::{Assurance, Event, Operation};
use crate::challenges::Purpose;
use crate::domain::holder::Holder;
use crate::domain::order::OrderState;
use crate::domain::plastic::{DeliveryAddress, EmbossedName};
use crate::domain::program::Rules;
use crate::error::Error;
use crate::idempotency::{Logged, Slot};
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};

impl Logged for OrderedCard {
    fn body_hash(&self) -> Option<BodyHash> {
        Some(BodyHash::of(&self.payload))
    }

    fn set_index(&mut self, index: u64) {
        self.audit_index = index;
    }
}

/// What a holder sealed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Payload {
    balance_id: u64,
    embossed_name: Zeroizing<String>,
    delivery_address: DeliveryAddress,
}

/// What is to be made, read and judged.
struct Wish {
    balance_id: u64,
    name: EmbossedName,
    address: DeliveryAddress,
}

/// Judges proof and payload of an order and gives the one member that is not personal. Spends nothing.
///
/// # Errors
/// The proof's, then the payload's, then `NO_BUREAU`.
pub async fn open_payload(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: HolderToken,
    request: OpenOrderPayload,
) -> Result<OrderPayload, Error> {
    let holder = vault.holder(&token)?.record;
    let program = vault.program(&holder.program)?;
    event.program = Some(holder.program.clone());
    let asked = Asked {
        actor: &request.actor,
        recipient: &request.public_key,
        payload: &request.payload,
        holder_proof: request.holder_proof.as_deref(),
        order_key: request.order_key.as_ref(),
    };
    judge(vault, &holder, &program, &asked)?;
    let wish = open(vault, &request.payload).await?;
    needs_bureau(&program)?;
    vault.commit(event, |_, _| Ok(())).await?;
    Ok(OrderPayload {
        balance_id: wish.balance_id,
    })
}

/// The members of both requests that a proof is about.
struct Asked<'a> {
    actor: &'a Actor,
    recipient: &'a PublicKey,
    payload: &'a str,
    holder_proof: Option<&'a str>,
    order_key: Option<&'a IdempotencyKey>,
}

/// No permit: an operator's order without a proof.
fn judge(
    vault: &OpenVault,
    holder: &Holder,
    program: &Rules,
    asked: &Asked<'_>,
) -> Result<Option<Permit>, Error> {
    if asked.holder_proof.is_none() && asked.actor.channel == Channel::Admin {
        return Ok(None);
    }
    let order_key = asked.order_key.ok_or(Error::Validation {
        field: "Idempotency-Key",
        code: "REQUIRED",
        message: "the proof of an order names the request's Idempotency-Key".into(),
    })?;
    let claim = Claim {
        op: Op::Order,
        subject: order_key.as_str(),
        purpose: Purpose::Holder(holder.token.clone()),
        holder,
        program,
        recipient: asked.recipient,
        payload: Some(asked.payload),
    };
    vault.judge_proof(asked.holder_proof, claim).map(Some)
}

async fn open(vault: &OpenVault, payload: &str) -> Result<Wish, Error> {
    let plain = vault.open_payload(payload).await?;
    // serde's own words may repeat what was in the payload.
    let shape = |_| Error::InvalidPayload("not {balanceId, embossedName, deliveryAddress}".into());
    let payload: Payload = serde_json::from_slice(&plain).map_err(shape)?;
    Ok(Wish {
        balance_id: payload.balance_id,
        name: EmbossedName::parse(payload.embossed_name).map_err(refused)?,
        address: payload.delivery_address.checked().map_err(refused)?,
    })
}

pub(super) fn needs_bureau(program: &Rules) -> Result<(), Error> {
    match program.program().bureau {
        Some(_) => Ok(()),
        None => Err(Error::conflict(
            "NO_BUREAU",
            "The program has no personalisation bureau.",
        )),
    }
}

/// Orders a card.
///
/// # Errors
/// The proof's, then the payload's, then `NO_BUREAU`, a used-up budget.
pub async fn order(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    token: HolderToken,
    key: &IdempotencyKey,
    request: OrderCard,
) -> Result<OrderedCard, Error> {
    let holder = vault.holder(&token)?.record;
    let program = vault.program(&holder.program)?;
    let slot = slot(caller, &holder, key, &request, vault.now())?;
    if let Some(answer) = vault.replay(&slot, &event).await? {
        return Ok(answer);
    }
    let asked = Asked {
        actor: &request.actor,
        recipient: &request.recipient.public_key,
        payload: &request.payload,
        holder_proof: request.holder_proof.as_deref(),
        order_key: request.order_key.as_ref(),
    };
    let permit = judge(vault, &holder, &program, &asked)?;
    event.assurance = Some(match &permit {
        Some(permit) => vault.spend(permit).await?,
        None => Assurance::Asserted,
    });
    needs_bureau(&program)?;
    event.program = Some(holder.program.clone());
    vault
        .attempt(Some((&slot, &event)), async || {
            // Opened at each try: what is personal is not copied about.
            let wish = open(vault, &request.payload).await?;
            let draft = Draft::draw(vault, &holder, &program, wish)?;
            let answer = draft.answer(vault, &request, permit.as_ref())?;
            draft.commit(vault, event.clone(), &holder, &slot, answer).await
        })
        .await
}

fn slot(
    caller: &Identity,
    holder: &Holder,
    key: &IdempotencyKey,
    request: &OrderCard,
    now: i64,
) -> Result<Slot, Error> {
    let members = serde_json::to_vec(&request.recipient.members);
    let members = members.map_err(|error| Error::Internal(error.to_string()))?;
    let thumbprint = request.recipient.public_key.thumbprint().to_string();
    let says = [
        members.as_slice(),
        thumbprint.as_bytes(),
        request.payload.as_bytes(),
    ];
    Ok(Slot::new(
        caller,
        Operation::Order,
        holder.token.as_str(),
        key,
        &says,
        now,
    ))
}

/// A card and its order, sealed, and not yet anybody's.
struct Draft {
    new: NewCard,
    order: OrderRecord,
}

impl Draft {
    fn draw(vault: &OpenVault, holder: &Holder, program: &Rules, wish: Wish) -> Result<Self, Error> {
        let random = &vault.surroundings.random;
        let (pan, cvv) = (random.pan(program.bin())?, random.cvv()?);
        let clear = Clear {
            pan: &pan,
            exp: Expiry::months_after(vault.surroundings.clock.now(), program.program().validity_months),
            cvv: Some(&cvv),
            pin: None,
        };
        let token = random.order_token()?;
        let new = NewCard::seal(vault, holder, &clear)?
            .of_plastic()
            .ordered_as(token.clone());
        let order = OrderRecord {
            order: token,
            card: new.card().token.clone(),
            kind: OrderKind::Physical,
            state: OrderState::Ordered,
            renews: false,
            embossed_name: Some(wish.name),
            address: Some(wish.address),
            placed_at: vault.now(),
        };
        Ok(Self { new, order })
    }

    fn answer(
        &self,
        vault: &OpenVault,
        request: &OrderCard,
        permit: Option<&Permit>,
    ) -> Result<OrderedCard, Error> {
        let card = self.new.card();
        let payload = Answer::with(&request.recipient.members)?
            .masked(card)
            .seal(&vault.sealers, &request.recipient.public_key)?;
        let vault_proof = match permit {
            Some(permit) => vault.vault_proof(permit, Some(&payload))?,
            None => None,
        };
        Ok(OrderedCard {
            card: card.token.clone(),
            masked_card_no: card.masked.clone(),
            exp: card.exp,
            order: self.order.order.clone(),
            payload,
            vault_proof,
            // Known on the commit thread.
            audit_index: 0,
        })
    }

    async fn commit(
        self,
        vault: &Arc<OpenVault>,
        mut event: Event,
        holder: &Holder,
        slot: &Slot,
        mut answer: OrderedCard,
    ) -> Result<OrderedCard, Error> {
        let Self { new, order } = self;
        event.card = Some(answer.card.clone());
        event.note = Some(answer.order.to_string());
        event.bdh = answer.body_hash();
        let (slot, holder_key, program) = (slot.clone(), holder.key(), holder.program.clone());
        let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
            let mut holder: Holder = tx.get(&holder_key)?.ok_or(Error::NotFound("holder"))?;
            // Somebody may have this number already: then another is drawn.
            new.put(tx, &mut holder)?;
            place(tx, &order, &program)?;
            answer.audit_index = tx.audit_index();
            slot.remember(tx, &answer)?;
            Ok(answer)
        };
        vault.commit(event, work).await
    }
}
