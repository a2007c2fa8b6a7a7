//! Runs the jobs that are at work: looks once a second and when it is woken, one task for each job.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use shared::ids::JobToken;
#[cfg(test)]
use shared::vault_api::jobs::Job;
use shared::vault_api::jobs::JobState;

use super::begin::MOST_ACTIVE;
use super::record::{ACTIVE, JobRecord};
use super::step::{Stepped, step};
use super::turn::Turn;
#[cfg(test)]
use super::{control, find};
use crate::error::Error;
use crate::open_vault::OpenVault;

/// How often jobs are looked for that other processes began, or that could not go on.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs the jobs of an open vault until it is locked.
pub async fn run(vault: Arc<OpenVault>) {
    while !vault.is_closed() {
        if let Err(error) = tend(&vault) {
            tracing::error!(%error, "jobs cannot be looked for");
        }
        tokio::select! {
            () = vault.desk.woken() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Starts a task for every job that is at work and that nobody here runs yet.
fn tend(vault: &Arc<OpenVault>) -> Result<(), Error> {
    for job in vault
        .records
        .scan_readable::<JobRecord>(ACTIVE, Bound::Unbounded, MOST_ACTIVE)?
    {
        if job.is_at_work() {
            let vault = Arc::clone(vault);
            tokio::spawn(async move {
                if let Err(error) = drive(&vault, &job.id).await {
                    tracing::warn!(job = %job.id, %error, "a job rests and is tried again");
                }
            });
        }
    }
    Ok(())
}

/// Runs one job until it ends, rests, or an error says that now is not the time.
async fn drive(vault: &Arc<OpenVault>, id: &JobToken) -> Result<(), Error> {
    let Some(_at_desk) = vault.desk.take(id) else {
        return Ok(());
    };
    let Some(mut turn) = Turn::claim(vault, id).await? else {
        return Ok(());
    };
    loop {
        turn.pace.wait(&vault.surroundings.store).await;
        let stepped = step(&mut turn).await;
        turn.grow_old();
        match stepped {
            Ok(Stepped::Did(items)) => turn.pace.count(items, turn.job().per_second),
            Ok(Stepped::Ended) => return Ok(()),
            Err(error) if may_pass(&error) => return Err(error),
            Err(error) => {
                tracing::error!(job = %id, %error, "a job failed");
                let reason = error.to_string();
                return turn.end(JobState::Failed, Some(reason), |_, _| Ok(())).await;
            }
        }
    }
}

/// Whether the same step may succeed later: the job was paused, the vault is locked, busy or out of room.
const fn may_pass(error: &Error) -> bool {
    matches!(
        error,
        Error::Raced | Error::Locked | Error::Busy | Error::NoSpace | Error::Store(_) | Error::Budget(_)
    )
}

/// Runs a job to its end, or until it rests, without waiting for a clock.
///
/// # Errors
/// There is no such job; what `drive` could not pass.
#[cfg(test)]
pub async fn run_to_end(vault: &Arc<OpenVault>, id: &JobToken) -> Result<Job, Error> {
    while control::record(vault, id)?.is_at_work() {
        match drive(vault, id).await {
            // Somebody changed the job meanwhile, or its data: look again.
            Ok(()) | Err(Error::Raced | Error::Busy) => tokio::task::yield_now().await,
            Err(error) => return Err(error),
        }
    }
    find(vault, id)
}
