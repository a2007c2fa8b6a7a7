//! Showing that a slot opens: share by share for a pending slot, which then takes its place; as in an unlock, but beside
//! the running vault, for an active one.

use std::sync::Arc;

use shared::ids::SlotName;
use shared::mtls::identity::Identity;
use shared::mtls::peer::SpkiThumbprint;
use shared::vault_api::slots::DrillProgress;

use super::plan::named;
use super::read::state;
use super::{patiently, remember_proved, settle, stored};
use crate::audit::event::Event;
use crate::error::Error;
use crate::keys::root::RootKey;
use crate::keys::slot::key_file;
use crate::keys::slot::make::MakeError;
use crate::keys::slot::pkcs11::{self, HsmError};
use crate::keys::slot::share::ShareText;
use crate::keys::slot::unlock::{Opened, Progress, UnlockError};
use crate::keys::slot::{Keeping, Slot, SlotId};
use crate::open_vault::OpenVault;
use crate::records::Tx;

/// Whoever shows a share: an officer and the key of their certificate.
type Custodian<'a> = (&'a Identity, &'a SpkiThumbprint);

/// Takes a share to verify or drill a slot; without a share, drills one that a token or a file keeps.
///
/// # Errors
/// No such slot, the share's own error, or the slot does not open.
pub async fn show(
    vault: &Arc<OpenVault>,
    event: Event,
    custodian: Custodian<'_>,
    name: &SlotName,
    share: Option<ShareText>,
) -> Result<DrillProgress, Error> {
    let slots = stored(vault)?;
    let slot = named(&slots, name)?.clone();
    match (slot.threshold(), share) {
        (None, None) => by_itself(vault, event, slot).await,
        (None, Some(_)) => Err(Error::conflict(
            "SLOT_TAKES_NO_SHARE",
            "The slot has no custodians: it is drilled without a share.",
        )),
        (Some(_), None) => Err(Error::conflict(
            "SHARE_MALFORMED",
            "The slot is drilled by its shares.",
        )),
        (Some(_), Some(share)) if slot.is_active() => {
            drill(vault, event, custodian, slots, &slot, &share).await
        }
        (Some(_), Some(share)) => verify(vault, event, custodian, slot.id, &share).await,
    }
}

/// One more share of a pending slot is shown to be right. With the last one the slot becomes active.
async fn verify(
    vault: &Arc<OpenVault>,
    mut event: Event,
    (identity, key): Custodian<'_>,
    id: SlotId,
    share: &ShareText,
) -> Result<DrillProgress, Error> {
    let _turn = vault.governing().await;
    let slot = stored(vault)?.into_iter().find(|slot| slot.id == id);
    let slot = slot.ok_or(Error::NotFound("slot"))?;
    let index = slot.judge_share(identity, key, share)?;
    let mut custodians = slot.custodians().iter();
    if custodians.any(|custodian| custodian.share_index == index && custodian.verified) {
        return Err(UnlockError::AlreadyGiven(index).into());
    }
    event.note = Some(format!("slot {id}: share {index} is right"));
    let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
        let (txn, keyring) = tx.parts();
        let mut book = keyring.slots(txn);
        let mut slot = book.get(&id)?.ok_or(Error::NotFound("slot"))?;
        slot.remember_shown(&[index]);
        book.put(&slot)?;
        Ok(slot)
    };
    let shown = vault.commit(event.clone(), work).await?;
    // What cannot be settled now is settled by the clock or at the next unlock; the share was shown all the same.
    if let Err(error) = settle(vault, Some(&event)).await {
        tracing::error!(%error, "a verified slot is still pending");
    }
    let now = stored(vault)?
        .into_iter()
        .find(|slot| slot.id == id)
        .unwrap_or(shown);
    let verified = now.custodians().iter().filter(|custodian| custodian.verified);
    Ok(DrillProgress {
        given: count(verified.count()),
        needed: count(now.custodians().len()),
        opens: now.is_active(),
        state: state(&now),
    })
}

/// One more share of an active slot. With the last one the slot is opened and what it gives compared with the root key
/// that the vault runs with.
async fn drill(
    vault: &Arc<OpenVault>,
    mut event: Event,
    (identity, key): Custodian<'_>,
    slots: Vec<Slot>,
    slot: &Slot,
    share: &ShareText,
) -> Result<DrillProgress, Error> {
    let index = slot.judge_share(identity, key, share)?;
    let progress = {
        let mut session = vault.drills();
        session.refresh(slots);
        session.submit(identity, key, share)?
    };
    let (id, needed) = (slot.id, slot.threshold().unwrap_or_default());
    let answer = |given, opens| DrillProgress {
        given,
        needed,
        opens,
        state: state(slot),
    };
    match progress {
        Progress::Waiting { given, .. } => {
            event.note = Some(format!("slot {id}: share {index} is right, {given} of {needed}"));
            vault.commit(event, |_, _| Ok(())).await?;
            Ok(answer(given, false))
        }
        Progress::Complete(Opened { root, shares, .. }) => {
            proved(vault, event, id, &root, shares).await?;
            Ok(answer(needed, true))
        }
    }
}

/// A slot without custodians is opened by what keeps it.
async fn by_itself(vault: &Arc<OpenVault>, event: Event, slot: Slot) -> Result<DrillProgress, Error> {
    if !slot.is_active() {
        return Err(UnlockError::Pending(slot.id).into());
    }
    let (environment, hsm) = (vault.surroundings.environment, vault.surroundings.hsm.clone());
    let (id, standing) = (slot.id, state(&slot));
    let open = move || -> Result<RootKey, MakeError> {
        if let Keeping::Pkcs11 { .. } = &slot.keeping {
            let hsm = hsm.ok_or(HsmError::NotConfigured)?;
            return Ok(pkcs11::open(environment, &hsm, &slot)?);
        }
        Ok(key_file::open(environment, &slot)?)
    };
    let root = patiently(move || Ok(open()?)).await?;
    proved(vault, event, id, &root, Vec::new()).await?;
    Ok(DrillProgress {
        given: 0,
        needed: 0,
        opens: true,
        state: standing,
    })
}

/// Writes down that a slot gave the root key that the vault runs with.
async fn proved(
    vault: &Arc<OpenVault>,
    mut event: Event,
    id: SlotId,
    root: &RootKey,
    shares: Vec<u8>,
) -> Result<(), Error> {
    if !vault.keyring().is_under(root) {
        return Err(Error::conflict(
            "SLOT_DOES_NOT_OPEN",
            "The slot opens, and gives another root key than the vault runs with.",
        ));
    }
    let now = vault.now();
    event.note = Some(format!("slot {id} opens"));
    let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| remember_proved(tx, &id, &shares, now);
    vault.commit(event, work).await
}

fn count(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}
