//! Slots made and removed by an approval. What takes time, a token or a file is done before the approval's transaction;
//! the transaction writes.

use std::path::PathBuf;
use std::sync::Arc;

use shared::ids::SlotName;
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::Rotation;
use shared::vault_api::slots::NewSlot;
use time::OffsetDateTime;

use super::plan::{addable, no_root_rotation, plan, removable};
use super::{ShareRecord, patiently, remove, root, settle, stored};
use crate::audit::event::{Event, Operation};
use crate::error::Error;
use crate::keys::root::RootKey;
use crate::keys::slot::make::{MadeSlot, RootKeeping};
use crate::keys::slot::sealed::CustodianCertificate;
use crate::keys::slot::{Replaces, Slot, SlotId, Standing};
use crate::open_vault::OpenVault;
use crate::records::Tx;

/// What an approval needs that must not be made inside its transaction. Files that were written are taken back when it is
/// dropped without [`take_effect`].
#[derive(Default)]
pub struct Prepared {
    slots: Vec<Slot>,
    shares: Vec<ShareRecord>,
    /// The slot that a new one replaces at once.
    replaced: Option<SlotId>,
    /// The root key that the slots keep, if it is not the one in force.
    next_root: Option<RootKey>,
    key_files: Vec<PathBuf>,
    /// What is to be said of them in the audit log.
    notes: Vec<String>,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        for path in &self.key_files {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "a key file that opens no vault could not be removed");
            }
        }
    }
}

impl Prepared {
    /// Takes over a slot that was made, its shares sealed to their custodians.
    fn add(&mut self, (slot, shares): MadeSlot, certificates: &[CustodianCertificate]) -> Result<(), Error> {
        for ((custodian, certificate), (identity, text)) in
            slot.custodians().iter().zip(certificates).zip(&shares)
        {
            let sealed = certificate.seal(text);
            self.shares.push(ShareRecord {
                slot: slot.id,
                index: custodian.share_index,
                custodian: identity.clone(),
                sealed: sealed.map_err(|error| Error::Internal(error.to_string()))?,
            });
        }
        self.slots.push(slot);
        Ok(())
    }
}

/// Makes what a proposal about slots needs; nothing for any other.
///
/// # Errors
/// The rule that it breaks, or why a token or a file does not serve.
pub async fn prepare(vault: &Arc<OpenVault>, proposal: &Proposal) -> Result<Prepared, Error> {
    let (vault, proposal) = (Arc::clone(vault), proposal.clone());
    let prepare = move || match &proposal {
        Proposal::AddSlot { slot, replaces } => prepare_slot(&vault, slot, replaces.as_ref()),
        Proposal::Rotate(Rotation::Root { slots }) => prepare_root(&vault, slots),
        _ => Ok(Prepared::default()),
    };
    patiently(prepare).await
}

/// Draws the next root key and makes its slots, all pending. Those of tokens and files were opened when they were made.
fn prepare_root(vault: &OpenVault, slots: &[NewSlot]) -> Result<Prepared, Error> {
    let keyring = vault.keyring();
    let next = keyring
        .draw_root()
        .map_err(|error| Error::Internal(error.to_string()))?;
    let standing = Standing::Pending {
        replaces: Replaces::Root,
    };
    let mut prepared = Prepared::default();
    for slot in slots {
        let plan = plan(vault, slot)?;
        let made = keyring.make_slot_of(&next, &plan.keeping, standing.clone(), vault.now())?;
        if let RootKeeping::KeyFile(path) = &plan.keeping {
            prepared.key_files.push(path.clone());
        }
        prepared
            .notes
            .push(format!("slot {} of the next root key made: pending", made.0.id));
        prepared.add(made, &plan.certificates)?;
    }
    prepared.next_root = Some(next);
    Ok(prepared)
}

fn prepare_slot(vault: &OpenVault, slot: &NewSlot, replaces: Option<&SlotName>) -> Result<Prepared, Error> {
    let replaces = addable(&stored(vault)?, replaces)?;
    let plan = plan(vault, slot)?;
    let mut prepared = Prepared::default();
    // A token and a file show at once that they open; people must be asked.
    let standing = match (&plan.keeping, replaces) {
        (RootKeeping::Custodians { .. }, replaces) => Standing::Pending { replaces },
        (RootKeeping::Pkcs11 { .. } | RootKeeping::KeyFile(_), Replaces::Slot(replaced)) => {
            prepared.replaced = Some(replaced);
            Standing::Active
        }
        (RootKeeping::Pkcs11 { .. } | RootKeeping::KeyFile(_), _) => Standing::Active,
    };
    let mut made = vault.keyring().make_slot(&plan.keeping, standing, vault.now())?;
    if let RootKeeping::KeyFile(path) = &plan.keeping {
        prepared.key_files.push(path.clone());
    }
    if made.0.is_active() {
        made.0.remember_proved(&[], vault.now());
    }
    let id = made.0.id;
    let state = if made.0.is_active() { "it opens" } else { "pending" };
    prepared.notes.push(match replaces {
        Replaces::Slot(replaced) => format!("slot {id} made in place of {replaced}: {state}"),
        Replaces::Nothing | Replaces::Root => format!("slot {id} made: {state}"),
    });
    prepared.add(made, &plan.certificates)?;
    Ok(prepared)
}

/// Writes the slots that were prepared, and an event for each; `now` is the approval's time.
///
/// # Errors
/// The store's.
pub fn apply_add(tx: &mut Tx<'_, '_>, prepared: &Prepared, now: OffsetDateTime) -> Result<(), Error> {
    for slot in &prepared.slots {
        let (txn, keyring) = tx.parts();
        keyring.slots(txn).put(slot)?;
    }
    for share in &prepared.shares {
        tx.put(share)?;
    }
    for note in &prepared.notes {
        note_change(tx, note.clone(), now);
    }
    match &prepared.replaced {
        Some(replaced) => remove(tx, replaced),
        None => Ok(()),
    }
}

/// Keeps the next root key and its slots until they are verified.
///
/// # Errors
/// `ROOT_ROTATION_RUNNING`; the store's.
pub fn apply_root(tx: &mut Tx<'_, '_>, prepared: &Prepared, now: OffsetDateTime) -> Result<(), Error> {
    let next = prepared.next_root.as_ref();
    let next = next.ok_or_else(|| Error::Internal("no root key was prepared".to_owned()))?;
    let (txn, keyring) = tx.parts();
    no_root_rotation(&keyring.slots(txn).all()?)?;
    tx.change_keys(|keyring, txn| keyring.put_next_root(txn, next, now.unix_timestamp()))?;
    apply_add(tx, prepared, now)
}

/// Removes a slot, if another one opens the vault. With a slot of the next root key the whole rotation is given up.
///
/// # Errors
/// There is no such slot, or it is the last.
pub fn apply_remove(tx: &mut Tx<'_, '_>, name: &SlotName, now: OffsetDateTime) -> Result<(), Error> {
    let (txn, keyring) = tx.parts();
    let slots = keyring.slots(txn).all()?;
    let slot = removable(&slots, name, keyring.environment())?;
    if slot.replaces() == Some(Replaces::Root) {
        note_change(
            tx,
            format!("slot {name} removed: the root key is not rotated"),
            now,
        );
        return root::give_up(tx, &slots);
    }
    note_change(tx, format!("slot {name} removed"), now);
    remove(tx, &slot.id)
}

fn note_change(tx: &mut Tx<'_, '_>, note: String, now: OffsetDateTime) {
    let mut event = Event::done(Operation::ChangeSlot, now);
    event.note = Some(note);
    tx.also(event);
}

/// After the approval's transaction: what is verified already becomes active.
///
/// # Errors
/// The store's.
pub async fn take_effect(vault: &Arc<OpenVault>, mut prepared: Prepared, by: &Event) -> Result<(), Error> {
    prepared.key_files.clear();
    settle(vault, Some(by)).await
}
