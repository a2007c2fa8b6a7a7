//! Backup: everything that the store holds at one commit, as it holds it, in one signed file; registered before it is
//! written, so that its epoch's secret is kept from the first moment on, and for as long as its life was agreed on.

mod write;

use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::ids::{BackupToken, JobToken};
use shared::vault_api::reports::Backup;
use time::OffsetDateTime;

pub use self::write::{UnderWay, step};
use crate::audit::checkpoint::verifier_key;
use crate::audit::event::{Event, Operation};
use crate::audit::note::Note;
use crate::bulk::manifest::Manifest;
use crate::bulk::places::FileError;
use crate::bulk::restored;
use crate::domain::retention::KeptEpoch;
use crate::error::Error;
use crate::flows::govern::Occasion;
use crate::keys::escrow;
use crate::open_vault::OpenVault;
use crate::records::{Record, Records, Tx};
use crate::store::Tree;
use crate::work::{self, NewJob, Work};

/// Longest life, days.
const MOST_LIFE_DAYS: u16 = 3650;
/// Bytes of an entry in a file, on average and generously: what is asked for before the first is written.
const BYTES_PER_ENTRY: u64 = 768;
/// More backups than are ever alive.
const MOST_BACKUPS: usize = 10_000;

/// What a job of a backup does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupWork {
    /// How long its epoch secret is kept.
    pub life_days: u16,
    /// The backup that this job has registered, if it came that far.
    backup: Option<BackupToken>,
    /// Whether its file is whole.
    whole: bool,
}

impl BackupWork {
    /// A backup that has not begun.
    #[must_use]
    pub const fn new(life_days: u16) -> Self {
        Self {
            life_days,
            backup: None,
            whole: false,
        }
    }
}

/// A backup as it is kept track of, from its beginning to long after the end of its life: the report of retention asks
/// until when its epoch's secret was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRecord {
    /// What officers see of it.
    pub backup: Backup,
    /// The job that writes it.
    pub job: JobToken,
    /// Whether its file is whole.
    pub whole: bool,
    /// When its epoch secret was destroyed, Unix seconds.
    pub ended_at: Option<i64>,
}

impl Record for BackupRecord {
    const TREE: Tree = Tree::Backups;
    fn key(&self) -> Vec<u8> {
        backup_key(&self.backup.id)
    }
}

impl BackupRecord {
    /// Whether its epoch's secret must still be kept.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Until when the secret of its epoch is or was kept.
    #[must_use]
    pub fn kept_epoch(&self) -> KeptEpoch {
        let life_ends = self.backup.life_ends_at.unix_timestamp();
        KeptEpoch {
            epoch: self.backup.epoch,
            until: self.ended_at.map_or(life_ends, |ended| ended.max(life_ends)),
        }
    }
}

fn backup_key(id: &BackupToken) -> Vec<u8> {
    id.as_str().as_bytes().to_vec()
}

/// The name of a backup's file.
fn file_name(id: &BackupToken) -> String {
    format!("{id}.tessera-backup")
}

/// Begins a backup inside the approval's transaction.
///
/// # Errors
/// `JOB_RUNNING`; the store's.
pub fn begin(tx: &mut Tx<'_, '_>, life_days: u16, occasion: &Occasion) -> Result<(), Error> {
    let new = NewJob {
        id: occasion.job.clone(),
        work: Work::Backup(BackupWork::new(life_days)),
        approval: Some(occasion.approval.clone()),
        begun_at: occasion.now,
    };
    work::begin(tx, new).map(drop)
}

/// Whether a backup lives, or is being made, that needs the secret of this epoch.
///
/// # Errors
/// The store's.
pub fn needs_epoch(vault: &OpenVault, epoch: u32) -> Result<bool, Error> {
    let backups = all(&vault.records)?;
    Ok(backups
        .iter()
        .any(|record| record.is_alive() && record.backup.epoch == epoch))
}

/// Destroys the epoch secrets that were kept for backups whose life has ended, and that no other backup needs.
///
/// # Errors
/// The store's, or a file cannot be removed; it is tried again with the next sweep.
pub async fn end_lives(vault: &Arc<OpenVault>) -> Result<(), Error> {
    let now = vault.now();
    let backups = all(&vault.records)?;
    let ends =
        |record: &BackupRecord| record.is_alive() && record.backup.life_ends_at.unix_timestamp() <= now;
    let (ended, others): (Vec<BackupRecord>, Vec<BackupRecord>) = backups.into_iter().partition(ends);
    for mut record in ended {
        let epoch = record.backup.epoch;
        let needed = others
            .iter()
            .any(|other| other.is_alive() && other.backup.epoch == epoch);
        let current = vault.keyring().epoch() == epoch;
        if !needed && !current {
            let files = vault.surroundings.epoch.clone();
            let destroyed = tokio::task::spawn_blocking(move || escrow::destroy(&files, epoch)).await;
            destroyed
                .map_err(|error| Error::Internal(error.to_string()))?
                .map_err(|error| Error::Internal(error.to_string()))?;
        }
        record.ended_at = Some(now);
        let mut event = Event::done(Operation::Backup, vault.surroundings.clock.now());
        event.note = Some(format!(
            "{} has ended: epoch {epoch} is kept for it no longer",
            record.backup.id
        ));
        vault.commit(event, move |tx, _| tx.put(&record)).await?;
    }
    Ok(())
}

/// A restore that no unlock has told of yet.
pub struct RestoredFrom {
    manifest: Manifest,
    at: OffsetDateTime,
}

/// At the first unlock after a restore: from which backup it was, once it is sure that this very vault made that.
///
/// # Errors
/// `RESTORE_FORGED` when the manifest is not signed by this vault's audit key; the store's.
pub fn restored_from(vault: &OpenVault) -> Result<Option<RestoredFrom>, Error> {
    let marker = restored::marker(&vault.surroundings.store);
    let Some(marker) = marker.map_err(|error| Error::Store(error.to_string()))? else {
        return Ok(None);
    };
    let key = verifier_key(vault.keyring().audit_key(), &vault.surroundings.origin);
    let key = key.map_err(|error| Error::Internal(error.to_string()))?;
    let signed = Note::parse(&marker.manifest).and_then(|note| key.verify(&note).map(|_| note));
    let manifest = signed.ok().and_then(|note| Manifest::parse(note.text()));
    let manifest = manifest.ok_or_else(|| {
        Error::conflict(
            "RESTORE_FORGED",
            "The backup that this store was restored from is not signed by this vault.",
        )
    })?;
    let at = marker.at;
    Ok(Some(RestoredFrom { manifest, at }))
}

/// Writes down from which backup the vault was restored, and strikes the mark off. `witnessed` is the largest size of the
/// log that a witness saw beyond it: a verifier reads from the event what was given up.
///
/// # Errors
/// The store's.
pub async fn announce_restore(
    vault: &Arc<OpenVault>,
    restored: RestoredFrom,
    witnessed: Option<u64>,
) -> Result<(), Error> {
    let RestoredFrom { manifest, at } = restored;
    let witnessed = witnessed
        .map(|size| format!(" witnessed={size}"))
        .unwrap_or_default();
    let mut event = Event::done(Operation::Restore, vault.surroundings.clock.now());
    event.note = Some(format!(
        "from {} made {} at commit {}, {} events; restored {at}{witnessed}",
        manifest.backup, manifest.made_at, manifest.commit.number, manifest.log_size,
    ));
    vault
        .commit(event, |tx, _| tx.delete_sealed(Tree::Meta, restored::key()))
        .await?;
    tracing::warn!(backup = %manifest.backup, "this vault was restored: what happened since that backup is not known here");
    Ok(())
}

/// Whether a backup of that life may be made, and has room.
///
/// # Errors
/// `BACKUP_LIFE_INVALID`, `BACKUP_NO_SPACE`.
pub fn check(vault: &OpenVault, life_days: u16) -> Result<(), Error> {
    if !(1..=MOST_LIFE_DAYS).contains(&life_days) {
        return Err(Error::conflict(
            "BACKUP_LIFE_INVALID",
            format!("A backup lives for 1 to {MOST_LIFE_DAYS} days."),
        ));
    }
    let records = vault.surroundings.store.reached().records;
    let needed = records.saturating_mul(BYTES_PER_ENTRY);
    vault
        .surroundings
        .bulk
        .backups
        .require_room(needed)
        .map_err(file_error)
}

fn file_error(error: FileError) -> Error {
    match error {
        FileError::NoSpace(_) => Error::conflict("BACKUP_NO_SPACE", "There is no room for a backup."),
        FileError::UnderWay(_) | FileError::Io(..) => Error::Internal(error.to_string()),
    }
}

/// Every backup that was ever begun and not given up.
///
/// # Errors
/// The store's.
pub fn all(records: &Records) -> Result<Vec<BackupRecord>, Error> {
    records.scan(b"", Bound::Unbounded, MOST_BACKUPS)
}

/// The whole backups whose life has not ended, newest first.
///
/// # Errors
/// The store's.
pub fn list(vault: &OpenVault) -> Result<Vec<Backup>, Error> {
    let alive = all(&vault.records)?.into_iter();
    let alive = alive.filter(|record| record.whole && record.is_alive());
    let mut backups: Vec<Backup> = alive.map(|record| record.backup).collect();
    backups.sort_by_key(|backup| std::cmp::Reverse(backup.made_at));
    Ok(backups)
}

/// Gives up what an ended job has left half-done.
///
/// # Errors
/// The store's.
pub async fn clean(vault: &Arc<OpenVault>) -> Result<(), Error> {
    for record in all(&vault.records)?.into_iter().filter(|record| !record.whole) {
        let has_ended = match work::find(vault, &record.job) {
            Ok(job) => job.ended_at.is_some(),
            Err(Error::NotFound(_)) => true,
            Err(other) => return Err(other),
        };
        if !has_ended {
            continue;
        }
        let (place, name) = (
            vault.surroundings.bulk.backups.clone(),
            record.backup.file.clone(),
        );
        let removed = tokio::task::spawn_blocking(move || place.remove(&name)).await;
        removed
            .map_err(|error| Error::Internal(error.to_string()))?
            .map_err(file_error)?;
        let key = record.key();
        vault
            .records
            .transact(move |tx: &mut Tx<'_, '_>| tx.delete::<BackupRecord>(&key))
            .await?;
    }
    Ok(())
}
