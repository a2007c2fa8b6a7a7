//! The root key's slots while the vault is open: made and removed by two officers, verified and drilled by their
//! custodians. A new custodians' slot is pending until each of them has shown their share; in the transaction that makes
//! it active the slot it replaces goes, and so do the sealed shares.

mod change;
mod drill;
mod plan;
mod read;
mod root;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::mtls::identity::Identity;

pub use self::change::{Prepared, apply_add, apply_remove, apply_root, prepare, take_effect};
pub use self::drill::show;
pub use self::plan::check;
pub use self::read::{list, share};

use crate::audit::event::{Event, Operation};
use crate::error::Error;
use crate::keys::slot::book::BookError;
use crate::keys::slot::make::MakeError;
use crate::keys::slot::pkcs11::TOKEN_PATIENCE;
use crate::keys::slot::unlock::UnlockError;
use crate::keys::slot::{Replaces, Slot, SlotError, SlotId};
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};
use crate::store::Tree;

/// A share that waits for its custodian, sealed to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareRecord {
    slot: SlotId,
    index: u8,
    custodian: Identity,
    sealed: String,
}

impl ShareRecord {
    fn key_of(slot: &SlotId, index: u8) -> Vec<u8> {
        [slot.as_bytes().as_slice(), &[index]].concat()
    }
}

impl Record for ShareRecord {
    const TREE: Tree = Tree::Shares;
    fn key(&self) -> Vec<u8> {
        Self::key_of(&self.slot, self.index)
    }
}

impl From<BookError> for Error {
    fn from(error: BookError) -> Self {
        match error {
            BookError::Transaction(error) => error.into(),
            BookError::Slot(error) => error.into(),
        }
    }
}

impl From<SlotError> for Error {
    fn from(error: SlotError) -> Self {
        match error {
            SlotError::Store(error) => Self::Store(error.to_string()),
            SlotError::Key(error) => Self::Internal(error.to_string()),
            SlotError::Malformed | SlotError::Changed(_) | SlotError::DoesNotOpen(_) => {
                Self::Corrupt(error.to_string())
            }
        }
    }
}

impl From<MakeError> for Error {
    fn from(error: MakeError) -> Self {
        match error.code() {
            Some(code) => Self::conflict(code, error.to_string()),
            None => Self::Internal(error.to_string()),
        }
    }
}

impl From<UnlockError> for Error {
    fn from(error: UnlockError) -> Self {
        match (error.code(), error) {
            (Some(code), error) => Self::conflict(code, error.to_string()),
            (None, UnlockError::Slot(error)) => error.into(),
            (None, error) => Self::Internal(error.to_string()),
        }
    }
}

/// Does what may speak to a token, off the async threads, and does not wait for ever.
async fn patiently<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::time::timeout(TOKEN_PATIENCE, tokio::task::spawn_blocking(work)).await;
    let silent = |_| Error::conflict("HSM_UNAVAILABLE", "The token does not answer.");
    let done = done.map_err(silent)?;
    done.map_err(|error| Error::Internal(error.to_string()))?
}

/// The slots as they are stored.
fn stored(vault: &OpenVault) -> Result<Vec<Slot>, Error> {
    Ok(vault.keyring().read_slots(&vault.surroundings.store)?)
}

/// Remembers in a transaction that a slot was shown to open, by these shares if it has any; `now` in Unix seconds.
///
/// # Errors
/// The store's.
pub fn remember_proved(tx: &mut Tx<'_, '_>, id: &SlotId, shares: &[u8], now: i64) -> Result<(), Error> {
    let (txn, keyring) = tx.parts();
    let mut book = keyring.slots(txn);
    if let Some(mut slot) = book.get(id)? {
        slot.remember_proved(shares, now);
        book.put(&slot)?;
    }
    Ok(())
}

/// Removes a slot and the shares that wait for its custodians.
fn remove(tx: &mut Tx<'_, '_>, id: &SlotId) -> Result<(), Error> {
    let (txn, keyring) = tx.parts();
    let Some(slot) = keyring.slots(txn).get(id)? else {
        return Ok(());
    };
    forget_shares(tx, &slot)?;
    let (txn, keyring) = tx.parts();
    Ok(keyring.slots(txn).remove(id)?)
}

fn forget_shares(tx: &mut Tx<'_, '_>, slot: &Slot) -> Result<(), Error> {
    for custodian in slot.custodians() {
        tx.delete::<ShareRecord>(&ShareRecord::key_of(&slot.id, custodian.share_index))?;
    }
    Ok(())
}

/// Makes every verified slot active, and removes what it replaces; changes the root key when all slots of the next one are
/// verified. Also called after an unlock and by the clock: a process may have ended between the last share and this. The
/// caller has the turn to govern; `by` tells whose share or approval it was.
///
/// # Errors
/// The store's.
pub async fn settle(vault: &Arc<OpenVault>, by: Option<&Event>) -> Result<(), Error> {
    for slot in stored(vault)? {
        if let Some(Replaces::Nothing | Replaces::Slot(_)) = slot.replaces()
            && slot.is_verified()
        {
            activate(vault, slot.id, by).await?;
        }
    }
    root::change_if_verified(vault, by).await
}

async fn activate(vault: &Arc<OpenVault>, id: SlotId, by: Option<&Event>) -> Result<(), Error> {
    let now = vault.now();
    let work = move |tx: &mut Tx<'_, '_>, event: &mut Event| {
        let (txn, keyring) = tx.parts();
        let slot = keyring.slots(txn).get(&id)?;
        let Some(mut slot) = slot.filter(|slot| !slot.is_active() && slot.is_verified()) else {
            return Err(Error::Raced);
        };
        let replaced = match slot.replaces() {
            Some(Replaces::Slot(replaced)) => Some(replaced),
            Some(Replaces::Nothing | Replaces::Root) | None => None,
        };
        slot.activate(now);
        keyring.slots(txn).put(&slot)?;
        forget_shares(tx, &slot)?;
        event.note = Some(format!("slot {id} verified: it opens"));
        if let Some(replaced) = replaced {
            remove(tx, &replaced)?;
            event.note = Some(format!(
                "slot {id} verified: it opens, and slot {replaced} is gone"
            ));
        }
        Ok(())
    };
    vault.commit(change_event(vault, by), work).await
}

/// An event of a changed slot, with the caller of another event.
fn change_event(vault: &OpenVault, by: Option<&Event>) -> Event {
    let mut event = Event::done(Operation::ChangeSlot, vault.surroundings.clock.now());
    if let Some(by) = by {
        event.caller.clone_from(&by.caller);
        event.from = by.from;
    }
    event
}
