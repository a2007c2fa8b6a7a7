//! Long work in the vault: begun by an approval (or by the vault's own standing orders), watched, paused and resumed by
//! officers. It goes on where it was after a restart.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::slots::NewSlot;
use crate::ids::{ApprovalToken, JobToken};

/// A rotation: which key gets a new version. Everything but the JWE and audit key, which overlap, ends with a scan that
/// proves that nothing refers to the old version, and with its destruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "key", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rotation {
    /// The KEK of cards: data keys are wrapped anew, records stay.
    CardKek,
    /// Every card gets a new data key, and its fields are sealed anew: full re-encryption.
    DataKeys,
    /// The key that seals every record of the store.
    Records,
    /// The key of the PAN fingerprints; looked up under both while it runs.
    Fingerprint,
    /// The RSA key pair that callers encrypt to; the former goes on opening for a while.
    Jwe {
        /// Hours in which the former key still opens; at least 1.
        grace_hours: u16,
    },
    /// The key that signs audit checkpoints; the last checkpoint of the former names the new one.
    Audit,
    /// The epoch secret alone: the keyring is wrapped anew and the former secret destroyed.
    Epoch,
    /// The root key: every slot is replaced, since a slot's secret is not the vault's to know.
    Root {
        /// The slots that take the place of all present ones.
        slots: Vec<NewSlot>,
    },
}

impl Rotation {
    /// The name in lists, logs and command lines.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CardKek => "card-kek",
            Self::DataKeys => "data-keys",
            Self::Records => "records",
            Self::Fingerprint => "fingerprint",
            Self::Jwe { .. } => "jwe",
            Self::Audit => "audit",
            Self::Epoch => "epoch",
            Self::Root { .. } => "root",
        }
    }
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// Rotation of the card KEK.
    RotateCardKek,
    /// Full re-encryption.
    RotateDataKeys,
    /// Rotation of the records key.
    RotateRecords,
    /// Rotation of the fingerprint key.
    RotateFingerprint,
    /// A logical backup.
    Backup,
    /// Taking in cards from a file.
    Import,
    /// Giving out card data, sealed.
    Export,
    /// Opening every record once.
    Integrity,
    /// After erased cards were swept: KEK, fingerprint key and epoch secret are replaced, so that earlier copies of the
    /// store open nothing of them.
    Purge,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// At work, or about to go on after a restart.
    Running,
    /// Rests on an officer's word.
    Paused,
    /// Scans for what still refers to the old version.
    Verifying,
    /// Done; for a rotation: the old version is destroyed.
    Done,
    /// Ended by two officers before its end. A rotation that was aborted leaves two versions that both open.
    Aborted,
    /// Cannot go on; `failures` says why.
    Failed,
}

/// A job, in lists and alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its token.
    pub id: JobToken,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// How far it is.
    pub progress: JobProgress,
    /// The approval that began it; absent for the vault's standing orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalToken>,
    /// The key version that is being replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_version: Option<u32>,
    /// The key version that replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_version: Option<u32>,
    /// Most items a second; 0: as fast as live traffic lets it.
    pub per_second: u32,
    /// The first failures, at most 100, each naming the record and why.
    pub failures: Vec<String>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub begun_at: OffsetDateTime,
    /// When it ended.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub ended_at: Option<OffsetDateTime>,
    /// The completion record of a rotation: a signed note (C2SP signed-note) by the audit key. Of an integrity check:
    /// entries per tree, one line each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobProgress {
    /// Items there are, as counted at the beginning.
    pub total: u64,
    /// Items done.
    pub done: u64,
    /// Items that failed: corrupt records, refused rows. They do not stop the others.
    pub failed: u64,
    /// Items a second over the last ten seconds of work.
    pub rate: u64,
    /// Seconds left at that rate; absent when it does not move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<u64>,
}

/// Change a job's throttle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Throttle {
    /// Most items a second; 0: as fast as live traffic lets it.
    pub per_second: u32,
}
