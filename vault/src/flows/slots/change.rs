//! Slots made and removed by an approval. What takes time, a token or a file is done before the approval's transaction;
//! the transaction writes.

use std::path::PathBuf;
use std::sync::Arc;

use shared::ids::SlotName;
use shared::vault_api::governance::Proposal;
use shared::vault_api::slots::NewSlot;

use super::plan::{addable, plan, removable};
use super::{ShareRecord, change_event, remove, settle, stored};
use crate::audit::event::Event;
use crate::error::Error;
use crate::keys::slot::make::{MadeSlot, RootKeeping};
use crate::keys::slot::sealed::CustodianCertificate;
use crate::keys::slot::{Replaces, Slot, SlotId, Standing};
use crate::open_vault::OpenVault;
use crate::records::Tx;

/// What an approval needs that must not be made inside its transaction. Files that were written are taken back when it is
/// dropped without [`announce`].
#[derive(Default)]
pub struct Prepared {
    slots: Vec<Slot>,
    shares: Vec<ShareRecord>,
    /// The slot that a new one replaces at once.
    replaced: Option<SlotId>,
    key_files: Vec<PathBuf>,
    /// What is to be said of it afterwards.
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
    match proposal {
        Proposal::AddSlot { slot, replaces } => {
            let (vault, slot, replaces) = (Arc::clone(vault), slot.clone(), replaces.clone());
            let prepare = move || prepare_slot(&vault, &slot, replaces.as_ref());
            let prepared = tokio::task::spawn_blocking(prepare).await;
            prepared.map_err(|error| Error::Internal(error.to_string()))?
        }
        _ => Ok(Prepared::default()),
    }
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

/// Writes the slots that were prepared.
///
/// # Errors
/// The store's.
pub fn apply_add(tx: &mut Tx<'_, '_>, prepared: &Prepared) -> Result<(), Error> {
    for slot in &prepared.slots {
        let (txn, keyring) = tx.parts();
        keyring.slots(txn).put(slot)?;
    }
    for share in &prepared.shares {
        tx.put(share)?;
    }
    match &prepared.replaced {
        Some(replaced) => remove(tx, replaced),
        None => Ok(()),
    }
}

/// Removes a slot, if another one opens the vault.
///
/// # Errors
/// There is no such slot, or it is the last.
pub fn apply_remove(tx: &mut Tx<'_, '_>, name: &SlotName) -> Result<(), Error> {
    let (txn, keyring) = tx.parts();
    let slots = keyring.slots(txn).all()?;
    let id = removable(&slots, name, keyring.environment())?.id;
    remove(tx, &id)
}

/// After the approval's transaction: writes down what became of which slot, and makes active what is verified already.
///
/// # Errors
/// The store's.
pub async fn announce(
    vault: &Arc<OpenVault>,
    mut prepared: Prepared,
    proposal: &Proposal,
    by: &Event,
) -> Result<(), Error> {
    prepared.key_files.clear();
    if let Proposal::RemoveSlot(name) = proposal {
        prepared.notes.push(format!("slot {name} removed"));
    }
    for note in std::mem::take(&mut prepared.notes) {
        let mut event = change_event(vault, Some(by));
        event.note = Some(note);
        vault.commit(event, |_, _| Ok(())).await?;
    }
    settle(vault, Some(by)).await
}
