//! Work that brings an existing card into the vault.

use serde::{Deserialize, Serialize};
use shared::ids::HolderToken;
use shared::vault_api::tokens::{CardKind, TokeniseCard, TokeniseRow};

use super::new_cards::card;
use crate::domain::balance::BalanceId;
use crate::domain::card::{CardId, CardOrigin, CardState, CardType, NewCard, Standing};
use crate::store::{StoreError, millis};

/// Tokenise a card.
#[derive(Serialize, Deserialize)]
pub struct Tokenise {
    holder: HolderToken,
    user: i64,
    balance: i64,
    name: Option<String>,
    kind: CardKind,
    foreign: bool,
    asked_at: i64,
    pub(super) call: TokeniseCard,
}

impl Tokenise {
    /// Bringing in `card`, as `holder`'s, by `call`.
    #[must_use]
    pub fn new(
        holder: HolderToken,
        card: &NewCard,
        (kind, foreign): (CardKind, bool),
        call: TokeniseCard,
    ) -> Self {
        Self {
            holder,
            user: card.user.0,
            balance: card.balance.0,
            name: card.name.as_ref().map(|name| name.as_str().to_owned()),
            kind,
            foreign,
            asked_at: millis(card.created_at),
            call,
        }
    }

    /// The balance on which the card is being made.
    pub(super) const fn balance(&self) -> BalanceId {
        BalanceId(self.balance)
    }

    /// Whose card it will be, in the vault's words.
    #[must_use]
    pub const fn holder(&self) -> &HolderToken {
        &self.holder
    }

    /// What the vault is asked.
    #[must_use]
    pub const fn call(&self) -> &TokeniseCard {
        &self.call
    }

    /// The card to be, under the number that was set aside for it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn card(&self, id: CardId) -> Result<NewCard, StoreError> {
        card((id, self.user, self.balance), self.name.as_deref(), self.asked_at)
    }

    /// What the card will be.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        brought_in(self.kind, self.foreign)
    }
}

/// Bring in the card of a row of a mass import.
#[derive(Serialize, Deserialize)]
pub struct BringRow {
    holder: HolderToken,
    user: i64,
    balance: i64,
    name: Option<String>,
    asked_at: i64,
    call: TokeniseRow,
}

impl BringRow {
    /// Bringing in `card`, as `holder`'s, by `call`.
    #[must_use]
    pub fn new(holder: HolderToken, card: &NewCard, call: TokeniseRow) -> Self {
        Self {
            holder,
            user: card.user.0,
            balance: card.balance.0,
            name: card.name.as_ref().map(|name| name.as_str().to_owned()),
            asked_at: millis(card.created_at),
            call,
        }
    }

    /// The balance on which the card is being made.
    pub(super) const fn balance(&self) -> BalanceId {
        BalanceId(self.balance)
    }

    /// Whose card it will be, in the vault's words.
    #[must_use]
    pub const fn holder(&self) -> &HolderToken {
        &self.holder
    }

    /// What the vault is asked.
    #[must_use]
    pub const fn call(&self) -> &TokeniseRow {
        &self.call
    }

    /// The card to be, under the number that was set aside for it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn card(&self, id: CardId) -> Result<NewCard, StoreError> {
        card((id, self.user, self.balance), self.name.as_deref(), self.asked_at)
    }
}

/// A card that was brought in is in use already.
#[must_use]
pub const fn brought_in(kind: CardKind, foreign: bool) -> Standing {
    Standing {
        kind: match kind {
            CardKind::Virtual => CardType::Virtual,
            CardKind::Physical => CardType::Physical,
        },
        state: CardState::Active,
        origin: if foreign {
            CardOrigin::Foreign
        } else {
            CardOrigin::Tokenised
        },
        replaced: false,
        renewal: None,
    }
}
