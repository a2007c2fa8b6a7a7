//! The job of a backup: a snapshot, page after page into the file, then the manifest.

use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use shared::ids::{BackupToken, JobToken};
use shared::vault_api::jobs::JobState;
use shared::vault_api::reports::Backup;
use time::{Duration, OffsetDateTime};

use super::{BackupRecord, BackupWork, backup_key, check, file_error, file_name};
use crate::audit::checkpoint::verifier_key;
use crate::audit::event::Operation;
use crate::bulk::backup_file::{Encoder, LEFT_OUT};
use crate::bulk::hex;
use crate::bulk::manifest::Manifest;
use crate::bulk::places::{Draft, Place};
use crate::error::Error;
use crate::keys::header::{KeyHeader, KeyId, KeyPurpose};
use crate::keys::keyring::Keyring;
use crate::records::Record;
use crate::store::{EngineError, Snapshot, Tree};
use crate::work::{Stepped, Turn, Work};

/// Entries written in one step.
const PAGE: usize = 2048;
/// Entries read at once.
const READ: usize = 512;

/// The backup that this process is writing, between two steps of its job. A crash loses it, with the snapshot that it
/// stands on, and the job begins anew.
#[derive(Default)]
pub struct UnderWay(Mutex<Option<Writing>>);

impl UnderWay {
    fn take(&self, job: &JobToken, backup: Option<&BackupToken>) -> Option<Writing> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        place
            .take()
            .filter(|writing| writing.job == *job && Some(&writing.backup) == backup)
    }

    fn put(&self, writing: Writing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(writing);
    }
}

struct Writing {
    job: JobToken,
    /// The job's own entry, which is not part of the backup: a restored vault need not make it again.
    own_entry: Vec<u8>,
    backup: BackupToken,
    made_at: OffsetDateTime,
    life_ends_at: OffsetDateTime,
    epoch: u32,
    snapshot: Snapshot,
    keyring: Arc<Keyring>,
    encoder: Encoder,
    draft: Draft,
    /// The trees that are not done, the next one last.
    trees: Vec<Tree>,
    after: Option<Vec<u8>>,
    records: u64,
}

/// Writes the next part of the file.
///
/// # Errors
/// `BACKUP_NO_SPACE` ends the job; the store's.
pub async fn step(turn: &mut Turn, work: BackupWork) -> Result<Stepped, Error> {
    if work.whole {
        turn.end(JobState::Done, None, |_, _| Ok(())).await?;
        return Ok(Stepped::Ended);
    }
    let vault = Arc::clone(turn.vault());
    let under_way = vault.backup_under_way.take(&turn.job().id, work.backup.as_ref());
    let Some(writing) = under_way else {
        let writing = begin(turn, &work).await?;
        vault.backup_under_way.put(writing);
        return Ok(Stepped::Did(0));
    };
    let written = tokio::task::spawn_blocking(move || write(writing)).await;
    let written = written.map_err(|error| Error::Internal(error.to_string()))?;
    let (writing, done) = match written {
        Ok(written) => written,
        // Too much was changed meanwhile for one point in time to be remembered: from the beginning.
        Err(Failed::Outgrown) => return Ok(Stepped::Did(0)),
        Err(Failed::Because(error)) => return Err(error),
    };
    if done {
        return finish(turn, writing).await;
    }
    let records = writing.records;
    vault.backup_under_way.put(writing);
    let step = turn
        .commit(move |_, job| {
            let step = records.saturating_sub(job.done);
            job.done = records;
            Ok(step)
        })
        .await?;
    Ok(Stepped::Did(step))
}

/// Takes the snapshot and registers the backup, with the epoch that it is of.
async fn begin(turn: &mut Turn, work: &BackupWork) -> Result<Writing, Error> {
    let vault = Arc::clone(turn.vault());
    check(&vault, work.life_days)?;
    // The epoch is not replaced between the snapshot and the record that asks for its secret to be kept.
    let _turn = vault.desk.epoch_turn().await;
    let backup = vault.surroundings.random.backup_token()?;
    let made_at = vault.surroundings.clock.now();
    let job = turn.job().id.clone();
    let (place, draft_name) = (vault.surroundings.bulk.backups.clone(), file_name(&backup));
    let taken = Arc::clone(&vault);
    let taken = tokio::task::spawn_blocking(move || -> Result<_, Error> {
        let keyring = taken.keyring();
        let snapshot = taken.surroundings.store.snapshot().map_err(engine)?;
        let epoch = epoch(&snapshot, &keyring)?;
        Ok((keyring, snapshot, epoch, start(&place, &draft_name)?))
    });
    let taken = taken.await.map_err(|error| Error::Internal(error.to_string()))?;
    let (keyring, snapshot, epoch, (encoder, draft)) = taken?;
    let life_ends_at = made_at + Duration::days(i64::from(work.life_days));
    let record = BackupRecord {
        backup: Backup {
            id: backup.clone(),
            made_at,
            life_ends_at,
            epoch,
            records: 0,
            log_size: 0,
            sha256: String::new(),
            file: file_name(&backup),
        },
        job: job.clone(),
        whole: false,
        ended_at: None,
    };
    register(turn, record, work.backup.clone(), snapshot.reached().records).await?;
    if let Some(former) = &work.backup {
        vault
            .surroundings
            .bulk
            .backups
            .remove(&file_name(former))
            .map_err(file_error)?;
    }
    Ok(Writing {
        own_entry: turn.job().key(),
        job,
        backup,
        made_at,
        life_ends_at,
        epoch,
        snapshot,
        keyring,
        encoder,
        draft,
        trees: trees_to_write(),
        after: None,
        records: 0,
    })
}

/// Registers the backup in the place of one that was begun and not ended.
async fn register(
    turn: &mut Turn,
    record: BackupRecord,
    former: Option<BackupToken>,
    total: u64,
) -> Result<(), Error> {
    turn.commit(move |tx, job| {
        // The epoch was replaced since the snapshot was taken: its secret may be gone already.
        if tx.keyring().epoch() != record.backup.epoch {
            return Err(Error::Raced);
        }
        if let Some(former) = &former {
            tx.delete::<BackupRecord>(&backup_key(former))?;
        }
        (job.total, job.done) = (total, 0);
        if let Work::Backup(work) = &mut job.work {
            work.backup = Some(record.backup.id.clone());
        }
        tx.put(&record)
    })
    .await
}

/// The trees of a backup, the last one first: they are taken from the end.
fn trees_to_write() -> Vec<Tree> {
    let mut trees: Vec<Tree> = Tree::ALL
        .into_iter()
        .filter(|tree| !LEFT_OUT.contains(tree))
        .collect();
    trees.sort_by_key(|tree| std::cmp::Reverse(*tree));
    trees
}

fn start(place: &Place, name: &str) -> Result<(Encoder, Draft), Error> {
    let mut bytes = Vec::new();
    let encoder = Encoder::begin(&mut bytes);
    let mut draft = place.draft(name).map_err(file_error)?;
    draft.append(&bytes).map_err(file_error)?;
    Ok((encoder, draft))
}

/// The epoch that the keyring of the snapshot is wrapped under.
fn epoch(snapshot: &Snapshot, keyring: &Keyring) -> Result<u32, Error> {
    let id = KeyId {
        purpose: KeyPurpose::Records,
        version: keyring.active_records_key(),
    };
    let record = snapshot.get(Tree::Keks, &id.store_key()).map_err(engine)?;
    let record = record.ok_or_else(|| Error::Corrupt("no keyring".to_owned()))?;
    KeyHeader::epoch_of(&record).map_err(|error| Error::Corrupt(error.to_string()))
}

fn engine(error: EngineError) -> Error {
    Error::Store(error.to_string())
}

enum Failed {
    Outgrown,
    Because(Error),
}

impl From<EngineError> for Failed {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::SnapshotOutgrown => Self::Outgrown,
            other => Self::Because(engine(other)),
        }
    }
}

/// Writes up to a page; `true`: the last entry is written.
fn write(mut writing: Writing) -> Result<(Writing, bool), Failed> {
    let mut bytes = Vec::new();
    let end = writing.records + PAGE as u64;
    while writing.records < end {
        let Some(tree) = writing.trees.last().copied() else {
            append(&mut writing.draft, &bytes)?;
            return Ok((writing, true));
        };
        let after = writing.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let page = writing.snapshot.scan(tree, b"", after, READ)?;
        for (key, value) in &page {
            let own = tree == Tree::Jobs && *key == writing.own_entry;
            // The commit record belongs to the store that it is in.
            if !own && !crate::store::is_commit_record(tree, key) {
                writing.encoder.entry(tree, key, value, &mut bytes);
            }
            writing.records += 1;
        }
        append(&mut writing.draft, &bytes)?;
        bytes.clear();
        if page.len() < READ {
            writing.trees.pop();
            writing.after = None;
        } else {
            writing.after = page.into_iter().next_back().map(|(key, _)| key);
        }
    }
    Ok((writing, false))
}

fn append(draft: &mut Draft, bytes: &[u8]) -> Result<(), Failed> {
    draft
        .append(bytes)
        .map_err(|error| Failed::Because(file_error(error)))
}

/// Signs the manifest, gives the file its name, and writes down that it is whole.
async fn finish(turn: &mut Turn, writing: Writing) -> Result<Stepped, Error> {
    let origin = turn.vault().surroundings.origin.clone();
    let sealed = tokio::task::spawn_blocking(move || seal(writing, &origin)).await;
    let (manifest, sha256) = sealed.map_err(|error| Error::Internal(error.to_string()))??;
    let note = format!(
        "{} made at commit {}: {} entries, sha256 {}, lives until {}",
        manifest.backup,
        manifest.commit.number,
        manifest.records(),
        hex(&sha256),
        manifest.life_ends_at.date(),
    );
    let event = turn.event(Operation::Backup, note);
    turn.commit_event(event, move |tx, job, _| {
        let record: Option<BackupRecord> = tx.get(&backup_key(&manifest.backup))?;
        let mut record = record.ok_or(Error::Raced)?;
        record.backup.records = manifest.records();
        record.backup.log_size = manifest.log_size;
        record.backup.sha256 = hex(&sha256);
        record.whole = true;
        job.done = job.total;
        if let Work::Backup(work) = &mut job.work {
            work.whole = true;
        }
        tx.put(&record)
    })
    .await?;
    Ok(Stepped::Did(0))
}

fn seal(writing: Writing, origin: &str) -> Result<(Manifest, [u8; 32]), Error> {
    let mut bytes = Vec::new();
    let ended = writing.encoder.end(&mut bytes);
    let count = |tree: Tree| {
        ended
            .trees
            .iter()
            .find(|(other, _)| *other == tree)
            .map_or(0, |(_, count)| *count)
    };
    let manifest = Manifest {
        environment: writing.keyring.environment(),
        backup: writing.backup,
        made_at: writing.made_at.replace_nanosecond(0).unwrap_or(writing.made_at),
        life_ends_at: writing
            .life_ends_at
            .replace_nanosecond(0)
            .unwrap_or(writing.life_ends_at),
        epoch: writing.epoch,
        commit: writing.snapshot.reached(),
        log_size: count(Tree::Audit),
        trees: ended.trees.clone(),
        sha256: ended.sha256,
    };
    let note = sign(&manifest, &writing.keyring, origin)?;
    bytes.extend_from_slice(note.as_bytes());
    let mut draft = writing.draft;
    draft.append(&bytes).map_err(file_error)?;
    draft.finish().map_err(file_error)?;
    Ok((manifest, ended.file_hash(&note)))
}

/// The manifest as a signed note, by the key of the audit log.
fn sign(manifest: &Manifest, keyring: &Keyring, origin: &str) -> Result<String, Error> {
    let (text, key) = (manifest.text(), keyring.audit_key());
    let verifier = verifier_key(key, origin).map_err(|error| Error::Internal(error.to_string()))?;
    let line = verifier.signature_line(key.sign(text.as_bytes()).as_ref());
    Ok(format!("{text}\n{line}"))
}
