//! What officers do with jobs: look, pause, resume, throttle, each alone; abort, two of them.

use std::ops::Bound;
use std::sync::Arc;

use shared::ids::JobToken;
use shared::vault_api::jobs::{Job, JobState};
use time::OffsetDateTime;

use super::begin::MOST_ACTIVE;
use super::failures;
use super::record::{ACTIVE, ENDED, JobRecord, active_key, ended_key};
use crate::audit::event::Event;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::Tx;

/// Jobs listed at once.
const MOST_LISTED: usize = 1000;

/// A change that one officer may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Rest.
    Pause,
    /// Go on.
    Resume,
    /// Most items a second; 0: as fast as live traffic lets it.
    Throttle(u32),
}

/// Every job, newest first.
///
/// # Errors
/// The store's.
pub fn list(vault: &OpenVault) -> Result<Vec<Job>, Error> {
    let mut jobs: Vec<JobRecord> = vault
        .records
        .scan_readable(ACTIVE, Bound::Unbounded, MOST_ACTIVE)?;
    jobs.extend(
        vault
            .records
            .scan_readable::<JobRecord>(ENDED, Bound::Unbounded, usize::MAX)?,
    );
    jobs.sort_by_key(|job| std::cmp::Reverse(job.begun_at));
    jobs.truncate(MOST_LISTED);
    jobs.into_iter().map(|job| shown(vault, job)).collect()
}

/// One job.
///
/// # Errors
/// There is no such job.
pub fn find(vault: &OpenVault, id: &JobToken) -> Result<Job, Error> {
    shown(vault, record(vault, id)?)
}

/// The record of a job.
///
/// # Errors
/// There is no such job.
pub(super) fn record(vault: &OpenVault, id: &JobToken) -> Result<JobRecord, Error> {
    // A job that ends between the two readings is found by the second.
    for key in [active_key(id), ended_key(id)] {
        if let Some(stored) = vault.records.get::<JobRecord>(&key)? {
            return Ok(stored.record);
        }
    }
    Err(Error::NotFound("job"))
}

fn shown(vault: &OpenVault, job: JobRecord) -> Result<Job, Error> {
    let failures = failures::of(&vault.records, &job.id)?;
    Ok(job.shown(failures))
}

/// Pauses, resumes or throttles.
///
/// # Errors
/// No such job; `JOB_ENDED`; `JOB_NOT_PAUSED` for resuming one that does not rest.
pub async fn change(
    vault: &Arc<OpenVault>,
    mut event: Event,
    id: &JobToken,
    change: Change,
) -> Result<Job, Error> {
    let word = match change {
        Change::Pause => "paused".to_owned(),
        Change::Resume => "resumed".to_owned(),
        Change::Throttle(0) => "no longer throttled".to_owned(),
        Change::Throttle(most) => format!("throttled to {most} a second"),
    };
    event.note = Some(format!("{id} {word}"));
    let key = id.clone();
    let job = vault
        .commit(event, move |tx, _| {
            let mut job = active(tx, &key)?;
            match (change, job.state) {
                (Change::Pause, _) => job.state = JobState::Paused,
                (Change::Resume, JobState::Paused) => job.state = JobState::Running,
                (Change::Resume, _) => {
                    return Err(Error::conflict(
                        "JOB_NOT_PAUSED",
                        "Only a job that rests can go on.",
                    ));
                }
                (Change::Throttle(most), _) => job.per_second = most,
            }
            tx.put(&job)?;
            Ok(job)
        })
        .await?;
    vault.desk.wake();
    shown(vault, job)
}

/// Ends a job before its end, inside an approval's transaction.
///
/// # Errors
/// No such job; `JOB_ENDED`.
pub fn abort(tx: &mut Tx<'_, '_>, id: &JobToken, now: OffsetDateTime) -> Result<(), Error> {
    let mut job = active(tx, id)?;
    tx.delete::<JobRecord>(&active_key(id))?;
    (job.state, job.ended_at, job.lease) = (JobState::Aborted, Some(now), None);
    tx.put(&job)
}

/// A job that has not ended.
fn active(tx: &mut Tx<'_, '_>, id: &JobToken) -> Result<JobRecord, Error> {
    if let Some(job) = tx.get(&active_key(id))? {
        return Ok(job);
    }
    if tx.exists::<JobRecord>(&ended_key(id))? {
        return Err(Error::conflict("JOB_ENDED", "The job has ended."));
    }
    Err(Error::NotFound("job"))
}
