//! What officers propose about slots: whether it could be done, and what exactly it would be.

use shared::ids::SlotName;
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::Rotation;
use shared::vault_api::slots::NewSlot;

use super::{root, stored};
use crate::environment::Environment;
use crate::error::Error;
use crate::keys::slot::make::{MakeError, RootKeeping};
use crate::keys::slot::pkcs11::HsmError;
use crate::keys::slot::sealed::{CertificateError, CustodianCertificate};
use crate::keys::slot::{Keeping, MAX_SLOTS, Replaces, Slot, SlotId};
use crate::open_vault::OpenVault;

/// A slot that can be made.
pub(super) struct Plan {
    pub(super) keeping: RootKeeping,
    /// The custodians' certificates, in the order of their shares.
    pub(super) certificates: Vec<CustodianCertificate>,
}

/// Whether a proposal about slots could be carried out as things are; any other proposal passes.
///
/// # Errors
/// The rule that it breaks.
pub fn check(vault: &OpenVault, proposal: &Proposal) -> Result<(), Error> {
    match proposal {
        Proposal::AddSlot { slot, replaces } => {
            plan(vault, slot)?;
            addable(&stored(vault)?, replaces.as_ref()).map(drop)
        }
        Proposal::RemoveSlot(name) => {
            removable(&stored(vault)?, name, vault.surroundings.environment).map(drop)
        }
        Proposal::Rotate(Rotation::Root { slots }) => root::check(vault, slots),
        _ => Ok(()),
    }
}

/// Reads what a slot is to be.
pub(super) fn plan(vault: &OpenVault, slot: &NewSlot) -> Result<Plan, Error> {
    let mut certificates = Vec::new();
    let keeping = match slot {
        NewSlot::Shamir {
            threshold,
            custodians,
        } => {
            for pem in custodians {
                certificates.push(registered(vault, pem)?);
            }
            RootKeeping::Custodians {
                threshold: *threshold,
                custodians: certificates.iter().map(CustodianCertificate::custodian).collect(),
            }
        }
        NewSlot::Pkcs11 { token, key } => {
            let hsm = vault.surroundings.hsm.clone();
            RootKeeping::Pkcs11 {
                hsm: hsm.ok_or(MakeError::Hsm(HsmError::NotConfigured))?,
                token: token.clone(),
                key: key.clone(),
            }
        }
        NewSlot::KeyFile { path } => RootKeeping::KeyFile(path.into()),
    };
    keeping.check(vault.surroundings.environment)?;
    Ok(Plan {
        keeping,
        certificates,
    })
}

/// A custodian's certificate whose holder is a registered officer with that key. Its chain is not looked at: the
/// register, under two officers, says more than a CA does.
fn registered(vault: &OpenVault, pem: &str) -> Result<CustodianCertificate, Error> {
    let certificate = CustodianCertificate::from_pem(pem.as_bytes()).map_err(|error| {
        let code = match &error {
            CertificateError::Unreadable(_) => "CUSTODIAN_CERTIFICATE_INVALID",
            CertificateError::NotAnOfficer(_) => "CUSTODIAN_NOT_AN_OFFICER",
            CertificateError::NotP256(_) => "CUSTODIAN_KEY_NOT_P256",
        };
        Error::conflict(code, error.to_string())
    })?;
    let peer = &certificate.peer;
    if peer.not_after < vault.surroundings.clock.now() {
        return Err(Error::conflict(
            "CUSTODIAN_CERTIFICATE_ENDED",
            format!("The certificate of {} has expired.", peer.identity),
        ));
    }
    if !vault.registers().knows(&peer.identity, &peer.key) {
        return Err(Error::conflict(
            "CUSTODIAN_NOT_REGISTERED",
            format!(
                "{} is not registered with the key of this certificate.",
                peer.identity
            ),
        ));
    }
    Ok(certificate)
}

/// What a new slot replaces, if it can be added to these.
pub(super) fn addable(slots: &[Slot], replaces: Option<&SlotName>) -> Result<Replaces, Error> {
    no_root_rotation(slots)?;
    if slots.len() >= MAX_SLOTS {
        return Err(too_many());
    }
    let Some(name) = replaces else {
        return Ok(Replaces::Nothing);
    };
    let replaced = named(slots, name)?;
    if !replaced.is_active() {
        return Err(Error::conflict(
            "SLOT_PENDING",
            "A slot that does not open yet cannot be replaced; remove it.",
        ));
    }
    let replaces = Replaces::Slot(replaced.id);
    if slots.iter().any(|slot| slot.replaces() == Some(replaces)) {
        return Err(Error::conflict(
            "SLOT_REPLACED_ALREADY",
            "Another pending slot takes the place of that one.",
        ));
    }
    Ok(replaces)
}

pub(super) fn too_many() -> Error {
    Error::conflict(
        "TOO_MANY_SLOTS",
        format!("There can be {MAX_SLOTS} slots at most."),
    )
}

/// While the next root key waits for its slots, those of the present one are not added to: all of them will go.
pub(super) fn no_root_rotation(slots: &[Slot]) -> Result<(), Error> {
    if slots.iter().any(|slot| slot.replaces() == Some(Replaces::Root)) {
        return Err(Error::conflict(
            "ROOT_ROTATION_RUNNING",
            "The root key is being rotated: its new slots are not all verified.",
        ));
    }
    Ok(())
}

/// The slot of this name, if the vault can do without it.
pub(super) fn removable<'a>(
    slots: &'a [Slot],
    name: &SlotName,
    environment: Environment,
) -> Result<&'a Slot, Error> {
    let slot = named(slots, name)?;
    let mut remaining = slots
        .iter()
        .filter(|other| other.is_active() && other.id != slot.id);
    let is_enough = |other: &Slot| match (&other.keeping, environment) {
        (Keeping::KeyFile { .. }, Environment::Production) => false,
        (Keeping::Shamir { .. } | Keeping::Pkcs11 { .. } | Keeping::KeyFile { .. }, _) => true,
    };
    if slot.is_active() && !remaining.any(is_enough) {
        return Err(Error::conflict(
            "SLOT_IS_THE_LAST",
            "No other slot opens the vault.",
        ));
    }
    Ok(slot)
}

pub(super) fn named<'a>(slots: &'a [Slot], name: &SlotName) -> Result<&'a Slot, Error> {
    let id = SlotId::of(name);
    let slot = slots.iter().find(|slot| Some(slot.id) == id);
    slot.ok_or(Error::NotFound("slot"))
}
