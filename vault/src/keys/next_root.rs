//! The next root key, from the approval that drew it until all of its slots are verified. It lies in the keyring, wrapped
//! like every other key, so that it survives a crash; it wraps nothing, and is gone from there with the change.

use std::ops::Bound;

use super::handover::{self, NextEpoch};
use super::header::{KeyHeader, KeyId, KeyPurpose, KeyState};
use super::keyring::{Keyring, KeyringError};
use super::root::{KeyMemoryError, RootKey};
use super::slot::make::{MadeSlot, MakeError, RootKeeping, make};
use super::slot::{MAX_SLOTS, Slot, SlotError, Standing};
use crate::store::{Store, Tree, Txn};

/// The one version that there is at a time.
const ID: KeyId = KeyId {
    purpose: KeyPurpose::NextRoot,
    version: 1,
};
/// A handover that is no longer than this leads to another epoch, not to another root key.
const KEY_BYTES: usize = 32;

impl Keyring {
    /// Draws a root key.
    ///
    /// # Errors
    /// [`KeyMemoryError`].
    pub fn draw_root(&self) -> Result<RootKey, KeyMemoryError> {
        RootKey::generate(self.environment, &self.rng)
    }

    /// Makes a slot for another root key than the one in force. Not for async threads, nor inside a transaction.
    ///
    /// # Errors
    /// [`MakeError`].
    pub fn make_slot_of(
        &self,
        root: &RootKey,
        keeping: &RootKeeping,
        standing: Standing,
        now: i64,
    ) -> Result<MadeSlot, MakeError> {
        make(self.environment, root, keeping, standing, now, &self.rng)
    }

    /// Keeps the next root key in the keyring; `now` in Unix seconds.
    ///
    /// # Errors
    /// The store's; wrapping's.
    pub fn put_next_root(&self, txn: &mut Txn<'_>, next: &RootKey, now: i64) -> Result<(), KeyringError> {
        let header = KeyHeader {
            id: ID,
            created_at: now,
            state: KeyState::Active,
        };
        let record = header.wrap(next.expose(), &self.wrapping, &self.rng)?;
        Ok(txn.put(Tree::Keks, &ID.store_key(), record)?)
    }

    /// The next root key, if one waits for its slots.
    ///
    /// # Errors
    /// The store's; it does not unwrap.
    pub fn next_root(&self, store: &Store) -> Result<Option<RootKey>, KeyringError> {
        let Some(record) = store.get(Tree::Keks, &ID.store_key())? else {
            return Ok(None);
        };
        let (_, material) = KeyHeader::unwrap(&ID.store_key(), &record, &self.wrapping)?;
        Ok(Some(RootKey::from_slot(self.environment, &material)?))
    }

    /// Destroys the next root key: the rotation is over, or was given up.
    ///
    /// # Errors
    /// The store's.
    pub fn forget_next_root(&self, txn: &mut Txn<'_>) -> Result<(), KeyringError> {
        Ok(txn.delete(Tree::Keks, &ID.store_key())?)
    }

    /// Changes the root key: every slot goes, `slots` take their place, the keyring is wrapped anew under the next root
    /// key and the next epoch, and the pending key is gone. In force with the transaction and [`Keyring::reopen`].
    ///
    /// # Errors
    /// As for [`Keyring::replace_epoch`]; [`KeyringError::NoNextRoot`] for an epoch that brings no root key.
    pub fn replace_root(
        &self,
        txn: &mut Txn<'_>,
        next: &NextEpoch,
        slots: &[Slot],
        now: i64,
    ) -> Result<(), KeyringError> {
        let root = next.root().ok_or(KeyringError::NoNextRoot)?;
        self.forget_next_root(txn)?;
        self.replace_epoch(txn, next, now)?;
        for (key, _) in txn.scan(Tree::Slots, b"", Bound::Unbounded, MAX_SLOTS)? {
            txn.delete(Tree::Slots, &key)?;
        }
        for slot in slots {
            let (key, record) = slot.to_entry(root).map_err(SlotError::from)?;
            txn.put(Tree::Slots, &key, record)?;
        }
        Ok(())
    }

    /// Whether the store holds a handover from a former root key: with it, and the epoch secret of its time, that key's
    /// shares still lead to today's keys.
    ///
    /// # Errors
    /// The store's.
    pub fn has_root_handover(&self, store: &Store) -> Result<bool, KeyringError> {
        let key = handover::handover_key(self.epoch());
        let Some(record) = store.get(Tree::Keks, &key)? else {
            return Ok(false);
        };
        let of_an_epoch = self.wrapping.wrap(&key, &[0; KEY_BYTES], &self.rng)?;
        Ok(record.len() > of_an_epoch.len())
    }

    /// When the epoch in force began, Unix seconds.
    #[must_use]
    pub fn epoch_since(&self) -> Option<i64> {
        let mut epochs = self.versions(KeyPurpose::Epoch);
        let present = epochs.find(|header| header.state == KeyState::Active);
        present.map(|header| header.created_at)
    }
}
