//! Waiting: for a second officer, and for a job's end. A vault that goes away meanwhile is waited for too: the work goes on
//! where it was once the vault is back.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use shared::ids::JobToken;
use shared::vault_api::governance::{Approval, ApprovalState};
use shared::vault_api::jobs::{Job, JobState, Throttle};
use shared::vault_api::paths;

use crate::cli::Context;
use crate::client::Vault;
use crate::console::Console;
use crate::failure::Failure;
use crate::{approvals, jobs};

/// Between the first two looks at a proposal; twice as long each time, up to the longest. Looks are audit events.
const APPROVAL_PAUSE: Duration = Duration::from_secs(2);
/// A second officer takes minutes.
const LONGEST_APPROVAL_PAUSE: Duration = Duration::from_secs(30);
/// Between two looks at a job.
const JOB_PAUSE: Duration = Duration::from_secs(1);
/// Between two tries to reach a vault that is away or locked.
const AWAY_PAUSE: Duration = Duration::from_secs(5);
/// Tries until it is given up: 30 minutes.
const MOST_AWAY: u32 = 360;

/// Waits until a second officer has approved.
///
/// # Errors
/// The proposal lapsed, or the vault stayed away.
pub async fn approval(context: &Context, vault: &Vault, mut approval: Approval) -> Result<Approval, Failure> {
    let mut patience = Patience::new(&context.console);
    let mut pause = APPROVAL_PAUSE;
    context.console.remark("Waiting for the second officer.");
    loop {
        match approval.state {
            ApprovalState::Done => return Ok(approval),
            ApprovalState::Expired => {
                return Err(Failure::Unfinished(format!(
                    "{} lapsed: nobody approved it in time",
                    approval.id
                )));
            }
            ApprovalState::Open => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(LONGEST_APPROVAL_PAUSE);
        if let Some(seen) = patience.with(approvals::find(vault, &approval.id).await).await? {
            approval = seen;
        }
    }
}

/// The job that an approval began; none where the work was done at once.
///
/// # Errors
/// [`Failure`].
pub async fn job_of(context: &Context, vault: &Vault, approval: &Approval) -> Result<Option<Job>, Failure> {
    let mut patience = Patience::new(&context.console);
    loop {
        let jobs = vault.get::<Vec<Job>>(paths::JOBS).await;
        if let Some(jobs) = patience.with(jobs).await? {
            return Ok(jobs
                .into_iter()
                .find(|job| job.approval.as_ref() == Some(&approval.id)));
        }
    }
}

/// The job with the throttle that was asked for; one that is over by then needs none.
///
/// # Errors
/// [`Failure`].
pub async fn throttled(vault: &Vault, job: Job, per_second: Option<u32>) -> Result<Job, Failure> {
    let Some(per_second) = per_second else {
        return Ok(job);
    };
    let changed = vault
        .post(&paths::throttle_job(&job.id), &Throttle { per_second })
        .await;
    match changed {
        Err(Failure::Refused(problem)) => {
            let job = look(vault, &job.id).await?;
            if is_over(job.state) {
                Ok(job)
            } else {
                Err(Failure::Refused(problem))
            }
        }
        other => other,
    }
}

/// Follows a job to its end: a bar for people, a line for each change for machines.
///
/// # Errors
/// It failed or was aborted, or the vault stayed away.
pub async fn job(context: &Context, vault: &Vault, first: Job) -> Result<(), Failure> {
    let mut screen = Screen::new(&context.console, &first);
    let mut patience = Patience::new(&context.console);
    let (id, mut job) = (first.id.clone(), first);
    loop {
        screen.show(&job)?;
        if is_over(job.state) {
            return screen.end(&job);
        }
        tokio::time::sleep(JOB_PAUSE).await;
        if let Some(seen) = patience.with(look(vault, &id).await).await? {
            job = seen;
        }
    }
}

async fn look(vault: &Vault, id: &JobToken) -> Result<Job, Failure> {
    vault.get(&paths::job(id)).await
}

/// Whether a job does nothing any more.
pub const fn is_over(state: JobState) -> bool {
    matches!(state, JobState::Done | JobState::Aborted | JobState::Failed)
}

/// Bears with a vault that is away or locked, for a while.
struct Patience<'a> {
    console: &'a Console,
    tries: u32,
}

impl<'a> Patience<'a> {
    const fn new(console: &'a Console) -> Self {
        Self { console, tries: 0 }
    }

    /// The answer; `None` after a pause when the vault is away.
    async fn with<T>(&mut self, answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
        let failure = match answer {
            Ok(answer) => {
                self.tries = 0;
                return Ok(Some(answer));
            }
            Err(failure) => failure,
        };
        let is_away =
            matches!(failure, Failure::Unreachable(_)) || failure.problem_code() == Some("VAULT_LOCKED");
        if !is_away || self.tries >= MOST_AWAY {
            return Err(failure);
        }
        if self.tries == 0 {
            self.console.remark(&format!(
                "{failure}\nWaiting until it is back; work goes on where it was."
            ));
        }
        self.tries += 1;
        tokio::time::sleep(AWAY_PAUSE).await;
        Ok(None)
    }
}

/// Where progress is shown.
struct Screen<'a> {
    console: &'a Console,
    bar: ProgressBar,
    last: Option<Job>,
}

impl<'a> Screen<'a> {
    fn new(console: &'a Console, job: &Job) -> Self {
        let bar = if console.json || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(job.progress.total)
        };
        // A template that does not parse leaves the plain bar.
        if let Ok(style) = ProgressStyle::with_template("{msg} [{wide_bar}] {pos}/{len}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self {
            console,
            bar,
            last: None,
        }
    }

    fn show(&mut self, job: &Job) -> Result<(), Failure> {
        if self.last.as_ref() == Some(job) {
            return Ok(());
        }
        let (progress, former) = (&job.progress, self.last.as_ref().map(|job| job.state));
        self.bar.set_length(progress.total.max(progress.done));
        self.bar.set_position(progress.done);
        self.bar.set_message(jobs::pace(job));
        if self.console.json {
            self.console.show(job, String::new)?;
        } else if self.bar.is_hidden() && former != Some(job.state) {
            self.console.remark(&jobs::line(job));
        }
        self.last = Some(job.clone());
        Ok(())
    }

    fn end(&self, job: &Job) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        if !self.console.json {
            self.console.show(job, || jobs::sheet(job))?;
        }
        match job.state {
            JobState::Done => Ok(()),
            JobState::Aborted => Err(Failure::Unfinished(format!("{} was aborted", job.id))),
            _ => Err(Failure::Unfinished(format!(
                "{} failed: {}",
                job.id,
                job.failures.first().map_or("without a reason", String::as_str)
            ))),
        }
    }
}
