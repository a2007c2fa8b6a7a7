//! What an approved proposal does: checked when it is filed and again when it is approved, applied in the approval's own
//! transaction.

use shared::ids::{ApprovalToken, CardToken, HolderToken, JobToken};
use shared::mtls::identity::{Identity, Role};
use shared::thumbprint::Thumbprint;
use shared::vault_api::governance::{Party, Proposal};
use shared::vault_api::jobs::Rotation;
use time::OffsetDateTime;

use crate::audit::event::Event;
use crate::domain::card::Card;
use crate::domain::holder::{Acceptance, EnrolledKey};
use crate::domain::program::Rules;
use crate::error::Error;
use crate::flows::erase::Erasure;
use crate::flows::lookup::{TriesRecord, card_key, holder_key_key};
use crate::flows::{backup, export, import, pending_keys, retention, rotate, slots};
use crate::records::{Record, Tx};
use crate::registers::{PartyRecord, ProgramRecord, Registers};
use crate::work;

/// With fewer officers nothing could ever be approved again.
const FEWEST_OFFICERS: usize = 2;

/// Whether a proposal could be applied to the registers as they are.
///
/// # Errors
/// The rule that it breaks.
pub(super) fn check(proposal: &Proposal, registers: &Registers) -> Result<(), Error> {
    match proposal {
        Proposal::SetProgram(program) => {
            let checked = Rules::check(program.clone(), registers.programs());
            checked
                .map(drop)
                .map_err(|error| Error::conflict("PROGRAM_INVALID", error.to_string()))
        }
        Proposal::RegisterParty(party) if party.identity.role() == Role::Vault => Err(Error::conflict(
            "PARTY_INVALID",
            "The vault is no party of its own.",
        )),
        Proposal::StrikeParty(identity) if identity.role() == Role::Officer => {
            if registers
                .officers()
                .filter(|officer| *officer != identity)
                .count()
                < FEWEST_OFFICERS
            {
                return Err(Error::conflict("TOO_FEW_OFFICERS", "Two officers must remain."));
            }
            Ok(())
        }
        Proposal::RegisterParty(_)
        | Proposal::StrikeParty(_)
        | Proposal::ActivateKey { .. }
        | Proposal::RestoreCard(_)
        | Proposal::ClearFailures(_)
        | Proposal::AbortJob(_)
        | Proposal::AddSlot { .. }
        | Proposal::RemoveSlot(_)
        | Proposal::Rotate(Rotation::Root { .. }) => Ok(()),
        Proposal::HaltErasures { hours } => retention::check_halt(*hours),
        Proposal::ImportCards(plan) => import::check(plan, registers),
        Proposal::ExportCards(plan) => export::check(plan, registers),
        // How long, and whether there is room, is checked beside: see `backup::check`.
        Proposal::Backup { .. } => Ok(()),
        Proposal::Rotate(rotation) => rotate::check(rotation),
    }
}

/// Says in the approval's event which card it is about, and how long destroying rests: what an auditor asks for first.
pub(super) fn tell(proposal: &Proposal, event: &mut Event) {
    match proposal {
        Proposal::RestoreCard(card) | Proposal::ClearFailures(card) => event.card = Some(card.clone()),
        Proposal::HaltErasures { hours } => {
            let about = event.note.take().unwrap_or_default();
            event.note = Some(format!("{about} erasures halted for {hours} hours"));
        }
        _ => {}
    }
}

/// What an effect may need to know of the approval that it is part of.
pub struct Occasion {
    /// The approval.
    pub approval: ApprovalToken,
    /// The token of the job that begins, if one does.
    pub job: JobToken,
    /// When.
    pub now: OffsetDateTime,
    /// Slots that were made for it.
    pub slots: slots::Prepared,
    /// A key or an epoch that was made for it.
    pub rotation: rotate::Prepared,
}

/// Does what a proposal says.
///
/// # Errors
/// What it is about does not exist, or is not in the state that it presumes.
pub(super) fn apply(tx: &mut Tx<'_, '_>, proposal: &Proposal, occasion: &Occasion) -> Result<(), Error> {
    match proposal {
        Proposal::SetProgram(program) => tx.put(&ProgramRecord(program.clone())),
        Proposal::RegisterParty(party) => register(tx, party),
        Proposal::StrikeParty(identity) => tx.delete::<PartyRecord>(&PartyRecord::key_of(identity)),
        Proposal::ActivateKey { holder, key } => activate(tx, holder, key),
        Proposal::RestoreCard(card) => restore(tx, card),
        Proposal::ClearFailures(card) => clear_failures(tx, card),
        Proposal::AbortJob(job) => work::abort(tx, job, occasion.now),
        Proposal::Rotate(Rotation::Root { .. }) => slots::apply_root(tx, &occasion.slots, occasion.now),
        Proposal::Rotate(rotation) => rotate::begin(tx, rotation, occasion),
        Proposal::AddSlot { .. } => slots::apply_add(tx, &occasion.slots, occasion.now),
        Proposal::RemoveSlot(slot) => slots::apply_remove(tx, slot, occasion.now),
        Proposal::HaltErasures { hours } => retention::halt(tx, *hours, occasion),
        // The approval lets the file in; the job begins with it.
        Proposal::ImportCards(_) => Ok(()),
        Proposal::ExportCards(plan) => export::begin(tx, plan, occasion),
        Proposal::Backup { life_days } => backup::begin(tx, *life_days, occasion),
    }
}

fn register(tx: &mut Tx<'_, '_>, party: &Party) -> Result<(), Error> {
    let known: Option<PartyRecord> = tx.get(&PartyRecord::key_of(&party.identity))?;
    let empty = |identity: &Identity| PartyRecord {
        identity: identity.clone(),
        keys: Vec::new(),
    };
    let mut record = known.unwrap_or_else(|| empty(&party.identity));
    if !record.keys.contains(&party.key_thumbprint) {
        record.keys.push(party.key_thumbprint);
    }
    tx.put(&record)
}

/// A pending key becomes active before its time.
fn activate(tx: &mut Tx<'_, '_>, holder: &HolderToken, key: &Thumbprint) -> Result<(), Error> {
    let enrolled: Option<EnrolledKey> = tx.get(&holder_key_key(holder, key))?;
    let mut enrolled = enrolled.ok_or(Error::NotFound("key"))?;
    if !matches!(enrolled.acceptance, Acceptance::Pending { .. }) {
        return Err(Error::conflict(
            "KEY_NOT_PENDING",
            "Only a pending key can be made active.",
        ));
    }
    enrolled.acceptance = Acceptance::Active;
    pending_keys::forget(tx, holder, key)?;
    tx.put(&enrolled)
}

/// A closed card is opened again in its grace time.
fn restore(tx: &mut Tx<'_, '_>, token: &CardToken) -> Result<(), Error> {
    let mut card: Card = tx.get(&card_key(token))?.ok_or(Error::NotFound("card"))?;
    let restored = card.standing.restore();
    let (standing, due) = restored.ok_or_else(|| {
        Error::conflict(
            "CARD_NOT_IN_GRACE",
            "Only a card in its grace time can be restored.",
        )
    })?;
    card.standing = standing;
    tx.delete::<Erasure>(
        &Erasure {
            due,
            card: token.clone(),
        }
        .key(),
    )?;
    tx.put(&card)
}

/// Failed comparisons are forgotten, the capped ones too.
fn clear_failures(tx: &mut Tx<'_, '_>, token: &CardToken) -> Result<(), Error> {
    if !tx.exists::<Card>(&card_key(token))? {
        return Err(Error::NotFound("card"));
    }
    tx.delete::<TriesRecord>(&card_key(token))
}
