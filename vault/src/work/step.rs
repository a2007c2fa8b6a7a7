//! Which work does its next batch how.

use super::record::Work;
use super::turn::Turn;
use crate::error::Error;
use crate::flows::{backup, export, import, integrity, rotate};

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// So many items; there may be more to do.
    Did(u64),
    /// The job has ended: [`Turn::end`] was called.
    Ended,
}

/// Does the next batch of a job.
///
/// # Errors
/// `Raced`, `Busy`, `NoSpace`, `Store` and `Locked` are tried again later; every other error ends the job as failed.
pub(super) async fn step(turn: &mut Turn) -> Result<Stepped, Error> {
    match &turn.job().work {
        Work::RotateCardKek(_)
        | Work::RotateDataKeys(_)
        | Work::RotateRecords(_)
        | Work::RotateFingerprint(_)
        | Work::Purge(_) => rotate::step(turn).await,
        Work::Integrity(_) => integrity::step(turn).await,
        Work::Backup(work) => {
            let work = work.clone();
            backup::step(turn, work).await
        }
        Work::Import(work) => {
            let work = work.clone();
            import::step(turn, work).await
        }
        Work::Export(work) => {
            let work = work.as_ref().clone();
            export::step(turn, work).await
        }
        #[cfg(test)]
        Work::Probe(_) => super::tests::step(turn).await,
    }
}
