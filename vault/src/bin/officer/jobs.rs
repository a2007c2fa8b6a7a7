//! Jobs: what runs in the vault, and how an officer steers it.

use clap::Subcommand;
use shared::ids::JobToken;
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::{Job, Throttle};
use shared::vault_api::paths;

use crate::cli::{Context, plain};
use crate::console::{at, at_or_dash, facts, table};
use crate::failure::Failure;
use crate::follow;
use crate::proposing::propose;

/// See, pause, resume, throttle and end long work
#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// List jobs, newest first
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: an unlocked vault.
    ///
    /// Next: `jobs show JOB` for one with its failures, `jobs watch JOB` to follow it.
    List,
    /// Show one job with its failures and its completion record
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: the job's token, from `jobs list`.
    ///
    /// Next: a corrupt record among the failures is named; restore it from a backup. A rotation's completion record is a
    /// signed note: keep it with the key inventory.
    Show {
        /// The job
        job: JobToken,
    },
    /// Follow a job to its end
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: the job's token. A vault that is restarted or locked meanwhile is waited for.
    ///
    /// Next: exit code 0 when it is done, 1 when it failed or was aborted.
    Watch {
        /// The job
        job: JobToken,
    },
    /// Let a job rest
    ///
    /// Who: one registered officer, alone: it takes nothing away.
    ///
    /// Needs: a job that runs.
    ///
    /// Next: `jobs resume JOB`. A rotation that rests leaves two key versions that both open.
    Pause {
        /// The job
        job: JobToken,
    },
    /// Let a job go on
    ///
    /// Who: one registered officer, alone.
    ///
    /// Needs: a job that was paused.
    ///
    /// Next: `jobs watch JOB`.
    Resume {
        /// The job
        job: JobToken,
    },
    /// Set how fast a job may be
    ///
    /// Who: one registered officer, alone.
    ///
    /// Needs: a job that is not over.
    ///
    /// Next: `jobs watch JOB` shows the rate. Live traffic goes before any job in any case.
    Throttle {
        /// The job
        job: JobToken,
        /// Most items a second; 0: as fast as live traffic lets it
        #[arg(long, value_name = "N")]
        per_second: u32,
    },
    /// Propose to end a job before its end
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: a job that is not over. An aborted rotation leaves two versions that both open; begin it again later.
    ///
    /// Next: the other officer runs `approvals approve`.
    Abort {
        /// The job
        job: JobToken,
    },
    /// Open every record once and name those that do not open
    ///
    /// Who: one registered officer, alone: it changes nothing.
    ///
    /// Needs: an unlocked vault.
    ///
    /// Next: `jobs watch JOB`; its failures name the records, which are restored from a backup.
    Integrity,
}

impl Jobs {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let vault = context.vault()?;
        let job: Job = match self {
            Self::List => {
                let jobs: Vec<Job> = vault.get(paths::JOBS).await?;
                return context.console.show(&jobs, || list(&jobs));
            }
            Self::Watch { job } => {
                let job = vault.get(&paths::job(&job)).await?;
                return follow::job(context, &vault, job).await;
            }
            Self::Abort { job } => {
                return propose(context, &vault, &Proposal::AbortJob(job)).await.map(drop);
            }
            Self::Show { job } => vault.get(&paths::job(&job)).await?,
            Self::Pause { job } => vault.post(&paths::pause_job(&job), &plain()).await?,
            Self::Resume { job } => vault.post(&paths::resume_job(&job), &plain()).await?,
            Self::Throttle { job, per_second } => {
                vault
                    .post(&paths::throttle_job(&job), &Throttle { per_second })
                    .await?
            }
            Self::Integrity => vault.post(paths::INTEGRITY, &plain()).await?,
        };
        context.console.show(&job, || sheet(&job))
    }
}

fn list(jobs: &[Job]) -> String {
    let row = |job: &Job| {
        [
            job.id.to_string(),
            name(&job.kind),
            name(&job.state),
            format!("{}/{}", job.progress.done, job.progress.total),
            job.progress.failed.to_string(),
            at(job.begun_at),
        ]
    };
    let rows: Vec<_> = jobs.iter().map(row).collect();
    table(
        ["JOB", "KIND", "STATE", "DONE", "FAILED", "BEGUN"],
        &rows,
        "No job yet.",
    )
}

/// A kind or state as it stands on the wire.
pub fn name(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// State and speed, in a few words.
pub fn pace(job: &Job) -> String {
    let eta = job
        .progress
        .eta
        .map(|seconds| format!(", {} left", duration(seconds)));
    format!(
        "{} {}, {}/s{}",
        name(&job.kind),
        name(&job.state),
        job.progress.rate,
        eta.unwrap_or_default()
    )
}

/// One line for a log.
pub fn line(job: &Job) -> String {
    let progress = &job.progress;
    format!(
        "{}: {} ({} of {}, {} failed)",
        job.id,
        pace(job),
        progress.done,
        progress.total,
        progress.failed
    )
}

/// Everything about a job.
pub fn sheet(job: &Job) -> String {
    let progress = &job.progress;
    let version =
        |version: Option<u32>| version.map_or_else(|| "-".to_owned(), |version| version.to_string());
    let throttle = if job.per_second == 0 {
        "none".to_owned()
    } else {
        format!("{}/s", job.per_second)
    };
    let mut text = facts(&[
        ("job", job.id.to_string()),
        ("kind", name(&job.kind)),
        ("state", name(&job.state)),
        ("done", format!("{} of {}", progress.done, progress.total)),
        ("failed", progress.failed.to_string()),
        ("rate", format!("{}/s", progress.rate)),
        ("left", progress.eta.map_or_else(|| "-".to_owned(), duration)),
        ("throttle", throttle),
        (
            "key version",
            format!("{} -> {}", version(job.from_version), version(job.to_version)),
        ),
        (
            "approval",
            job.approval
                .as_ref()
                .map_or_else(|| "-".to_owned(), ToString::to_string),
        ),
        ("begun", at(job.begun_at)),
        ("ended", at_or_dash(job.ended_at)),
    ]);
    for failure in &job.failures {
        text.push_str(&format!("\nfailure: {failure}"));
    }
    if let Some(completion) = &job.completion {
        text.push_str(&format!("\n\n{completion}"));
    }
    text
}

fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_told_whole() {
        let job: Job = serde_json::from_str(
            r#"{"id":"job_aaaaaaaaaaaaaaaaaaaaaaaaaa","kind":"rotate-card-kek","state":"RUNNING",
                "progress":{"total":10,"done":4,"failed":1,"rate":2,"eta":3725},"fromVersion":1,"toVersion":2,
                "perSecond":0,"failures":["crd_x does not open"],"begunAt":"2026-01-02T03:04:05Z"}"#,
        )
        .unwrap();
        assert_eq!(pace(&job), "rotate-card-kek RUNNING, 2/s, 1 h 2 min left");
        let text = sheet(&job);
        for part in [
            "4 of 10",
            "1 -> 2",
            "failure: crd_x does not open",
            "throttle     none",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(list(&[job]).contains("4/10"));
        assert_eq!(list(&[]), "No job yet.");
    }

    #[test]
    fn durations_are_as_long_as_they_need_to_be() {
        assert_eq!([5, 65, 7260].map(duration), ["5 s", "1 min 5 s", "2 h 1 min"]);
    }
}
