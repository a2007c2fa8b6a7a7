//! The standing order that follows sweeps: KEK, fingerprint key and epoch secret are replaced, so that whoever has an
//! earlier copy of the store, and today's shares and epoch files, opens nothing of the cards that were destroyed: the data
//! keys in the copy are wrapped by a KEK that is gone, and card numbers cannot be tried against its fingerprints, whose key
//! is gone too.

use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::ids::JobToken;
use shared::vault_api::jobs::JobState;

use super::retention::last_destroyed;
use super::rotate::Rotating;
use crate::audit::event::{Event, Operation};
use crate::domain::retention::Purged;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};
use crate::store::Tree;
use crate::work::{self, NewJob, Work};

/// Purges that are looked at: at one a day, those of 27 years.
const MOST_PURGES: usize = 10_000;
const PURGE: &[u8] = b"purge/";

/// A purge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PurgeRecord {
    job: JobToken,
    /// Unix seconds.
    begun_at: i64,
    /// How it ended, once it has.
    end: Option<End>,
}

/// How a purge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum End {
    /// Unix seconds.
    Done(i64),
    /// Aborted or failed: what was destroyed before it waits for another.
    GivenUp,
}

impl Record for PurgeRecord {
    const TREE: Tree = Tree::Retention;
    fn key(&self) -> Vec<u8> {
        // The newest first.
        let age = u64::MAX - u64::try_from(self.begun_at).unwrap_or(0);
        [PURGE, &age.to_be_bytes()].concat()
    }
}

/// Every purge that is done, newest first.
///
/// # Errors
/// The store's.
pub fn done(vault: &OpenVault) -> Result<Vec<Purged>, Error> {
    let purges: Vec<PurgeRecord> = vault.records.scan(PURGE, Bound::Unbounded, MOST_PURGES)?;
    let done = purges.into_iter().filter_map(|purge| match purge.end {
        Some(End::Done(ended_at)) => Some(Purged {
            begun_at: purge.begun_at,
            ended_at,
        }),
        Some(End::GivenUp) | None => None,
    });
    Ok(done.collect())
}

/// When the purge began that runs now, Unix seconds.
///
/// # Errors
/// The store's.
pub fn running_since(tx: &mut Tx<'_, '_>) -> Result<Option<i64>, Error> {
    let newest: Vec<PurgeRecord> = tx.scan(PURGE, Bound::Unbounded, 1)?;
    let running = newest.first().filter(|purge| purge.end.is_none());
    Ok(running.map(|purge| purge.begun_at))
}

/// Writes down how the last purge ended, and begins the next if cards were destroyed since it began and the interval is
/// over. Returns the job that begins.
///
/// # Errors
/// The store's. A rotation that runs has the purge wait for the next call.
pub async fn begin_if_due(vault: &Arc<OpenVault>) -> Result<Option<JobToken>, Error> {
    let mut purges: Vec<PurgeRecord> = vault.records.scan(PURGE, Bound::Unbounded, MOST_PURGES)?;
    if let Some(newest) = purges.first_mut()
        && newest.end.is_none()
    {
        let job = work::find(vault, &newest.job)?;
        newest.end = match (job.state, job.ended_at) {
            (JobState::Done, Some(ended)) => Some(End::Done(ended.unix_timestamp())),
            (JobState::Aborted | JobState::Failed, _) => Some(End::GivenUp),
            _ => return Ok(None),
        };
        let record = newest.clone();
        vault.records.transact(move |tx| tx.put(&record)).await?;
    }
    let Some(destroyed) = last_destroyed(vault)? else {
        return Ok(None);
    };
    let serves = |purge: &PurgeRecord| purge.end != Some(End::GivenUp) && purge.begun_at >= destroyed;
    let interval = vault.surroundings.retention.purge_interval_seconds;
    let now = vault.now();
    let too_soon = |purge: &PurgeRecord| now < purge.begun_at.saturating_add(interval);
    if purges.iter().any(serves) || purges.first().is_some_and(too_soon) {
        return Ok(None);
    }
    begin(vault, now.max(destroyed)).await
}

async fn begin(vault: &Arc<OpenVault>, begun_at: i64) -> Result<Option<JobToken>, Error> {
    let job = vault.surroundings.random.job_token()?;
    let record = PurgeRecord {
        job: job.clone(),
        begun_at,
        end: None,
    };
    let new = NewJob {
        id: job.clone(),
        work: Work::Purge(Rotating::purge()),
        approval: None,
        begun_at: vault.surroundings.clock.now(),
    };
    let mut event = Event::done(Operation::ChangeJob, vault.surroundings.clock.now());
    event.note = Some(format!("{job} purge begun: cards were destroyed"));
    let begun = vault
        .commit(event, move |tx, _| {
            work::begin(tx, new)?;
            tx.put(&record)
        })
        .await;
    match begun {
        Ok(()) => {
            vault.desk.wake();
            Ok(Some(job))
        }
        Err(Error::Conflict {
            code: "JOB_RUNNING", ..
        }) => Ok(None),
        Err(other) => Err(other),
    }
}
