//! Orders of plastic in the store: the order itself, a list of those that are not confirmed, and batches.
//!
//! Name and address stay with the order until the plastic is on its way or will not come; then they are gone from here.

pub mod batch;
pub mod change;
pub mod waiting;

use serde::{Deserialize, Serialize};
use shared::ids::{BatchToken, CardToken, OrderToken, ProgramName};
use shared::mtls::identity::Identity;
use shared::vault_api::notices::NoticeKind;
use shared::vault_api::plastic::{FailureReason, OrderKind};
use time::OffsetDateTime;

use crate::domain::card::Card;
use crate::domain::order::{OrderState, WrongStep};
use crate::domain::plastic::{Broken, DeliveryAddress, EmbossedName};
use crate::domain::program::Rules;
use crate::error::Error;
use crate::flows::{erase, notices};
use crate::open_vault::OpenVault;
use crate::records::{Record, Stored, Tx};
use crate::store::Tree;

/// An order.
#[derive(Serialize, Deserialize)]
pub struct OrderRecord {
    /// Its token.
    pub order: OrderToken,
    /// The card.
    pub card: CardToken,
    /// What is ordered.
    #[serde(default)]
    pub kind: OrderKind,
    /// How far it is.
    #[serde(default)]
    pub state: OrderState,
    /// Whether it is the next plastic of a card that had some.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renews: bool,
    /// What is embossed; a virtual card's plastic has no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embossed_name: Option<EmbossedName>,
    /// Where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<DeliveryAddress>,
    /// Unix seconds.
    pub placed_at: i64,
}

impl Record for OrderRecord {
    const TREE: Tree = Tree::Orders;
    fn key(&self) -> Vec<u8> {
        order_key(&self.order)
    }
}

fn order_key(order: &OrderToken) -> Vec<u8> {
    order.as_str().as_bytes().to_vec()
}

/// An order that the bureau has not confirmed: by program and age, those that wait apart from those in a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Unconfirmed {
    order: OrderToken,
    program: ProgramName,
    placed_at: i64,
    batch: Option<BatchToken>,
}

const WAITS: &str = "waits";
const MADE: &str = "made";

impl Record for Unconfirmed {
    const TREE: Tree = Tree::Batches;
    fn key(&self) -> Vec<u8> {
        let list = if self.batch.is_some() { MADE } else { WAITS };
        let mut key = prefix(list, &self.program);
        key.extend_from_slice(&self.placed_at.max(0).to_be_bytes());
        key.extend_from_slice(&order_key(&self.order));
        key
    }
}

fn prefix(list: &str, program: &ProgramName) -> Vec<u8> {
    format!("{list}/{program}/").into_bytes()
}

impl Unconfirmed {
    fn of(order: &OrderRecord, program: &ProgramName) -> Self {
        let batch = match &order.state {
            OrderState::InProduction { batch } => Some(batch.clone()),
            _ => None,
        };
        Self {
            order: order.order.clone(),
            program: program.clone(),
            placed_at: order.placed_at,
            batch,
        }
    }
}

/// Files a new order.
///
/// # Errors
/// The store's.
pub fn place(tx: &mut Tx<'_, '_>, order: &OrderRecord, program: &ProgramName) -> Result<(), Error> {
    tx.put(&Unconfirmed::of(order, program))?;
    tx.put(order)
}

/// An order, as it was read.
///
/// # Errors
/// The store's.
pub fn find(vault: &OpenVault, order: &OrderToken) -> Result<Option<Stored<OrderRecord>>, Error> {
    vault.records.get(&order_key(order))
}

/// Forgets what is personal of the order of a card that is destroyed, however far it is.
///
/// # Errors
/// The store's.
pub fn forget_person(tx: &mut Tx<'_, '_>, card: &Card) -> Result<(), Error> {
    let Some(order) = &card.order else {
        return Ok(());
    };
    let Some(mut order) = tx.get::<OrderRecord>(&order_key(order))? else {
        return Ok(());
    };
    (order.embossed_name, order.address) = (None, None);
    tx.put(&order)
}

/// Writes an order's next state, keeps the list, forgets what is personal once nobody needs it, and tells the gateway.
fn move_on(
    tx: &mut Tx<'_, '_>,
    mut order: OrderRecord,
    program: &ProgramName,
    next: OrderState,
    notice: NoticeKind,
    at: OffsetDateTime,
) -> Result<(), Error> {
    tx.delete::<Unconfirmed>(&Unconfirmed::of(&order, program).key())?;
    order.state = next;
    match &order.state {
        OrderState::Ordered | OrderState::InProduction { .. } => tx.put(&Unconfirmed::of(&order, program))?,
        OrderState::Confirmed | OrderState::Returned { .. } => {}
        OrderState::Shipped | OrderState::Failed { .. } => {
            order.embossed_name = None;
            order.address = None;
        }
    }
    tx.put(&order)?;
    notices::write(tx, notice, order.card, Some(order.order), at)
}

/// Ends an order. Before there is plastic a physical card is closed with it, for it was nobody's; a virtual one may have its
/// plastic ordered anew. Later the card stays as it is: its holder knows it. So does one whose next plastic will not come.
fn fail(
    tx: &mut Tx<'_, '_>,
    order: OrderRecord,
    mut card: Card,
    reason: FailureReason,
    (at, destroy_at): (OffsetDateTime, i64),
) -> Result<(), Error> {
    let next = order.state.fail(reason).map_err(wrong_step)?;
    let unmade = order.state.is_unmade();
    let card_closed = unmade && order.kind == OrderKind::Physical && !order.renews;
    if order.renews {
        if card.next_by(&order.order).is_some() {
            card.next = None;
            tx.put(&card)?;
        }
    } else if card_closed {
        erase::close(tx, &mut card, destroy_at)?;
    } else if unmade {
        card.plastic = false;
        tx.put(&card)?;
    }
    let notice = NoticeKind::OrderFailed {
        reason: reason.as_str().to_owned(),
        card_closed,
        plastic_void: unmade && !order.renews,
    };
    move_on(tx, order, &card.program, next, notice, at)
}

/// The refusal of a step.
fn wrong_step(_: WrongStep) -> Error {
    Error::conflict("ORDER_STATE", "The order's state does not allow this step.")
}

/// Whether this bureau works for the program.
fn is_of(rules: &Rules, bureau: &Identity) -> bool {
    matches!(bureau, Identity::Bureau(name) if rules.program().bureau.as_deref() == Some(name.as_str()))
}

/// A name or an address that cannot be printed, as an error of ours.
pub fn refused(broken: Broken) -> Error {
    Error::Validation {
        field: broken.field,
        code: "INVALID",
        message: broken.message.into(),
    }
}
