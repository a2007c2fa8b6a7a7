//! Orders of plastic as the gateway follows them: the bureau tells the vault, and the vault tells us.

use shared::ids::OrderToken;
use time::{Duration, OffsetDateTime};

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
    /// How far it is.
    pub state: OrderState,
    /// When it was placed, UTC.
    pub placed_at: OffsetDateTime,
    /// When it came to its state, UTC.
    pub changed_at: OffsetDateTime,
    /// When it was seen that the bureau is late with its confirmation. It stays after a late confirmation.
    pub overdue_at: Option<OffsetDateTime>,
}
