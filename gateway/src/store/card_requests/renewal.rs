//! How a card goes on, as work at the vault: at once, by its next plastic, and when that is in its holder's hands.

use serde::{Deserialize, Serialize};
use shared::ids::CardToken;
use shared::vault_api::cards::{ActivateRenewal, RenewCard, RenewPlastic};

use crate::domain::lock::Party;
use crate::store::StoreError;

/// Move the end of a card on.
#[derive(Serialize, Deserialize)]
pub struct Renew {
    /// The card.
    pub card: CardToken,
    /// What the vault is asked.
    pub call: RenewCard,
}

/// Order the next plastic of a card: to the address on file, with the name on file, both in the call.
#[derive(Serialize, Deserialize)]
pub struct RenewedPlastic {
    /// The card.
    pub card: CardToken,
    /// What the vault is asked.
    pub call: RenewPlastic,
}

/// Take a card's next plastic into use.
#[derive(Serialize, Deserialize)]
pub struct RenewalActivation {
    card: CardToken,
    by: String,
    call: ActivateRenewal,
}

impl RenewalActivation {
    /// Activating the next plastic of `card` for this party by `call`.
    #[must_use]
    pub fn new(card: CardToken, by: Party, call: ActivateRenewal) -> Self {
        Self {
            card,
            by: by.as_str().to_owned(),
            call,
        }
    }

    /// The card.
    #[must_use]
    pub const fn card(&self) -> &CardToken {
        &self.card
    }

    /// What the vault is asked.
    #[must_use]
    pub const fn call(&self) -> &ActivateRenewal {
        &self.call
    }

    /// Who has it in hand, or vouches for that.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn by(&self) -> Result<Party, StoreError> {
        Party::from_name(&self.by).ok_or(StoreError::Corrupt("task.by"))
    }
}
