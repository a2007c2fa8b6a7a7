//! A job begins inside the transaction that decided it: an approval's, or one of the vault's standing orders.

use std::ops::Bound;

use shared::ids::{ApprovalToken, JobToken};
use shared::vault_api::jobs::JobState;
use time::OffsetDateTime;

use super::record::{ACTIVE, JobRecord, Work};
use crate::error::Error;
use crate::records::Tx;

/// More jobs than ever run at once: one of each class.
pub(super) const MOST_ACTIVE: usize = 64;

/// A job that is to begin.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its token, drawn before.
    pub id: JobToken,
    /// What it does, at its beginning.
    pub work: Work,
    /// The approval; none for standing orders.
    pub approval: Option<ApprovalToken>,
    /// When.
    pub begun_at: OffsetDateTime,
}

/// Writes the job. The runner finds it once the transaction is durable; `vault.desk.wake()` saves it a second.
///
/// # Errors
/// `JOB_RUNNING` while another of its class has not ended.
pub fn begin(tx: &mut Tx<'_, '_>, new: NewJob) -> Result<JobRecord, Error> {
    let active: Vec<JobRecord> = tx.scan_readable(ACTIVE, Bound::Unbounded, MOST_ACTIVE)?;
    if let Some(other) = active.iter().find(|job| job.work.class() == new.work.class()) {
        return Err(Error::conflict(
            "JOB_RUNNING",
            format!("The job {} must end first.", other.id),
        ));
    }
    let job = JobRecord {
        id: new.id,
        work: new.work,
        state: JobState::Running,
        approval: new.approval,
        from_version: None,
        to_version: None,
        total: 0,
        done: 0,
        failed: 0,
        rate: 0,
        per_second: 0,
        begun_at: new.begun_at,
        ended_at: None,
        reason: None,
        completion: None,
        lease: None,
    };
    tx.put(&job)?;
    Ok(job)
}
