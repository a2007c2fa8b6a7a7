//! Rotation of keys, online (ADR 0014): a new version becomes active, what refers to the old one is moved in small
//! batches, a scan proves that nothing is left, the old version is destroyed, and the epoch is replaced.
//!
//! Why the scan proves anything: transactions seal by the keyring in force and refuse what an earlier one sealed
//! (`Tx::put_data_key`, `Tx::put_sealed`, `Tx::require_active`), and the new keyring is in force on the commit thread
//! before the first batch. So references to the old version only ever become fewer.

mod at_once;
mod finish;
mod moving;
mod plan;
mod scan;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use shared::vault_api::jobs::Rotation;

pub use self::at_once::{Prepared, check, end_grace, prepare, take_effect};
pub(in crate::flows) use self::finish::{close_epoch, prepare_epoch};
pub use self::plan::{Rotating, Target};

use self::plan::Phase;
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows::govern::Occasion;
use crate::open_vault::OpenVault;
use crate::records::Tx;
use crate::work::{self, NewJob, Stepped, Turn, Work};

/// Does what an approved rotation says, or begins its job, inside the approval's transaction.
///
/// # Errors
/// `JOB_RUNNING` while another rotation has not ended.
pub fn begin(tx: &mut Tx<'_, '_>, rotation: &Rotation, occasion: &Occasion) -> Result<(), Error> {
    let work = match rotation {
        Rotation::CardKek => Work::RotateCardKek(Rotating::of(vec![Target::CardKek])),
        Rotation::DataKeys => Work::RotateDataKeys(Rotating::of(vec![Target::DataKeys])),
        Rotation::Records => Work::RotateRecords(Rotating::of(vec![Target::Records])),
        Rotation::Fingerprint => Work::RotateFingerprint(Rotating::of(vec![Target::Fingerprint])),
        Rotation::Jwe { .. } | Rotation::Audit | Rotation::Epoch | Rotation::Root { .. } => {
            return at_once::apply(tx, rotation, occasion);
        }
    };
    let new = NewJob {
        id: occasion.job.clone(),
        work,
        approval: Some(occasion.approval.clone()),
        begun_at: occasion.now,
    };
    work::begin(tx, new).map(drop)
}

/// Does the next batch of a rotation.
///
/// # Errors
/// As for [`Turn::commit`].
pub async fn step(turn: &mut Turn) -> Result<Stepped, Error> {
    if turn.is_fresh() {
        // Whoever ran the job before may have ended between a change of the keyring and putting it in force.
        turn.vault().exchange_keys().await?;
    }
    let mut job = turn.job().clone();
    let rotating = Rotating::in_job(&mut job)?;
    match rotating.phase {
        Phase::Renew => renew(turn, rotating.target()?).await,
        Phase::Move => moving::step(turn, rotating).await,
        Phase::Scan => scan::step(turn, rotating).await,
        Phase::Destroy => finish::destroy(turn, rotating.target()?).await,
        Phase::Epoch => finish::replace_epoch(turn).await,
        Phase::Complete => finish::complete(turn).await,
    }
}

impl OpenVault {
    /// Puts in force what the store holds of the keyring, after a transaction changed it. Done on the commit thread once
    /// more: whatever was sealed by the former keyring is committed by then, and a scan that begins now sees it.
    ///
    /// # Errors
    /// The keyring does not open; the store's.
    pub async fn exchange_keys(self: &Arc<Self>) -> Result<(), Error> {
        let records = self.records.clone();
        let refreshed = tokio::task::spawn_blocking(move || records.refresh_keys()).await;
        refreshed.map_err(|error| Error::Internal(error.to_string()))??;
        self.transact(|_| Ok(())).await
    }
}

/// Makes the new version active, and puts it in force.
async fn renew(turn: &mut Turn, target: Target) -> Result<Stepped, Error> {
    let counted = count(turn, target).await?;
    let event = turn.event(Operation::RotateKey, String::new());
    let now = turn.vault().now();
    turn.commit_event(event, move |tx, job, event| {
        let renewed = tx.change_keys(|keyring, txn| keyring.renew(txn, target.purpose(), now))?;
        let (name, id) = (target.purpose().as_str(), job.id.clone());
        event.note = Some(format!(
            "{name} version {} to {} by {id}",
            renewed.from, renewed.to
        ));
        (job.from_version, job.to_version) = (Some(renewed.from), Some(renewed.to));
        job.total += counted;
        let rotating = Rotating::in_job(job)?;
        (rotating.from, rotating.to, rotating.passes) = (renewed.from, renewed.to, 1);
        rotating.rewind(Phase::Move);
        Ok(())
    })
    .await?;
    turn.vault().exchange_keys().await?;
    Ok(Stepped::Did(0))
}

/// How many values there are.
async fn count(turn: &Turn, target: Target) -> Result<u64, Error> {
    let store = turn.vault().surroundings.store.clone();
    let counted = tokio::task::spawn_blocking(move || {
        let trees = target.trees().iter();
        trees.map(|tree| store.count(*tree)).sum::<Result<u64, _>>()
    });
    let counted = counted
        .await
        .map_err(|error| Error::Internal(error.to_string()))?;
    counted.map_err(|error| Error::Store(error.to_string()))
}
