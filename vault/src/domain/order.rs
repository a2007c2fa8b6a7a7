//! An order of plastic: one way from the order to the holder, each step the bureau's word.

use serde::{Deserialize, Serialize};
use shared::ids::BatchToken;
use shared::vault_api::plastic::{FailureReason, OrderStateName, ReturnReason};

/// How far an order is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum OrderState {
    /// Waits for the bureau.
    #[default]
    Ordered,
    /// In a batch that the bureau has.
    InProduction {
        /// The batch.
        batch: BatchToken,
    },
    /// The plastic is made.
    Confirmed,
    /// Handed to the carrier.
    Shipped,
    /// Came back; may be sent again.
    Returned {
        /// Why.
        reason: ReturnReason,
    },
    /// Will not come.
    Failed {
        /// Why.
        reason: FailureReason,
    },
}

/// A step that does not follow from where the order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the order's state does not allow this step")]
pub struct WrongStep;

impl OrderState {
    /// Given to the bureau.
    ///
    /// # Errors
    /// [`WrongStep`].
    pub fn produce(&self, batch: BatchToken) -> Result<Self, WrongStep> {
        match self {
            Self::Ordered => Ok(Self::InProduction { batch }),
            _ => Err(WrongStep),
        }
    }

    /// The plastic is made.
    ///
    /// # Errors
    /// [`WrongStep`].
    pub fn confirm(&self) -> Result<Self, WrongStep> {
        match self {
            Self::InProduction { .. } => Ok(Self::Confirmed),
            _ => Err(WrongStep),
        }
    }

    /// Handed to the carrier, for the first time or after it came back.
    ///
    /// # Errors
    /// [`WrongStep`].
    pub fn ship(&self) -> Result<Self, WrongStep> {
        match self {
            Self::Confirmed | Self::Returned { .. } => Ok(Self::Shipped),
            _ => Err(WrongStep),
        }
    }

    /// Came back.
    ///
    /// # Errors
    /// [`WrongStep`].
    pub fn come_back(&self, reason: ReturnReason) -> Result<Self, WrongStep> {
        match self {
            Self::Shipped => Ok(Self::Returned { reason }),
            _ => Err(WrongStep),
        }
    }

    /// Will not come: at any time once the bureau has it, and before that when its card is gone.
    ///
    /// # Errors
    /// [`WrongStep`].
    pub fn fail(&self, reason: FailureReason) -> Result<Self, WrongStep> {
        match self {
            Self::Ordered if reason == FailureReason::CardClosed => Ok(Self::Failed { reason }),
            Self::Ordered | Self::Failed { .. } => Err(WrongStep),
            Self::InProduction { .. } | Self::Confirmed | Self::Shipped | Self::Returned { .. } => {
                Ok(Self::Failed { reason })
            }
        }
    }

    /// Whether there is no plastic yet.
    #[must_use]
    pub const fn is_unmade(&self) -> bool {
        matches!(self, Self::Ordered | Self::InProduction { .. })
    }

    /// Whether there is plastic that is with its holder, or on its way there.
    #[must_use]
    pub const fn may_be_in_hand(&self) -> bool {
        matches!(self, Self::Confirmed | Self::Shipped)
    }

    /// The name on the wire.
    #[must_use]
    pub const fn name(&self) -> OrderStateName {
        match self {
            Self::Ordered => OrderStateName::Ordered,
            Self::InProduction { .. } => OrderStateName::InProduction,
            Self::Confirmed => OrderStateName::Confirmed,
            Self::Shipped => OrderStateName::Shipped,
            Self::Returned { .. } => OrderStateName::Returned,
            Self::Failed { .. } => OrderStateName::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> BatchToken {
        BatchToken::from_random(&[1; 16]).unwrap()
    }

    fn states() -> [OrderState; 6] {
        [
            OrderState::Ordered,
            OrderState::InProduction { batch: batch() },
            OrderState::Confirmed,
            OrderState::Shipped,
            OrderState::Returned {
                reason: ReturnReason::Refused,
            },
            OrderState::Failed {
                reason: FailureReason::Lost,
            },
        ]
    }

    /// Which steps lead on, from each state: produce, confirm, ship, come back, fail.
    #[test]
    fn the_whole_table() {
        let table = [
            ("ORDERED", [true, false, false, false, false]),
            ("IN_PRODUCTION", [false, true, false, false, true]),
            ("CONFIRMED", [false, false, true, false, true]),
            ("SHIPPED", [false, false, false, true, true]),
            ("RETURNED", [false, false, true, false, true]),
            ("FAILED", [false, false, false, false, false]),
        ];
        for (state, (name, expected)) in states().into_iter().zip(table) {
            let steps = [
                state.produce(batch()),
                state.confirm(),
                state.ship(),
                state.come_back(ReturnReason::Other),
                state.fail(FailureReason::Other),
            ];
            assert_eq!(steps.map(|step| step.is_ok()), expected, "{name}");
            let in_hand = matches!(name, "CONFIRMED" | "SHIPPED");
            assert_eq!(state.may_be_in_hand(), in_hand, "{name}");
            assert_eq!(serde_json::to_value(state.name()).unwrap(), name);
        }
    }

    #[test]
    fn only_the_card_itself_ends_an_order_that_nobody_has() {
        assert!(OrderState::Ordered.fail(FailureReason::CardClosed).is_ok());
        assert!(OrderState::Ordered.fail(FailureReason::Material).is_err());
    }
}
