//! The integrity check: opens every record of every tree once, follows each card to its data key, its fields and its index
//! entry and back, and counts. What does not hold is named, written down and passed by.
//!
//! All of it reads one point of the store's time, so that a card whose two halves are written while the check runs is no
//! false alarm, and the count can be compared with the commit record. A check that rested or was interrupted begins anew,
//! over a new point: half a check of one moment and half of another would prove neither.

mod check;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::ids::IdempotencyKey;
use shared::mtls::identity::Identity;
use shared::vault_api::jobs::{Job, JobState};

use self::check::{Batch, Failure, check_batch, unreadable};
use crate::audit::event::{Event, Operation};
use crate::error::Error;
use crate::idempotency::Slot;
use crate::keys::keyring::Keyring;
use crate::open_vault::OpenVault;
use crate::records::Tx;
use crate::store::{Snapshot, Tree};
use crate::work::{self, NewJob, Stepped, Turn, Work};

/// A running check has no cursor: see the head of this file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checking {}

/// Begins a check, on one officer's word: it changes nothing.
///
/// # Errors
/// `JOB_RUNNING` while another check has not ended.
pub async fn begin(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    key: &IdempotencyKey,
) -> Result<Job, Error> {
    let slot = Slot::new(caller, Operation::ChangeJob, "integrity", key, &[], vault.now());
    if let Some(answer) = vault.replay(&slot, &event).await? {
        return Ok(answer);
    }
    let new = NewJob {
        id: vault.surroundings.random.job_token()?,
        work: Work::Integrity(Checking::default()),
        approval: None,
        begun_at: vault.surroundings.clock.now(),
    };
    event.note = Some(format!("{} integrity begun", new.id));
    let job = vault
        .commit(event, move |tx: &mut Tx<'_, '_>, _| {
            let job = work::begin(tx, new)?.shown(Vec::new());
            slot.remember(tx, &job)?;
            Ok(job)
        })
        .await?;
    vault.desk.wake();
    Ok(job)
}

/// Runs the whole check; between two batches it rests as long as traffic and officers want.
///
/// # Errors
/// As for [`Turn::commit`].
pub async fn step(turn: &mut Turn) -> Result<Stepped, Error> {
    let moment = Arc::new(Moment::take(turn.vault())?);
    let expected = moment.snapshot.reached().records;
    turn.commit(move |tx, job| {
        Turn::forget_failures(tx, job)?;
        (job.total, job.done) = (expected, 0);
        Ok(())
    })
    .await?;
    check_keyring(turn, &moment).await?;
    let mut counts = Vec::new();
    for tree in Tree::ALL {
        counts.push((tree, check_tree(turn, &moment, tree).await?));
    }
    let found: u64 = counts.iter().map(|(_, count)| count).sum();
    if found != expected {
        let why = format!("{found} entries, and its commit record says {expected}");
        turn.fail("the store", &why, |_| {}).await?;
    }
    let table = table(&counts);
    turn.end(JobState::Done, None, move |_, job| {
        job.completion = Some(table);
        Ok(())
    })
    .await?;
    Ok(Stepped::Ended)
}

/// One point of the store's time, and the keys that opened everything at that point. A version that is destroyed while
/// the check runs stays in its memory until it ends.
struct Moment {
    keyring: Arc<Keyring>,
    snapshot: Snapshot,
}

impl Moment {
    fn take(vault: &OpenVault) -> Result<Self, Error> {
        loop {
            let keyring = vault.keyring();
            let snapshot = vault.surroundings.store.snapshot().map_err(unreadable)?;
            // Else a key could be used in the snapshot that the ring does not have yet.
            if Arc::ptr_eq(&keyring, &vault.keyring()) {
                return Ok(Self { keyring, snapshot });
            }
        }
    }
}

/// Slots and wrapped keys are judged by the root key, all together.
async fn check_keyring(turn: &mut Turn, moment: &Arc<Moment>) -> Result<(), Error> {
    let (vault, moment) = (Arc::clone(turn.vault()), Arc::clone(moment));
    let open = move || {
        let reopened = moment.keyring.reopen(&vault.surroundings.store, vault.now());
        reopened.map(drop).map_err(|error| error.to_string())
    };
    let opened = tokio::task::spawn_blocking(open).await;
    if let Err(why) = opened.map_err(|error| Error::Internal(error.to_string()))? {
        turn.vault().surroundings.observed.counters.corrupt(Tree::Keks);
        turn.fail("the keyring", &why, |_| {}).await?;
    }
    Ok(())
}

/// Checks a tree; returns how many entries it has.
async fn check_tree(turn: &mut Turn, moment: &Arc<Moment>, tree: Tree) -> Result<u64, Error> {
    let (mut count, mut after) = (0, None);
    loop {
        let (moment, limit) = (Arc::clone(moment), turn.batch());
        let batch = move || {
            let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            check_batch(&moment.keyring, &moment.snapshot, tree, from, limit)
        };
        let checked = tokio::task::spawn_blocking(batch).await;
        let Batch {
            entries,
            counted,
            last,
            failures,
        } = checked.map_err(|error| Error::Internal(error.to_string()))??;
        let failed = u64::try_from(failures.len()).unwrap_or(u64::MAX);
        for Failure { tree, item, why } in failures {
            turn.vault().surroundings.observed.counters.corrupt(tree);
            turn.fail(&item, &why, |_| {}).await?;
        }
        count += counted;
        turn.commit(move |_, job| {
            job.done += counted.saturating_sub(failed);
            Ok(())
        })
        .await?;
        if last.is_none() {
            return Ok(count);
        }
        after = last;
        turn.breathe(entries).await;
    }
}

/// Entries per tree, one line each.
fn table(counts: &[(Tree, u64)]) -> String {
    let mut table = String::new();
    for (tree, count) in counts {
        // Writing to a string does not fail.
        let _ = writeln!(table, "{} {count}", tree.name());
    }
    table
}
