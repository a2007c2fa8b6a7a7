//! Slots in lists, and a custodian's own share.

use std::sync::Arc;

use shared::ids::SlotName;
use shared::mtls::identity::Identity;
use shared::mtls::peer::SpkiThumbprint;
use shared::vault_api::slots::{CustodianInfo, KeepingInfo, SealedShare, SlotInfo, SlotState};
use time::OffsetDateTime;

use super::plan::named;
use super::{ShareRecord, stored};
use crate::audit::event::Event;
use crate::error::Error;
use crate::keys::slot::unlock::UnlockError;
use crate::keys::slot::{Keeping, Replaces, Slot, SlotId};
use crate::open_vault::OpenVault;

/// All slots.
///
/// # Errors
/// The store's.
pub fn list(vault: &OpenVault) -> Result<Vec<SlotInfo>, Error> {
    stored(vault)?.iter().map(info).collect()
}

fn info(slot: &Slot) -> Result<SlotInfo, Error> {
    let name = |id: &SlotId| id.name().map_err(|error| Error::Internal(error.to_string()));
    let at = |seconds| {
        let at = OffsetDateTime::from_unix_timestamp(seconds);
        at.map_err(|error| Error::Corrupt(format!("slot {}: {error}", slot.id)))
    };
    let replaces = match slot.replaces() {
        Some(Replaces::Slot(replaced)) => Some(name(&replaced)?),
        Some(Replaces::Nothing | Replaces::Root) | None => None,
    };
    Ok(SlotInfo {
        id: name(&slot.id)?,
        state: state(slot),
        keeping: keeping(slot),
        replaces,
        of_next_root: slot.replaces() == Some(Replaces::Root),
        created_at: at(slot.created_at)?,
        proved_at: slot.proved_at.map(at).transpose()?,
    })
}

pub(super) const fn state(slot: &Slot) -> SlotState {
    if slot.is_active() {
        SlotState::Active
    } else {
        SlotState::Pending
    }
}

fn keeping(slot: &Slot) -> KeepingInfo {
    match &slot.keeping {
        Keeping::Shamir {
            threshold,
            custodians,
        } => KeepingInfo::Shamir {
            threshold: *threshold,
            custodians: custodians
                .iter()
                .map(|custodian| CustodianInfo {
                    identity: custodian.identity.clone(),
                    share: custodian.share_index,
                    verified: custodian.verified,
                })
                .collect(),
        },
        Keeping::Pkcs11 { token, key, .. } => KeepingInfo::Pkcs11 {
            token: token.clone(),
            key: key.clone(),
        },
        Keeping::KeyFile { path } => KeepingInfo::KeyFile {
            path: path.display().to_string(),
        },
    }
}

/// A custodian's own share of a pending slot, sealed to the key of their certificate.
///
/// # Errors
/// No such slot, none that is pending, or not a custodian of it with this key.
pub async fn share(
    vault: &Arc<OpenVault>,
    mut event: Event,
    (identity, key): (&Identity, &SpkiThumbprint),
    name: &SlotName,
) -> Result<SealedShare, Error> {
    let slots = stored(vault)?;
    let slot = named(&slots, name)?;
    let own = slot
        .custodians()
        .iter()
        .find(|custodian| custodian.identity == *identity);
    let own = own.ok_or_else(|| UnlockError::NotACustodian(identity.clone()))?;
    if own.key_thumbprint != *key {
        return Err(UnlockError::OtherKey(identity.clone()).into());
    }
    if slot.is_active() {
        return Err(Error::conflict(
            "SLOT_NOT_PENDING",
            "The slot is verified: its sealed shares were deleted.",
        ));
    }
    let stored = vault
        .records
        .get::<ShareRecord>(&ShareRecord::key_of(&slot.id, own.share_index))?;
    let stored = stored.ok_or(Error::NotFound("share"))?;
    event.note = Some(format!("share {} of slot {}", own.share_index, slot.id));
    vault.commit(event, |_, _| Ok(())).await?;
    Ok(SealedShare {
        share: stored.record.sealed,
    })
}
