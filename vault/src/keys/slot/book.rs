//! The slots of an open vault: read, changed and written under the MAC of its root key.

use std::ops::Bound;

use ring::rand::SystemRandom;

use super::make::{MadeSlot, MakeError, RootKeeping, make};
use super::{MAX_SLOTS, Slot, SlotError, SlotId, Standing, verify_all};
use crate::keys::keyring::Keyring;
use crate::keys::root::RootKey;
use crate::store::{Entry, Store, Tree, Txn, TxnError};

/// Slots that cannot be read or written in a transaction.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The store.
    #[error(transparent)]
    Transaction(#[from] TxnError),
    /// A slot.
    #[error(transparent)]
    Slot(#[from] SlotError),
}

impl Keyring {
    /// The slots as they are stored, each checked against the root key.
    ///
    /// # Errors
    /// [`SlotError`]: the store cannot be read, or a slot was changed in it.
    pub fn read_slots(&self, store: &Store) -> Result<Vec<Slot>, SlotError> {
        let entries = store.scan(Tree::Slots, b"", Bound::Unbounded, MAX_SLOTS)?;
        checked(self.root(), &entries)
    }

    /// The slots in a transaction.
    pub fn slots<'a, 't>(&'a self, txn: &'a mut Txn<'t>) -> Book<'a, 't> {
        Book {
            txn,
            root: self.root(),
        }
    }

    /// Makes a slot for the root key in force. Not for async threads, nor inside a transaction.
    ///
    /// # Errors
    /// [`MakeError`].
    pub fn make_slot(
        &self,
        keeping: &RootKeeping,
        standing: Standing,
        now: i64,
    ) -> Result<MadeSlot, MakeError> {
        make(
            self.environment(),
            self.root(),
            keeping,
            standing,
            now,
            &SystemRandom::new(),
        )
    }

    /// Whether this is the root key in force; compared in constant time.
    #[must_use]
    pub fn is_under(&self, root: &RootKey) -> bool {
        **self.root() == *root
    }
}

/// The slots as one transaction sees and writes them.
pub struct Book<'a, 't> {
    txn: &'a mut Txn<'t>,
    root: &'a RootKey,
}

impl Book<'_, '_> {
    /// All slots.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn all(&mut self) -> Result<Vec<Slot>, BookError> {
        let entries = self.txn.scan(Tree::Slots, b"", Bound::Unbounded, MAX_SLOTS)?;
        Ok(checked(self.root, &entries)?)
    }

    /// One slot.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn get(&mut self, id: &SlotId) -> Result<Option<Slot>, BookError> {
        Ok(self.all()?.into_iter().find(|slot| slot.id == *id))
    }

    /// Writes a slot.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn put(&mut self, slot: &Slot) -> Result<(), BookError> {
        let (key, record) = slot.to_entry(self.root).map_err(SlotError::from)?;
        Ok(self.txn.put(Tree::Slots, &key, record)?)
    }

    /// Removes a slot.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn remove(&mut self, id: &SlotId) -> Result<(), BookError> {
        Ok(self.txn.delete(Tree::Slots, id.as_bytes())?)
    }
}

impl Slot {
    /// Remembers that these shares were shown to be right.
    pub fn remember_shown(&mut self, shares: &[u8]) {
        self.verify(shares);
    }

    /// Remembers that the slot was shown to open, by these shares if it has any; `now` in Unix seconds.
    pub fn remember_proved(&mut self, shares: &[u8], now: i64) {
        self.verify(shares);
        self.proved_at = Some(now);
    }

    /// The slot opens from now on; `now` in Unix seconds.
    pub fn activate(&mut self, now: i64) {
        self.standing = Standing::Active;
        self.proved_at = Some(now);
    }
}

pub(in crate::keys) fn checked(root: &RootKey, entries: &[Entry]) -> Result<Vec<Slot>, SlotError> {
    verify_all(root, entries)?;
    entries.iter().map(Slot::from_entry).collect()
}
