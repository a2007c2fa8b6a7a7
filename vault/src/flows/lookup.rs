//! Cards, holders and programs as the flows find them, and how each of these records is kept.

use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::ids::{CardToken, HolderToken};
use shared::thumbprint::Thumbprint;
use shared::vault_api::holders::KeyState;

use crate::crypto::fingerprint::{Reach, subject};
use crate::domain::card::Card;
use crate::domain::holder::{EnrolledKey, Holder};
use crate::domain::pan::Pan;
use crate::domain::program::Rules;
use crate::domain::tries::Tries;
use crate::error::Error;
use crate::flows::issue::PanIndex;
use crate::open_vault::OpenVault;
use crate::records::{Record, Stored, Tx};
use crate::store::Tree;

/// Keys that a holder may ever have had: a bound on what is read for one proof.
pub const MOST_KEYS_EVER: usize = 256;

impl Record for Card {
    const TREE: Tree = Tree::Cards;
    fn key(&self) -> Vec<u8> {
        card_key(&self.token)
    }
}

impl Record for Holder {
    const TREE: Tree = Tree::Holders;
    fn key(&self) -> Vec<u8> {
        self.token.as_str().as_bytes().to_vec()
    }
}

impl Record for EnrolledKey {
    const TREE: Tree = Tree::HolderKeys;
    fn key(&self) -> Vec<u8> {
        holder_key_key(&self.holder, &self.key.thumbprint())
    }
}

/// Failed comparisons of one card.
#[derive(Serialize, Deserialize)]
pub struct TriesRecord {
    /// The card.
    pub card: CardToken,
    /// Its counters.
    pub tries: Tries,
}

impl Record for TriesRecord {
    const TREE: Tree = Tree::Counters;
    fn key(&self) -> Vec<u8> {
        card_key(&self.card)
    }
}

impl TriesRecord {
    /// The counters of a card; all zero for one that never failed.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn of(tx: &mut Tx<'_, '_>, card: &CardToken) -> Result<Self, Error> {
        let stored = tx.get(&card_key(card))?;
        Ok(stored.unwrap_or_else(|| Self {
            card: card.clone(),
            tries: Tries::default(),
        }))
    }
}

/// Under which key everything of one card lies.
#[must_use]
pub fn card_key(card: &CardToken) -> Vec<u8> {
    card.as_str().as_bytes().to_vec()
}

/// Under which key a holder's key lies.
#[must_use]
pub fn holder_key_key(holder: &HolderToken, key: &Thumbprint) -> Vec<u8> {
    [keys_prefix(holder), key.to_string().into_bytes()].concat()
}

fn keys_prefix(holder: &HolderToken) -> Vec<u8> {
    format!("{holder}/").into_bytes()
}

/// A card, its holder and its program.
pub struct CardContext {
    /// The card as it was read.
    pub card: Stored<Card>,
    /// Its holder.
    pub holder: Stored<Holder>,
    /// Its program.
    pub program: Arc<Rules>,
}

impl OpenVault {
    /// A card with its surroundings.
    ///
    /// # Errors
    /// There is no such card.
    pub fn card(&self, token: &CardToken) -> Result<CardContext, Error> {
        let card = self.card_alone(token)?;
        let holder = self.holder(&card.record.holder)?;
        let program = self.program(&card.record.program)?;
        Ok(CardContext {
            card,
            holder,
            program,
        })
    }

    /// The card with this PAN of a program's range, under whichever key its index entry was made. Numbers of other issuers
    /// are found for their partners alone.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn card_of_pan(&self, pan: &Pan) -> Result<Option<CardToken>, Error> {
        self.card_within(pan, Reach::Everybody)
    }

    /// The card to which this PAN leads for those of `reach`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn card_within(&self, pan: &Pan, reach: Reach<'_>) -> Result<Option<CardToken>, Error> {
        for fingerprint in self.keyring().fingerprints(&subject(pan.as_bytes(), reach)) {
            if let Some(index) = self.records.get::<PanIndex>(&fingerprint.to_key())? {
                return Ok(Some(index.record.card));
            }
        }
        Ok(None)
    }

    /// A card alone.
    ///
    /// # Errors
    /// There is no such card.
    pub fn card_alone(&self, token: &CardToken) -> Result<Stored<Card>, Error> {
        self.records
            .get::<Card>(&card_key(token))?
            .ok_or(Error::NotFound("card"))
    }

    /// A holder.
    ///
    /// # Errors
    /// There is no such holder.
    pub fn holder(&self, token: &HolderToken) -> Result<Stored<Holder>, Error> {
        self.records
            .get::<Holder>(token.as_str().as_bytes())?
            .ok_or(Error::NotFound("holder"))
    }

    /// The keys of a holder that read, oldest first: to look for the one that signed. A key that does not read speaks for
    /// nobody, and must not silence the others.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn readable_keys(&self, holder: &HolderToken) -> Result<Vec<EnrolledKey>, Error> {
        let prefix = keys_prefix(holder);
        let mut keys: Vec<EnrolledKey> =
            self.records
                .scan_readable(&prefix, Bound::Unbounded, MOST_KEYS_EVER)?;
        keys.sort_by_key(|key| key.enrolled_at);
        Ok(keys)
    }

    /// Every key that a holder ever had, oldest first: to decide on a further one. A revoked key must not come back by
    /// being unreadable.
    ///
    /// # Errors
    /// The store cannot be read, or a key does not open.
    pub fn holder_keys(&self, holder: &HolderToken) -> Result<Vec<EnrolledKey>, Error> {
        let prefix = keys_prefix(holder);
        let mut keys: Vec<EnrolledKey> = self.records.scan(&prefix, Bound::Unbounded, MOST_KEYS_EVER)?;
        keys.sort_by_key(|key| key.enrolled_at);
        Ok(keys)
    }
}

/// How many keys are active and how many pending.
#[must_use]
pub fn count_keys(keys: &[EnrolledKey], now: i64) -> shared::jws::vault_proof::KeyCounts {
    let count = |state| {
        let matching = keys.iter().filter(|key| key.acceptance.state(now) == state);
        u32::try_from(matching.count()).unwrap_or(u32::MAX)
    };
    shared::jws::vault_proof::KeyCounts {
        active: count(KeyState::Active),
        pending: count(KeyState::Pending),
    }
}
