//! Order the next plastic of a card that nears its end. Number and PIN stay; the next end and, where it is printed, the next
//! CVV2 are drawn now, for the bureau's line, and hold from when the plastic takes over (`take_over`). Until then the card is
//! what it was.
//!
//! Name and address are the gateway's word, as those of plastic to the address on file are: written down as asserted, only where
//! two officers permit that for the program, in the last months of a card that is open, one order at a time, and given to the
//! bureau within its budget.

use std::sync::Arc;

use shared::expiry::Expiry;
use shared::ids::{CardToken, IdempotencyKey};
use shared::mtls::identity::Identity;
use shared::vault_api::cards::{RenewPlastic, RenewalOrdered};
use shared::vault_api::plastic::OrderKind;
use zeroize::Zeroizing;

use super::order_card::needs_bureau;
use super::orders::{self, OrderRecord, refused};
use super::renew::due;
use crate::audit::event::{Assurance, Event, Operation, Outcome};
use crate::domain::card::{Card, NextTerm, SealedField};
use crate::domain::order::OrderState;
use crate::domain::plastic::{DeliveryAddress, EmbossedName};
use crate::error::Error;
use crate::idempotency::{Logged, Slot};
use crate::open_vault::OpenVault;
use crate::records::Tx;

impl Logged for RenewalOrdered {}

/// Places the order. Asked again, the order that is under way or has taken over is told, and nothing done.
///
/// # Errors
/// What cannot be printed; `NO_BUREAU`, `RENEWAL_NOT_PERMITTED`; a one-way flag; another issuer's card; `RENEWAL_NOT_DUE`, `RENEWAL_NOT_POSSIBLE`.
pub async fn renew_plastic(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    token: CardToken,
    key: &IdempotencyKey,
    request: RenewPlastic,
) -> Result<RenewalOrdered, Error> {
    let slot = slot(caller, &token, key, &request, vault.now())?;
    if let Some(answer) = vault.replay(&slot, &event).await? {
        return Ok(answer);
    }
    let context = vault.card(&token)?;
    context.describe(&mut event);
    event.assurance = Some(Assurance::Asserted);
    address(&request)?;
    name(&request)?;
    needs_bureau(&context.program)?;
    if !context.program.program().renews_plastic {
        return Err(Error::conflict(
            "RENEWAL_NOT_PERMITTED",
            "The program does not renew plastic on the gateway's word.",
        ));
    }
    let attempt = async || place(vault, event.clone(), &token, &slot, &request).await;
    vault.attempt(Some((&slot, &event)), attempt).await
}

fn slot(
    caller: &Identity,
    card: &CardToken,
    key: &IdempotencyKey,
    request: &RenewPlastic,
    now: i64,
) -> Result<Slot, Error> {
    let says = serde_json::to_vec(&(request.ends, &request.embossed_name, &request.address));
    let says = says
        .map(Zeroizing::new)
        .map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Slot::new(
        caller,
        Operation::OrderRenewal,
        card.as_str(),
        key,
        &[&says],
        now,
    ))
}

fn address(request: &RenewPlastic) -> Result<DeliveryAddress, Error> {
    let address: DeliveryAddress = request.address.clone().into();
    address.checked().map_err(refused)
}

fn name(request: &RenewPlastic) -> Result<Option<EmbossedName>, Error> {
    let name = request.embossed_name.clone().map(Zeroizing::new);
    name.map(EmbossedName::parse).transpose().map_err(refused)
}

async fn place(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: &CardToken,
    slot: &Slot,
    request: &RenewPlastic,
) -> Result<RenewalOrdered, Error> {
    let stored = vault.card_alone(token)?;
    stored.record.standing.permits_use()?;
    stored.record.issuer_is_here()?;
    let newest = newest_order(vault, &stored.record)?;
    if let Some(answer) = ordered_before(&stored.record, newest.as_ref(), request.ends) {
        event.outcome = Outcome::Replayed;
        vault.commit(event, |_, _| Ok(())).await?;
        return Ok(answer);
    }
    due(vault, &stored.record, request.ends)?;
    let kind = kind(&stored.record, newest.as_ref())?;
    let mut card = stored.record.clone();
    let months = vault.program(&card.program)?.program().validity_months;
    let order = OrderRecord {
        order: vault.surroundings.random.order_token()?,
        card: token.clone(),
        kind,
        state: OrderState::Ordered,
        renews: true,
        embossed_name: embossed(kind, request)?,
        address: Some(address(request)?),
        placed_at: vault.now(),
    };
    let next = NextTerm {
        order: order.order.clone(),
        exp: request.ends.plus_months(months),
        cvv: printed_code(vault, &card, kind)?,
    };
    let answer = RenewalOrdered {
        card: token.clone(),
        exp: next.exp,
        order: order.order.clone(),
        kind,
    };
    event.note = Some(order.order.to_string());
    (card.order, card.next) = (Some(order.order.clone()), Some(next));
    let slot = slot.clone();
    let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
        if !tx.is_unchanged(&stored)? {
            return Err(Error::Raced);
        }
        // Of the former order nobody needs name and address any more, should they still be here.
        orders::forget_person(tx, &stored.record)?;
        orders::place(tx, &order, &card.program)?;
        tx.put(&card)?;
        slot.remember(tx, &answer)?;
        Ok(answer)
    };
    vault.commit(event, work).await
}

fn newest_order(vault: &OpenVault, card: &Card) -> Result<Option<OrderRecord>, Error> {
    let Some(order) = &card.order else {
        return Ok(None);
    };
    orders::find(vault, order).map(|found| found.map(|stored| stored.record))
}

/// The order that was placed for this end, while it is under way and once its plastic has taken over.
fn ordered_before(card: &Card, newest: Option<&OrderRecord>, ends: Expiry) -> Option<RenewalOrdered> {
    let newest = newest.filter(|order| order.renews)?;
    let exp = match card.next_by(&newest.order) {
        Some(next) if card.exp == ends => next.exp,
        None if card.exp > ends => card.exp,
        _ => return None,
    };
    Some(RenewalOrdered {
        card: card.token.clone(),
        exp,
        order: newest.order.clone(),
        kind: newest.kind,
    })
}

/// What is made: what the card's plastic has been. Plastic that was not ordered here shows what is on it.
fn kind(card: &Card, newest: Option<&OrderRecord>) -> Result<OrderKind, Error> {
    let not_possible = |message| Err(Error::conflict("RENEWAL_NOT_POSSIBLE", message));
    if !card.plastic {
        return not_possible("A card without plastic is renewed in place.");
    }
    match newest {
        Some(order) if order.state.is_unmade() => not_possible("Plastic of this card is being made."),
        Some(order) => Ok(order.kind),
        None => Ok(OrderKind::Physical),
    }
}

fn embossed(kind: OrderKind, request: &RenewPlastic) -> Result<Option<EmbossedName>, Error> {
    match (kind, name(request)?) {
        (OrderKind::Print, _) => Ok(None),
        (OrderKind::Physical, Some(name)) => Ok(Some(name)),
        (OrderKind::Physical, None) => Err(Error::Validation {
            field: "embossedName",
            code: "REQUIRED",
            message: "a physical card has a name on it".into(),
        }),
    }
}

/// The next CVV2, where it is printed.
fn printed_code(vault: &OpenVault, card: &Card, kind: OrderKind) -> Result<Option<SealedField>, Error> {
    match kind {
        OrderKind::Print => Ok(None),
        OrderKind::Physical => {
            let cvv = vault.surroundings.random.cvv()?;
            let version = Card::next_version(card.cvv.as_ref());
            vault.secrets(card)?.seal_next_cvv(&cvv, version).map(Some)
        }
    }
}
