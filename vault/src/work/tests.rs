//! The engine over a job that counts: nothing is done twice, nothing is left out, and officers' words hold at once.

use serde::{Deserialize, Serialize};
use shared::ids::JobToken;
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::{JobKind, JobState};

use super::{Change, JobRecord, NewJob, Stepped, Turn, Work, begin, change, find, list, run_to_end};
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows::tests::Stage;

/// Counts from 0 to `until`; number `corrupt` does not read, and at `broken` the job cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    #[serde(rename = "is")]
    pub kind: JobKind,
    pub next: u64,
    pub until: u64,
    pub corrupt: Option<u64>,
    pub broken: Option<u64>,
}

impl Probe {
    const fn counting_to(until: u64) -> Self {
        Self {
            kind: JobKind::Integrity,
            next: 0,
            until,
            corrupt: None,
            broken: None,
        }
    }
}

fn probe(job: &mut JobRecord) -> &mut Probe {
    let Work::Probe(probe) = &mut job.work else {
        panic!("another kind of work");
    };
    probe
}

pub(super) async fn step(turn: &mut Turn) -> Result<Stepped, Error> {
    let Work::Probe(seen) = turn.job().work.clone() else {
        panic!("another kind of work");
    };
    if seen.broken == Some(seen.next) {
        return Err(Error::Internal("broken".to_owned()));
    }
    if seen.corrupt == Some(seen.next) {
        turn.fail("number", "does not read", |job| probe(job).next += 1)
            .await?;
        return Ok(Stepped::Did(1));
    }
    if seen.next < seen.until {
        turn.commit(move |_, job| {
            assert_eq!(probe(job).next, seen.next, "a step was done twice or left out");
            probe(job).next += 1;
            job.done += 1;
            Ok(())
        })
        .await?;
        return Ok(Stepped::Did(1));
    }
    turn.end(JobState::Done, None, |_, _| Ok(())).await?;
    Ok(Stepped::Ended)
}

async fn begun(stage: &Stage, probe: Probe) -> Result<JobToken, Error> {
    let id = stage.vault.surroundings.random.job_token().unwrap();
    let new = NewJob {
        id: id.clone(),
        work: Work::Probe(probe),
        approval: None,
        begun_at: stage.vault.surroundings.clock.now(),
    };
    stage.vault.transact(move |tx| begin(tx, new)).await?;
    Ok(id)
}

async fn say(stage: &Stage, id: &JobToken, word: Change) -> Result<(), Error> {
    let event = stage.event(Operation::ChangeJob);
    change(&stage.vault, event, id, word).await.map(drop)
}

#[tokio::test]
async fn a_job_runs_to_its_end_and_tells_what_failed() {
    let stage = Stage::new().await;
    let mut counting = Probe::counting_to(5);
    counting.corrupt = Some(2);
    let id = begun(&stage, counting).await.unwrap();
    let job = run_to_end(&stage.vault, &id).await.unwrap();
    assert_eq!(job.state, JobState::Done);
    assert_eq!((job.progress.done, job.progress.failed), (4, 1));
    assert_eq!(job.failures, ["number: does not read"]);
    assert_eq!(find(&stage.vault, &id).unwrap().id, id);
    assert_eq!(list(&stage.vault).unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_go_on_ends_with_its_reason() {
    let stage = Stage::new().await;
    let mut counting = Probe::counting_to(5);
    counting.broken = Some(3);
    let id = begun(&stage, counting).await.unwrap();
    let job = run_to_end(&stage.vault, &id).await.unwrap();
    assert_eq!((job.state, job.progress.done), (JobState::Failed, 3));
    assert!(job.failures.iter().any(|text| text.contains("broken")), "{job:?}");
}

#[tokio::test]
async fn one_of_a_class_at_a_time() {
    let stage = Stage::new().await;
    let first = begun(&stage, Probe::counting_to(1)).await.unwrap();
    let second = begun(&stage, Probe::counting_to(1)).await;
    assert!(matches!(
        second,
        Err(Error::Conflict {
            code: "JOB_RUNNING",
            ..
        })
    ));
    let mut other = Probe::counting_to(1);
    other.kind = JobKind::Backup;
    begun(&stage, other).await.unwrap();
    run_to_end(&stage.vault, &first).await.unwrap();
    begun(&stage, Probe::counting_to(1)).await.unwrap();
}

#[tokio::test]
async fn one_officer_rests_it_and_lets_it_go_on() {
    let stage = Stage::new().await;
    let id = begun(&stage, Probe::counting_to(3)).await.unwrap();
    say(&stage, &id, Change::Pause).await.unwrap();
    let job = run_to_end(&stage.vault, &id).await.unwrap();
    assert_eq!((job.state, job.progress.done), (JobState::Paused, 0));
    say(&stage, &id, Change::Throttle(1000)).await.unwrap();
    say(&stage, &id, Change::Resume).await.unwrap();
    let again = say(&stage, &id, Change::Resume).await;
    assert!(matches!(
        again,
        Err(Error::Conflict {
            code: "JOB_NOT_PAUSED",
            ..
        })
    ));
    let job = run_to_end(&stage.vault, &id).await.unwrap();
    assert_eq!((job.state, job.per_second), (JobState::Done, 1000));
    let late = say(&stage, &id, Change::Pause).await;
    assert!(matches!(
        late,
        Err(Error::Conflict {
            code: "JOB_ENDED",
            ..
        })
    ));
}

#[tokio::test]
async fn a_word_in_the_middle_of_a_step_drops_that_step() {
    let stage = Stage::new().await;
    let id = begun(&stage, Probe::counting_to(3)).await.unwrap();
    let mut turn = Turn::claim(&stage.vault, &id).await.unwrap().unwrap();
    say(&stage, &id, Change::Pause).await.unwrap();
    assert!(matches!(step(&mut turn).await, Err(Error::Raced)));
    assert_eq!(find(&stage.vault, &id).unwrap().progress.done, 0);
    assert!(
        Turn::claim(&stage.vault, &id).await.unwrap().is_none(),
        "it rests"
    );
}

#[tokio::test]
async fn two_officers_end_it() {
    let stage = Stage::new().await;
    let id = begun(&stage, Probe::counting_to(3)).await.unwrap();
    stage.agree(Proposal::AbortJob(id.clone())).await.unwrap();
    let job = run_to_end(&stage.vault, &id).await.unwrap();
    assert_eq!((job.state, job.progress.done), (JobState::Aborted, 0));
    let again = stage.agree(Proposal::AbortJob(id)).await;
    assert!(matches!(
        again,
        Err(Error::Conflict {
            code: "JOB_ENDED",
            ..
        })
    ));
}

#[tokio::test]
async fn it_goes_on_where_it_was_after_a_lock() {
    let mut stage = Stage::new().await;
    let id = begun(&stage, Probe::counting_to(3)).await.unwrap();
    let mut turn = Turn::claim(&stage.vault, &id).await.unwrap().unwrap();
    step(&mut turn).await.unwrap();
    let event = stage.event(Operation::Lock);
    stage.process.lock(event).await.unwrap();
    assert!(matches!(step(&mut turn).await, Err(Error::Locked)));
    stage.unlock().await;
    let job = run_to_end(&stage.vault, &id).await.unwrap();
    assert_eq!((job.state, job.progress.done), (JobState::Done, 3));
}
