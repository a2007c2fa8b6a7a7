//! Counts what still refers to other versions than the active one: nothing, or the rotation goes over it once more.

use std::ops::Bound;

use shared::vault_api::jobs::JobState;

use super::moving::is_moved;
use super::plan::{Phase, Rotating};
use crate::error::Error;
use crate::store::Tree;
use crate::work::{Stepped, Turn};

/// Entries looked at in one step: their first bytes alone are read.
const PAGE: usize = 1024;
/// Passes after which a rotation gives up. The second finds what was changed during the first.
const MOST_PASSES: u32 = 16;

/// Looks at the next page, or decides.
pub(super) async fn step(turn: &mut Turn, rotating: &Rotating) -> Result<Stepped, Error> {
    let Some(tree) = rotating.tree() else {
        return decide(turn, rotating).await;
    };
    let (store, at) = (turn.vault().surroundings.store.clone(), rotating.clone());
    let looked = tokio::task::spawn_blocking(move || look(&store, &at, tree)).await;
    let (left, last) = looked.map_err(|error| Error::Internal(error.to_string()))??;
    turn.commit(move |_, job| {
        let rotating = Rotating::in_job(job)?;
        rotating.left += left;
        rotating.go_on(last);
        Ok(())
    })
    .await?;
    Ok(Stepped::Did(0))
}

fn look(
    store: &crate::store::Store,
    rotating: &Rotating,
    tree: Tree,
) -> Result<(u64, Option<Vec<u8>>), Error> {
    let from = rotating
        .cursor
        .as_ref()
        .map_or(Bound::Unbounded, |cursor| Bound::Excluded(cursor.0.as_slice()));
    let entries = store.scan(tree, b"", from, PAGE);
    let entries = entries.map_err(|error| Error::Store(error.to_string()))?;
    let target = rotating.target()?;
    let left = entries
        .iter()
        .filter(|(key, value)| !is_moved(target, rotating.to, key, value));
    let left = left.count() as u64;
    let last = entries.last().map(|(key, _)| key.clone());
    Ok((left, last.filter(|_| entries.len() == PAGE)))
}

async fn decide(turn: &mut Turn, rotating: &Rotating) -> Result<Stepped, Error> {
    let (left, failed) = (rotating.left, turn.job().failed);
    if left == 0 {
        turn.commit(|_, job| {
            Rotating::in_job(job)?.rewind(Phase::Destroy);
            Ok(())
        })
        .await?;
        return Ok(Stepped::Did(0));
    }
    let name = rotating.target()?.purpose().as_str();
    if left <= failed || rotating.passes >= MOST_PASSES {
        let reason = format!(
            "{left} values still refer to {name} before version {}, {failed} of them do not open: it stays retiring",
            rotating.to
        );
        turn.end(JobState::Failed, Some(reason), |_, _| Ok(())).await?;
        return Ok(Stepped::Ended);
    }
    turn.commit(move |tx, job| {
        Turn::forget_failures(tx, job)?;
        job.state = JobState::Running;
        job.done = job.total.saturating_sub(left);
        let rotating = Rotating::in_job(job)?;
        rotating.passes += 1;
        rotating.rewind(Phase::Move);
        Ok(())
    })
    .await?;
    Ok(Stepped::Did(0))
}
