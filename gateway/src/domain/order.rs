//! Orders of plastic as the gateway follows them: the bureau tells the vault, and the vault tells us.

use serde::{Deserialize, Serialize};
use shared::ids::OrderToken;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::card::CardId;

/// How long the bureau has to confirm: what the contract calls linking.
pub const CONFIRM_WITHIN: Duration = Duration::hours(48);

/// What is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKind {
    /// Plastic of a virtual card (Digital First): number, state and locks stay.
    Print,
    /// A card that is plastic from the start: linked on the bureau's word, then activated.
    Physical,
}

impl OrderKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Print, Self::Physical];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Print => "PRINT",
            Self::Physical => "PHYSICAL",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How far an order is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderState {
    /// Waits for the bureau.
    Ordered,
    /// The bureau has it.
    InProduction,
    /// The plastic is made.
    Confirmed,
    /// On its way.
    Shipped {
        /// Who carries it.
        carrier: Option<String>,
        /// The carrier's name for the letter.
        tracking_reference: Option<String>,
    },
    /// It came back. The bureau may send it again.
    Returned {
        /// The bureau's reason.
        reason: String,
    },
    /// It will not come.
    Failed {
        /// The bureau's reason.
        reason: String,
    },
}

impl OrderState {
    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ordered => "ORDERED",
            Self::InProduction => "IN_PRODUCTION",
            Self::Confirmed => "CONFIRMED",
            Self::Shipped { .. } => "SHIPPED",
            Self::Returned { .. } => "RETURNED",
            Self::Failed { .. } => "FAILED",
        }
    }

    /// Whether the bureau's confirmation is still to come.
    #[must_use]
    pub const fn waits_for_confirmation(&self) -> bool {
        matches!(self, Self::Ordered | Self::InProduction)
    }
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The vault's name for it.
    pub token: OrderToken,
    /// The card.
    pub card: CardId,
    /// What is ordered.
    pub kind: OrderKind,
    /// Whether it is the next plastic of a card that nears its end.
    pub renewal: bool,
    /// How far it is.
    pub state: OrderState,
    /// When it was placed, UTC.
    pub placed_at: OffsetDateTime,
    /// When it came to its state, UTC.
    pub changed_at: OffsetDateTime,
    /// When it was seen that the bureau is late with its confirmation. It stays after a late confirmation.
    pub overdue_at: Option<OffsetDateTime>,
}

/// How far plastic is, as everybody who sees the card is shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The order.
    #[schema(value_type = String, example = "ord_k3vq7m2ax5tnd4wz6hyb2cpgfe")]
    pub order: OrderToken,
    /// `PRINT` or `PHYSICAL`.
    pub kind: String,
    /// Whether it is the next plastic of a card that nears its end.
    #[serde(default)]
    pub renewal: bool,
    /// `ORDERED`, `IN_PRODUCTION`, `CONFIRMED`, `SHIPPED`, `RETURNED` or `FAILED`.
    pub state: String,
    /// When it was placed, UTC.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub placed_at: OffsetDateTime,
    /// When it came to its state, UTC.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: OffsetDateTime,
    /// Whether the bureau was late to confirm it.
    pub overdue: bool,
    /// Who carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's name for the letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_reference: Option<String>,
    /// Why it came back or will not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<&Order> for Delivery {
    fn from(order: &Order) -> Self {
        let (carrier, tracking_reference, reason) = match &order.state {
            OrderState::Ordered | OrderState::InProduction | OrderState::Confirmed => (None, None, None),
            OrderState::Shipped {
                carrier,
                tracking_reference,
            } => (carrier.clone(), tracking_reference.clone(), None),
            OrderState::Returned { reason } | OrderState::Failed { reason } => {
                (None, None, Some(reason.clone()))
            }
        };
        Self {
            order: order.token.clone(),
            kind: order.kind.as_str().to_owned(),
            renewal: order.renewal,
            state: order.state.as_str().to_owned(),
            placed_at: order.placed_at,
            changed_at: order.changed_at,
            overdue: order.overdue_at.is_some(),
            carrier,
            tracking_reference,
            reason,
        }
    }
}

/// An order with its card's number, as partners and operators are shown it: also of a card that its user does not see yet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownOrder {
    /// The card.
    pub card_id: i64,
    /// How far it is.
    #[serde(flatten)]
    pub delivery: Delivery,
}

impl From<&Order> for ShownOrder {
    fn from(order: &Order) -> Self {
        Self {
            card_id: order.card.0,
            delivery: Delivery::from(order),
        }
    }
}

/// An order on which the bureau is late, as operators are shown it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverdueOrder {
    /// Whose card it is.
    pub customer_id: i64,
    /// The order.
    #[serde(flatten)]
    pub order: ShownOrder,
}
