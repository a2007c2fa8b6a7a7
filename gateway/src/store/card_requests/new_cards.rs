//! Work that makes a card here: one that is issued, one that is ordered.

use serde::{Deserialize, Serialize};
use shared::ids::HolderToken;
use shared::vault_api::cards::IssueCard;
use shared::vault_api::plastic::OrderCard;

use crate::domain::balance::BalanceId;
use crate::domain::card::{CardId, CardName, NewCard};
use crate::domain::user::UserId;
use crate::store::card_creations::CreationId;
use crate::store::{StoreError, instant, millis};

/// Issue a virtual card.
#[derive(Serialize, Deserialize)]
pub struct Issue {
    holder: HolderToken,
    user: i64,
    pub(super) balance: i64,
    name: Option<String>,
    asked_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    creation: Option<i64>,
    pub(super) call: IssueCard,
}

impl Issue {
    /// Issuing `card` to `holder` by `call`.
    #[must_use]
    pub fn new(holder: HolderToken, card: &NewCard, call: IssueCard) -> Self {
        Self {
            holder,
            user: card.user.0,
            balance: card.balance.0,
            name: card.name.as_ref().map(|name| name.as_str().to_owned()),
            asked_at: millis(card.created_at),
            replaces: card.replaces.map(|card| card.0),
            creation: None,
            call,
        }
    }

    /// The same, for a request that was answered before the vault is asked.
    #[must_use]
    pub const fn answered_before(mut self, creation: CreationId) -> Self {
        self.creation = Some(creation.0);
        self
    }

    /// Which request was answered before the vault is asked, if one was.
    #[must_use]
    pub fn creation(&self) -> Option<CreationId> {
        self.creation.map(CreationId)
    }

    /// Whose card it will be, in the vault's words.
    #[must_use]
    pub const fn holder(&self) -> &HolderToken {
        &self.holder
    }

    /// What the vault is asked.
    #[must_use]
    pub const fn call(&self) -> &IssueCard {
        &self.call
    }

    /// The card to be, under the number that was set aside for it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn card(&self, id: CardId) -> Result<NewCard, StoreError> {
        let card = card((id, self.user, self.balance), self.name.as_deref(), self.asked_at)?;
        Ok(NewCard {
            replaces: self.replaces.map(CardId),
            ..card
        })
    }
}

/// Order a physical card. Name and address are in the call, sealed to the vault.
#[derive(Serialize, Deserialize)]
pub struct Order {
    holder: HolderToken,
    user: i64,
    pub(super) balance: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    asked_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<i64>,
    pub(super) call: OrderCard,
}

impl Order {
    /// Ordering `card` for `holder` by `call`.
    #[must_use]
    pub fn new(holder: HolderToken, card: &NewCard, call: OrderCard) -> Self {
        Self {
            holder,
            user: card.user.0,
            balance: card.balance.0,
            name: card.name.as_ref().map(|name| name.as_str().to_owned()),
            asked_at: millis(card.created_at),
            replaces: card.replaces.map(|card| card.0),
            call,
        }
    }

    /// Whose card it will be, in the vault's words.
    #[must_use]
    pub const fn holder(&self) -> &HolderToken {
        &self.holder
    }

    /// What the vault is asked.
    #[must_use]
    pub const fn call(&self) -> &OrderCard {
        &self.call
    }

    /// The card to be, under the number that was set aside for it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn card(&self, id: CardId) -> Result<NewCard, StoreError> {
        let card = card((id, self.user, self.balance), self.name.as_deref(), self.asked_at)?;
        Ok(NewCard {
            replaces: self.replaces.map(CardId),
            ..card
        })
    }
}

/// A card to be, as its task describes it.
pub(super) fn card(
    (id, user, balance): (CardId, i64, i64),
    name: Option<&str>,
    asked_at: i64,
) -> Result<NewCard, StoreError> {
    let name = name.map(CardName::parse).transpose();
    Ok(NewCard {
        id,
        user: UserId(user),
        balance: BalanceId(balance),
        name: name.map_err(|_| StoreError::Corrupt("task.name"))?,
        created_at: instant(asked_at)?,
        replaces: None,
    })
}
