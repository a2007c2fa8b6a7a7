//! Restores a vault from a backup into an empty store of whichever engine: the file is verified whole before a byte is
//! written, and until the last one is, the store opens for nobody.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use shared::clock::Clock;

use super::backup_file::{self, BackupFileError};
use super::manifest::Manifest;
use super::restored::{self, Restored};
use crate::app::{self, StartError};
use crate::audit::note::{Note, NoteError, VerifierKey};
use crate::config::Config;
use crate::environment::Environment;
use crate::keys::epoch::EpochError;
use crate::keys::escrow;
use crate::store::{AnchorRule, CommitError, EngineError, Store, Tree, TxnError};

/// Keys and values in one transaction, in bytes.
const BATCH_BYTES: usize = 128 * 1024;

/// What to restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The backup.
    pub from: PathBuf,
    /// Verify and write nothing.
    pub check: bool,
    /// The key of the vault's audit log, from a checkpoint that was kept elsewhere. Without it, that the backup is the
    /// vault's own is seen at the first unlock only, which then fails.
    pub key: Option<VerifierKey>,
    /// The escrowed secret of the backup's epoch, to be put beside the epoch files, which must not be there.
    pub escrow: Option<PathBuf>,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file.
    #[error(transparent)]
    File(#[from] BackupFileError),
    /// The manifest is not signed by the given key.
    #[error("the backup's manifest: {0}")]
    Signature(#[from] NoteError),
    /// Made in another environment.
    #[error("the backup is of a {backup} vault, and the configuration says {configured}")]
    OtherEnvironment {
        /// That of the backup.
        backup: Environment,
        /// That of the configuration.
        configured: Environment,
    },
    /// The epoch files are of another epoch, and no secret of the backup's is at hand.
    #[error(
        "the backup is of epoch {needed}, and the epoch files hold epoch {given}: move them away, since they may be the \
         only copies, and give the escrow of epoch {needed}"
    )]
    OtherEpoch {
        /// The backup's.
        needed: u32,
        /// The files'.
        given: u32,
    },
    /// Neither epoch files nor an escrow.
    #[error("the backup is of epoch {0}, whose secret is not here: copy the epoch files or give its escrow")]
    NoEpoch(u32),
    /// The epoch files.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// There is something already.
    #[error("the store is not empty: a vault is restored into a new one")]
    NotEmpty,
    /// An earlier restore ended early.
    #[error("the store holds a restore that ended early: remove it and begin anew")]
    Unfinished,
    /// The file changed between the two readings.
    #[error("the file changed while it was read")]
    ChangedMeanwhile,
    /// The store does not open.
    #[error(transparent)]
    Open(#[from] StartError),
    /// The store cannot be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store takes no more.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// An entry is larger than the store lets in.
    #[error(transparent)]
    Entry(#[from] TxnError),
    /// The mark of the restore.
    #[error("the restore cannot be marked: {0}")]
    Mark(String),
}

/// Verifies a backup: every byte, the counts, and with a key the signature.
///
/// # Errors
/// [`RestoreError`].
pub fn verify(options: &RestoreOptions) -> Result<(Manifest, String), RestoreError> {
    let (manifest, note) = backup_file::read::<RestoreError>(open(&options.from)?, |_, _, _| Ok(()))?;
    let parsed = Note::parse(&note)?;
    if let Some(key) = &options.key {
        key.verify(&parsed)?;
    }
    Ok((manifest, note))
}

/// Restores.
///
/// # Errors
/// [`RestoreError`]. Once writing has begun, the store says of itself that it is half a vault.
pub async fn restore(
    config: &Config,
    options: &RestoreOptions,
    clock: &Clock,
) -> Result<Manifest, RestoreError> {
    let (manifest, note) = verify(options)?;
    if manifest.environment != config.environment {
        return Err(RestoreError::OtherEnvironment {
            backup: manifest.environment,
            configured: config.environment,
        });
    }
    require_epoch(config, options, &manifest)?;
    if options.check {
        return Ok(manifest);
    }
    let mut place = config
        .store_options()
        .map_err(|error| RestoreError::Mark(error.to_string()))?;
    let anchor = place.anchor.clone();
    // The anchor of the vault that was lost stays what it is until this one is whole.
    place.anchor = beside(&place.directory, "restore-anchor");
    place.anchor_rule = AnchorRule::Reset;
    let store = app::open_store_at(&place)?;
    let written = write(&store, options, &manifest).await;
    store.close().await;
    drop(store);
    written?;

    let temporary = std::mem::replace(&mut place.anchor, anchor);
    let store = app::open_store_at(&place)?;
    let mark = Restored {
        manifest: note,
        at: clock.now(),
    };
    let mark = serde_json::to_vec(&mark).map_err(|error| RestoreError::Mark(error.to_string()))?;
    let head = manifest.commit.audit_head;
    let finish = move |txn: &mut crate::store::Txn<'_>| {
        restored::finish(txn, &mark)?;
        txn.set_audit_head(head);
        Ok::<_, TxnError>(())
    };
    store.commit(finish).await??;
    store.close().await;
    if let Err(error) = std::fs::remove_file(&temporary) {
        tracing::warn!(%error, path = %temporary.display(), "the anchor of the restore is left");
    }
    Ok(manifest)
}

/// That the secret of the backup's epoch is at hand: in the epoch files, or as an escrow where there are none.
fn require_epoch(config: &Config, options: &RestoreOptions, manifest: &Manifest) -> Result<(), RestoreError> {
    let (files, needed) = (app::epoch_files(config)?, manifest.epoch);
    match files.load() {
        Ok(secrets) if secrets.newest() == Some(needed) => Ok(()),
        Ok(secrets) => Err(RestoreError::OtherEpoch {
            needed,
            given: secrets.newest().unwrap_or_default(),
        }),
        Err(EpochError::Missing) => match &options.escrow {
            Some(_) if options.check => Ok(()),
            Some(from) => Ok(escrow::bring(&files, needed, from)?),
            None if escrow::is_there(&files, needed) => Ok(()),
            None => Err(RestoreError::NoEpoch(needed)),
        },
        Err(other) => Err(other.into()),
    }
}

async fn write(store: &Store, options: &RestoreOptions, manifest: &Manifest) -> Result<(), RestoreError> {
    if restored::is_unfinished(store)? {
        return Err(RestoreError::Unfinished);
    }
    if store.reached().number > 0 || store.recount()?.found > 0 {
        return Err(RestoreError::NotEmpty);
    }
    store.commit(restored::begin).await??;
    // Read on a thread of its own; what is read and not written yet is bounded by the channel.
    let (batches, mut arriving) = tokio::sync::mpsc::channel::<Vec<Row>>(2);
    let path = options.from.clone();
    let reading = tokio::task::spawn_blocking(move || send_batches(&path, &batches));
    while let Some(batch) = arriving.recv().await {
        let put = move |txn: &mut crate::store::Txn<'_>| {
            batch
                .into_iter()
                .try_for_each(|(tree, key, value)| txn.put(tree, &key, value))
        };
        store.commit(put).await??;
    }
    let read = reading
        .await
        .map_err(|error| RestoreError::Mark(error.to_string()))??;
    if read == *manifest {
        Ok(())
    } else {
        Err(RestoreError::ChangedMeanwhile)
    }
}

type Row = (Tree, Vec<u8>, Vec<u8>);

fn send_batches(
    path: &Path,
    batches: &tokio::sync::mpsc::Sender<Vec<Row>>,
) -> Result<Manifest, RestoreError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    // Nobody listens any more: the writing has failed, and says why.
    let send = |batch: Vec<Row>| {
        batches
            .blocking_send(batch)
            .map_err(|_| RestoreError::ChangedMeanwhile)
    };
    let (manifest, _) = backup_file::read::<RestoreError>(open(path)?, |tree, key, value| {
        bytes += key.len() + value.len();
        batch.push((tree, key, value));
        if bytes >= BATCH_BYTES {
            bytes = 0;
            send(std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    send(batch)?;
    Ok(manifest)
}

fn open(path: &Path) -> Result<BufReader<File>, RestoreError> {
    let file = File::open(path).map_err(BackupFileError::Io)?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

fn beside(directory: &Path, what: &str) -> PathBuf {
    let mut name = directory.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}
