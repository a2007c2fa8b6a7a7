//! A job as it is kept: what it does and how far it is, who runs it now, how it ended.

use serde::{Deserialize, Serialize};
use shared::ids::{ApprovalToken, JobToken};
use shared::vault_api::jobs::{Job, JobKind, JobProgress, JobState};
use time::OffsetDateTime;

use crate::flows::backup::BackupWork;
use crate::flows::export::ExportWork;
use crate::flows::import::ImportWork;
use crate::flows::integrity::Checking;
use crate::flows::rotate::Rotating;
use crate::records::Record;
use crate::store::Tree;

/// Where jobs stand that have not ended: what a runner looks at.
pub(super) const ACTIVE: &[u8] = b"active/";
/// Where jobs stand that have ended.
pub(super) const ENDED: &[u8] = b"ended/";

/// What a job does, with its own cursor. One variant for each [`JobKind`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Work {
    /// Rotation of the card KEK.
    RotateCardKek(Rotating),
    /// Full re-encryption.
    RotateDataKeys(Rotating),
    /// Rotation of the records key.
    RotateRecords(Rotating),
    /// Rotation of the fingerprint key.
    RotateFingerprint(Rotating),
    /// After erased cards were swept: KEK, fingerprint key and epoch.
    Purge(Rotating),
    /// Every record is opened once.
    Integrity(Checking),
    /// A logical backup.
    Backup(BackupWork),
    /// Taking in cards from a file.
    Import(ImportWork),
    /// Giving out card data, sealed.
    Export(Box<ExportWork>),
    /// A job of the tests: counts.
    #[cfg(test)]
    Probe(super::tests::Probe),
}

/// Jobs of one class exclude each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Rotations and purges: one at a time over all keys.
    Keys,
    /// Everything else: one of each kind.
    Kind(JobKind),
}

impl Work {
    /// Its kind on the wire.
    #[must_use]
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::RotateCardKek(_) => JobKind::RotateCardKek,
            Self::RotateDataKeys(_) => JobKind::RotateDataKeys,
            Self::RotateRecords(_) => JobKind::RotateRecords,
            Self::RotateFingerprint(_) => JobKind::RotateFingerprint,
            Self::Purge(_) => JobKind::Purge,
            Self::Integrity(_) => JobKind::Integrity,
            Self::Backup(_) => JobKind::Backup,
            Self::Import(_) => JobKind::Import,
            Self::Export(_) => JobKind::Export,
            #[cfg(test)]
            Self::Probe(probe) => probe.kind,
        }
    }

    /// What else may not run beside it.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self.kind() {
            JobKind::RotateCardKek
            | JobKind::RotateDataKeys
            | JobKind::RotateRecords
            | JobKind::RotateFingerprint
            | JobKind::Purge => Class::Keys,
            kind @ (JobKind::Backup | JobKind::Import | JobKind::Export | JobKind::Integrity) => {
                Class::Kind(kind)
            }
        }
    }
}

/// Who runs a job, and until when nobody else may. Where a store belongs to one process alone, another's lease is a dead
/// one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    /// A number that the process drew when it opened the vault.
    pub(super) owner: u64,
    /// Unix seconds.
    pub(super) until: i64,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its token.
    pub id: JobToken,
    /// What it does, with its cursor.
    pub work: Work,
    /// Where it stands.
    pub state: JobState,
    /// The approval that began it.
    pub approval: Option<ApprovalToken>,
    /// The key version that is replaced.
    pub from_version: Option<u32>,
    /// The key version that replaces it.
    pub to_version: Option<u32>,
    /// Items there are.
    pub total: u64,
    /// Items done.
    pub done: u64,
    /// Items that failed. Named through [`Turn::fail`](super::Turn::fail).
    pub failed: u64,
    /// Items a second over the last ten seconds of work.
    pub rate: u64,
    /// Most items a second; 0: as fast as live traffic lets it.
    pub per_second: u32,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub begun_at: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// Why it failed.
    pub reason: Option<String>,
    /// The signed completion record.
    pub completion: Option<String>,
    pub(super) lease: Option<Lease>,
}

impl JobRecord {
    /// Whether it is at work or about to be.
    #[must_use]
    pub const fn is_at_work(&self) -> bool {
        matches!(self.state, JobState::Running | JobState::Verifying)
    }

    /// Whether nothing will change any more.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, JobState::Done | JobState::Aborted | JobState::Failed)
    }

    /// As officers see it, with the failures that were kept.
    #[must_use]
    pub fn shown(self, mut failures: Vec<String>) -> Job {
        failures.extend(self.reason);
        let (total, done, failed, rate) = (self.total, self.done, self.failed, self.rate);
        let left = total.saturating_sub(done).saturating_sub(failed);
        let moves = matches!(self.state, JobState::Running | JobState::Verifying);
        Job {
            id: self.id,
            kind: self.work.kind(),
            state: self.state,
            progress: JobProgress {
                total,
                done,
                failed,
                rate,
                eta: left.checked_div(rate).filter(|_| moves),
            },
            approval: self.approval,
            from_version: self.from_version,
            to_version: self.to_version,
            per_second: self.per_second,
            failures,
            begun_at: self.begun_at,
            ended_at: self.ended_at,
            completion: self.completion,
        }
    }
}

impl Record for JobRecord {
    const TREE: Tree = Tree::Jobs;
    fn key(&self) -> Vec<u8> {
        let place = if self.has_ended() { ENDED } else { ACTIVE };
        [place, self.id.as_str().as_bytes()].concat()
    }
}

/// The key of a job that has not ended.
pub(super) fn active_key(id: &JobToken) -> Vec<u8> {
    [ACTIVE, id.as_str().as_bytes()].concat()
}

/// The key of a job that has ended.
pub(super) fn ended_key(id: &JobToken) -> Vec<u8> {
    [ENDED, id.as_str().as_bytes()].concat()
}
