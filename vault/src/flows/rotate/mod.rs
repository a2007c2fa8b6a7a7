//! Rotation of keys, online: a new version becomes active, what refers to the old one is moved in small batches, a scan
//! proves that nothing is left, the old version is destroyed, and the epoch is replaced.

mod plan;

pub use self::plan::{Rotating, Target};

use shared::vault_api::jobs::Rotation;

use crate::error::Error;
use crate::flows::govern::Occasion;
use crate::records::Tx;
use crate::work::{self, JobRecord, NewJob, Stepped, Turn, Work};

/// Begins the job of a rotation, inside its approval's transaction.
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
            return Err(Error::conflict("NOT_AVAILABLE", "This build cannot do that yet."));
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

/// How far a job's rotation is.
fn of(job: &JobRecord) -> Result<&Rotating, Error> {
    match &job.work {
        Work::RotateCardKek(rotating)
        | Work::RotateDataKeys(rotating)
        | Work::RotateRecords(rotating)
        | Work::RotateFingerprint(rotating)
        | Work::Purge(rotating) => Ok(rotating),
        Work::Integrity(_) | Work::Import(_) | Work::Export(_) => {
            Err(Error::Internal("no rotation".to_owned()))
        }
        #[cfg(test)]
        Work::Probe(_) => Err(Error::Internal("no rotation".to_owned())),
    }
}

/// Does the next batch of a rotation.
///
/// # Errors
/// As for [`Turn::commit`].
pub async fn step(turn: &mut Turn) -> Result<Stepped, Error> {
    let rotating = of(turn.job())?;
    Err(Error::conflict(
        "NOT_AVAILABLE",
        format!("This build cannot rotate {:?} yet.", rotating.plan),
    ))
}
