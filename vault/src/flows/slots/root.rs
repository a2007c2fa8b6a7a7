//! Rotation of the root key: a new one is drawn and its slots are made, pending; when all of them are verified, one
//! transaction wraps the keyring anew, under the new root key and a new epoch, and puts the new slots in the place of all
//! others. Until then the old ones open, and removing any of the new ones gives the rotation up.

use std::sync::Arc;

use shared::vault_api::slots::NewSlot;

use super::plan::plan;
use super::{change_event, stored};
use crate::audit::event::Event;
use crate::error::Error;
use crate::flows::rotate;
use crate::flows::slots::forget_shares;
use crate::keys::keyring::KeyringError;
use crate::keys::slot::{MAX_SLOTS, Replaces, Slot};
use crate::open_vault::OpenVault;
use crate::records::Tx;

/// How long processes on one store have to learn the new root key from the former, in seconds. Each commits something,
/// or looks for work, far more often.
const HANDOVER_SECONDS: i64 = 600;

/// Whether the root key can be rotated to these slots.
///
/// # Errors
/// The rule that is broken.
pub(super) fn check(vault: &OpenVault, slots: &[NewSlot]) -> Result<(), Error> {
    let present = stored(vault)?;
    super::plan::no_root_rotation(&present)?;
    if slots.is_empty() {
        return Err(Error::conflict("NO_SLOT", "Nobody could ever unlock the vault."));
    }
    if present.len().saturating_add(slots.len()) > MAX_SLOTS {
        return Err(super::plan::too_many());
    }
    slots.iter().try_for_each(|slot| plan(vault, slot).map(drop))
}

/// The slots of the next root key.
pub(super) fn of_next_root(slots: &[Slot]) -> impl Iterator<Item = &Slot> {
    slots
        .iter()
        .filter(|slot| slot.replaces() == Some(Replaces::Root))
}

/// Changes the root key if one waits and all of its slots are verified. The caller has the turn to govern.
///
/// # Errors
/// The epoch files, the store. What was begun is dropped at the next unlock, or tried anew.
pub(super) async fn change_if_verified(vault: &Arc<OpenVault>, by: Option<&Event>) -> Result<(), Error> {
    let slots = stored(vault)?;
    if of_next_root(&slots).next().is_some() && of_next_root(&slots).all(Slot::is_verified) {
        change(vault, by).await?;
    }
    end_handover(vault).await
}

async fn change(vault: &Arc<OpenVault>, by: Option<&Event>) -> Result<(), Error> {
    let _turn = vault.desk.epoch_turn().await;
    let next = vault.keyring().next_root(&vault.surroundings.store)?;
    let next = next.ok_or_else(|| Error::Corrupt("the next root key is missing".to_owned()))?;
    let next = rotate::prepare_epoch(vault, Some(next)).await?;
    let now = vault.now();
    let work = move |tx: &mut Tx<'_, '_>, event: &mut Event| {
        let (txn, keyring) = tx.parts();
        let slots = keyring.slots(txn).all()?;
        if !of_next_root(&slots).all(Slot::is_verified) {
            return Err(Error::Raced);
        }
        for slot in &slots {
            forget_shares(tx, slot)?;
        }
        let mut new: Vec<Slot> = of_next_root(&slots).cloned().collect();
        new.iter_mut().for_each(|slot| slot.activate(now));
        tx.change_keys(|keyring, txn| keyring.replace_root(txn, &next, &new, now))?;
        let names: Vec<String> = new.iter().map(|slot| slot.id.to_string()).collect();
        event.note = Some(format!(
            "root key changed: slots {} open, every other is gone; epoch {}",
            names.join(" "),
            next.number()
        ));
        Ok(())
    };
    vault.commit(change_event(vault, by), work).await?;
    vault.exchange_keys().await?;
    tracing::info!("the root key was changed");
    Ok(())
}

/// Deletes what leads from the former root key to the present one: at once where no other process has to learn of it.
///
/// # Errors
/// The store's.
pub async fn end_handover(vault: &Arc<OpenVault>) -> Result<(), Error> {
    let (keyring, store) = (vault.keyring(), &vault.surroundings.store);
    if !keyring.has_root_handover(store)? {
        return Ok(());
    }
    let age = keyring
        .epoch_since()
        .map_or(0, |since| vault.now().saturating_sub(since));
    // Also sees to it that the epoch files hold the new secret: without it the handover is all that leads there.
    rotate::close_epoch(vault).await?;
    if !store.is_shared() || age < HANDOVER_SECONDS {
        return Ok(());
    }
    let work = |tx: &mut Tx<'_, '_>| tx.change_keys(|keyring, txn| keyring.drop_handover(txn));
    vault.transact(work).await
}

/// Gives the rotation up: the next root key, its slots and their shares are gone.
pub(super) fn give_up(tx: &mut Tx<'_, '_>, slots: &[Slot]) -> Result<(), Error> {
    for slot in of_next_root(slots) {
        super::remove(tx, &slot.id)?;
    }
    tx.change_keys(|keyring, txn| keyring.forget_next_root(txn))
}

impl From<KeyringError> for Error {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Store(error) => Self::Store(error.to_string()),
            KeyringError::Transaction(error) => error.into(),
            KeyringError::Slot(error) => error.into(),
            other => Self::Corrupt(other.to_string()),
        }
    }
}
