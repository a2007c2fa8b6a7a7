//! What the bureau says of an order: made, handed to the carrier, came back, will not come.

use std::sync::Arc;

use shared::expiry::Expiry;
use shared::ids::{IdempotencyKey, OrderToken};
use shared::mtls::identity::Identity;
use shared::vault_api::notices::NoticeKind;
use shared::vault_api::plastic::{BureauOrder, FailureReason, OrderStateName, ReturnReason, ShipOrder};

use super::batch::card_of;
use super::{OrderRecord, fail, is_of, move_on, order_key, wrong_step};
use crate::audit::event::{Event, Operation};
use crate::domain::card::{Card, NextTerm};
use crate::domain::pan::Pan;
use crate::error::Error;
use crate::flows::take_over::taken_over;
use crate::idempotency::{Logged, Slot};
use crate::open_vault::OpenVault;
use crate::records::{Stored, Tx};

/// Longest name of a carrier or a letter, characters.
const MOST_CHARACTERS: usize = 64;

/// A step of an order.
pub enum Step {
    /// The plastic is made.
    Confirm,
    /// Handed to the carrier.
    Ship(ShipOrder),
    /// Came back.
    Return(ReturnReason),
    /// Will not come.
    Fail(FailureReason),
}

impl Step {
    fn says(&self) -> String {
        match self {
            Self::Confirm => "confirm".to_owned(),
            Self::Ship(ship) => format!("ship {:?} {:?}", ship.carrier, ship.tracking_reference),
            Self::Return(reason) => format!("return {}", reason.as_str()),
            Self::Fail(reason) => format!("fail {}", reason.as_str()),
        }
    }

    /// What an auditor reads: what came, without the carrier's words.
    const fn word(&self) -> &'static str {
        match self {
            Self::Confirm => "confirmed",
            Self::Ship(_) => "shipped",
            Self::Return(_) => "returned",
            Self::Fail(_) => "failed",
        }
    }

    fn check(&self, vault: &OpenVault) -> Result<(), Error> {
        match self {
            Self::Confirm | Self::Return(_) => Ok(()),
            Self::Ship(ship) => {
                check_text(vault, "carrier", ship.carrier.as_deref())?;
                check_text(vault, "trackingReference", ship.tracking_reference.as_deref())
            }
            Self::Fail(FailureReason::CardClosed) => Err(Error::Validation {
                field: "reason",
                code: "NOT_ALLOWED",
                message: "that a card was closed the vault says by itself".into(),
            }),
            Self::Fail(_) => Ok(()),
        }
    }
}

impl Logged for BureauOrder {}

/// Takes a step.
///
/// # Errors
/// There is no such order of this bureau's programs; `ORDER_STATE` for a step that does not follow.
pub async fn change(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    order: OrderToken,
    key: &IdempotencyKey,
    step: Step,
) -> Result<BureauOrder, Error> {
    step.check(vault)?;
    event.note = Some(format!("{order} {}", step.word()));
    let says = step.says();
    let slot = Slot::new(
        caller,
        event.operation,
        order.as_str(),
        key,
        &[says.as_bytes()],
        vault.now(),
    );
    if let Some(answer) = vault.replay(&slot, &event).await? {
        return Ok(answer);
    }
    let attempt = async || take(vault, event.clone(), caller, &order, &slot, &step).await;
    vault.attempt(Some((&slot, &event)), attempt).await
}

async fn take(
    vault: &Arc<OpenVault>,
    event: Event,
    caller: &Identity,
    order: &OrderToken,
    slot: &Slot,
    step: &Step,
) -> Result<BureauOrder, Error> {
    let destroy_at = vault
        .now()
        .saturating_add(vault.surroundings.retention.grace_seconds);
    let takes_over = match step {
        Step::Confirm => TakeOver::prepare(vault, order)?,
        Step::Ship(_) | Step::Return(_) | Step::Fail(_) => None,
    };
    let (registers, at) = (vault.registers(), event.at);
    let (caller, order, slot, step) = (caller.clone(), order.clone(), slot.clone(), step.copied());
    let work = move |tx: &mut Tx<'_, '_>, event: &mut Event| {
        let record: Option<OrderRecord> = tx.get(&order_key(&order))?;
        let record = record.ok_or(Error::NotFound("order"))?;
        let card = card_of(tx, &record)?;
        let rules = registers.program(&card.program);
        if !rules.is_some_and(|rules| is_of(rules, &caller)) {
            return Err(Error::NotFound("order"));
        }
        event.program = Some(card.program.clone());
        event.holder = Some(card.holder.clone());
        event.card = Some(card.token.clone());
        let state = match step {
            Step::Fail(reason) => {
                fail(tx, record, card, reason, (at, destroy_at))?;
                OrderStateName::Failed
            }
            Step::Confirm => {
                let next = record.state.confirm().map_err(wrong_step)?;
                let program = card.program.clone();
                let exp = begin_next_term(tx, &record, card, takes_over, event)?;
                advance(tx, record, &program, next, NoticeKind::OrderLinked { exp }, at)?
            }
            Step::Ship(ship) => {
                let next = record.state.ship().map_err(wrong_step)?;
                let notice = NoticeKind::OrderShipped {
                    carrier: ship.carrier,
                    tracking_reference: ship.tracking_reference,
                };
                advance(tx, record, &card.program, next, notice, at)?
            }
            Step::Return(reason) => {
                let next = record.state.come_back(reason).map_err(wrong_step)?;
                let notice = NoticeKind::OrderReturned {
                    reason: reason.as_str().to_owned(),
                };
                advance(tx, record, &card.program, next, notice, at)?
            }
        };
        let answer = BureauOrder { order, state };
        slot.remember(tx, &answer)?;
        Ok(answer)
    };
    vault.commit(event, work).await
}

/// A card whose next plastic takes over with the bureau's confirmation, before and after.
struct TakeOver {
    before: Stored<Card>,
    after: Card,
}

impl TakeOver {
    /// Outside the transaction: it takes the card's data key.
    fn prepare(vault: &OpenVault, order: &OrderToken) -> Result<Option<Self>, Error> {
        let Some(order) = super::find(vault, order)? else {
            return Ok(None);
        };
        let before = vault.card_alone(&order.record.card)?;
        if !at_confirmation(&order.record, &before.record) {
            return Ok(None);
        }
        let after = taken_over(vault, &before.record)?;
        Ok(Some(Self { before, after }))
    }
}

/// Whether the card goes on with the plastic as soon as it is made: where a code is printed it waits for its holder, and what
/// is closed or locked for good does not go on.
fn at_confirmation(order: &OrderRecord, card: &Card) -> bool {
    let unprinted = |next: &NextTerm| next.cvv.is_none();
    order.renews && card.standing.permits_use().is_ok() && card.next_by(&order.order).is_some_and(unprinted)
}

/// Has the card go on, if it does so with the confirmation; gives its end then. A card that is dead forgets what it would have
/// gone on with.
fn begin_next_term(
    tx: &mut Tx<'_, '_>,
    order: &OrderRecord,
    mut card: Card,
    prepared: Option<TakeOver>,
    event: &Event,
) -> Result<Option<Expiry>, Error> {
    if !at_confirmation(order, &card) {
        if card.next_by(&order.order).is_some() && card.standing.permits_use().is_err() {
            card.next = None;
            tx.put(&card)?;
        }
        return Ok(None);
    }
    let TakeOver { before, after } = prepared.ok_or(Error::Raced)?;
    if !tx.is_unchanged(&before)? {
        return Err(Error::Raced);
    }
    tx.put(&after)?;
    let mut renewal = event.clone();
    renewal.operation = Operation::Renew;
    renewal.note = Some(order.order.to_string());
    tx.also(renewal);
    Ok(Some(after.exp))
}

impl Step {
    fn copied(&self) -> Self {
        match self {
            Self::Confirm => Self::Confirm,
            Self::Ship(ship) => Self::Ship(ship.clone()),
            Self::Return(reason) => Self::Return(*reason),
            Self::Fail(reason) => Self::Fail(*reason),
        }
    }
}

fn advance(
    tx: &mut Tx<'_, '_>,
    record: OrderRecord,
    program: &shared::ids::ProgramName,
    next: crate::domain::order::OrderState,
    notice: NoticeKind,
    at: time::OffsetDateTime,
) -> Result<OrderStateName, Error> {
    let name = next.name();
    move_on(tx, record, program, next, notice, at)?;
    Ok(name)
}

/// The carrier's words go to the gateway: printable, short, and no number of a card of ours among them.
fn check_text(vault: &OpenVault, field: &'static str, text: Option<&str>) -> Result<(), Error> {
    let Some(text) = text else { return Ok(()) };
    let refused = |message: &'static str| {
        Err(Error::Validation {
            field,
            code: "INVALID",
            message: message.into(),
        })
    };
    if !(1..=MOST_CHARACTERS).contains(&text.chars().count()) || text.contains(char::is_control) {
        return refused("1 to 64 printable characters");
    }
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
    let registers = vault.registers();
    let issued = |window: &[u8]| {
        Pan::parse(window).is_ok()
            && registers
                .programs()
                .any(|rules| window.starts_with(rules.program().bin.as_bytes()))
    };
    if (12..=19).any(|length| digits.windows(length).any(issued)) {
        return refused("a card number must not stand in here");
    }
    Ok(())
}
