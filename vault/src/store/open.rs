//! How a store is opened: the lock, room on the volume, the engine, the anchor, and then the commit thread.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::anchor::{self, AnchorWriter};
use super::commit::{Committer, Patience};
use super::commit_record::{COMMIT_KEY, CommitRecord};
use super::engine::{Engine, EngineError};
use super::postgres::{PostgresEngine, PostgresOptions};
use super::sled::{DEFAULT_CACHE_BYTES, SledEngine};
use super::space::{self, FreeSpace};
use super::tree::Tree;

/// The room that a full volume can be given back, in bytes: four times what sled needs to open.
pub const DEFAULT_BALLAST_BYTES: u64 = 64 * 1024 * 1024;

/// Writes stop below this much free space, in bytes: room for sled to open and for the logs of whoever comes to help.
pub const DEFAULT_FREE_FLOOR_BYTES: u64 = 128 * 1024 * 1024;

/// Nobody but the vault's own user looks into the store, sealed as it is.
const PRIVATE: u32 = 0o700;

/// Which engine keeps the data.
#[derive(Clone, Debug)]
pub enum EngineChoice {
    /// The embedded one, in the store's directory.
    Sled,
    /// A database that several processes may share.
    Postgres(PostgresOptions),
}

/// Where the store lies and how much it takes.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Which engine. Page cache, ballast and floor concern the embedded one alone.
    pub engine: EngineChoice,
    /// The embedded engine's directory. Lock and ballast lie beside it, as `<directory>.lock` and `<directory>.ballast`.
    pub directory: PathBuf,
    /// The anchor file; on another volume it also tells when a whole volume was put back to an earlier state.
    pub anchor: PathBuf,
    /// What an anchor that does not fit the store means.
    pub anchor_rule: AnchorRule,
    /// The engine's page cache, in bytes.
    pub cache_bytes: u64,
    /// The size of the ballast file, in bytes; 0: none.
    pub ballast_bytes: u64,
    /// Commits are refused below this much free space, in bytes.
    pub free_floor_bytes: u64,
    /// How long whoever writes waits.
    pub patience: Patience,
}

impl StoreOptions {
    /// The defaults for a store in `directory`, its anchor beside it.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        Self {
            engine: EngineChoice::Sled,
            anchor: beside(&directory, "anchor"),
            directory,
            anchor_rule: AnchorRule::Hold,
            cache_bytes: DEFAULT_CACHE_BYTES,
            ballast_bytes: DEFAULT_BALLAST_BYTES,
            free_floor_bytes: DEFAULT_FREE_FLOOR_BYTES,
            patience: Patience::default(),
        }
    }
}

/// What to do with the anchor when a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorRule {
    /// The store must be at or beyond its anchor.
    Hold,
    /// The store is taken as it is and the anchor set to it: the last step of a restore, never a default.
    Reset,
}

/// What an open store is made of.
pub(super) struct Inner {
    // In this order: the commit thread ends, then the engine, then the lock is released.
    pub(super) committer: Committer,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) opened_at: CommitRecord,
    pub(super) anchored_at: Option<CommitRecord>,
    pub(super) directory: PathBuf,
    _lock: File,
}

/// Opens the store over the engine that `open_engine` opens once the lock is held.
pub(super) fn open(
    options: &StoreOptions,
    open_engine: impl FnOnce(&StoreOptions) -> Result<Arc<dyn Engine>, EngineError>,
) -> Result<Inner, OpenError> {
    let parent = options
        .directory
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let embedded = matches!(options.engine, EngineChoice::Sled);
    DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE)
        .create(if embedded { &options.directory } else { parent })?;
    // With a shared engine too: two processes with the same directory would fight over the anchor.
    let lock = lock(&beside(&options.directory, "lock"))?;
    let ballast = beside(&options.directory, "ballast");
    if embedded {
        space::release_ballast_if_full(&ballast)?;
    }

    let engine = open_engine(options)?;
    let record = read_record(&*engine)?;
    let anchored_at = check_anchor(options, record)?;

    if embedded {
        space::make_ballast(&ballast, options.ballast_bytes, options.free_floor_bytes)?;
    }
    let free_space = embedded.then(|| FreeSpace::new(parent.to_owned(), options.free_floor_bytes));
    let anchor = AnchorWriter::start(options.anchor.clone(), record)?;
    let committer = Committer::start(Arc::clone(&engine), record, free_space, anchor, options.patience)?;
    let directory = parent.to_owned();
    Ok(Inner {
        committer,
        engine,
        opened_at: record,
        anchored_at,
        directory,
        _lock: lock,
    })
}

/// Opens the engine that the options choose.
pub(super) fn engine(options: &StoreOptions) -> Result<Arc<dyn Engine>, EngineError> {
    match &options.engine {
        EngineChoice::Sled => Ok(Arc::new(SledEngine::open(
            &options.directory,
            options.cache_bytes,
        )?)),
        EngineChoice::Postgres(postgres) => Ok(Arc::new(PostgresEngine::open(postgres)?)),
    }
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the lock.
    #[error("another process has the store open")]
    InUse,
    /// A file beside the store cannot be read or written.
    #[error("cannot reach the files beside the store: {0}")]
    Io(#[from] io::Error),
    /// The engine does not open.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store ends before its anchor, or disagrees with it about the same commit: it lost acknowledged writes, or it
    /// is an earlier copy.
    #[error(
        "the store is at commit {store} and its anchor at {anchor}: the store lost its tail or is an old copy"
    )]
    TailMissing {
        /// The store's commit number.
        store: u64,
        /// The anchor's commit number.
        anchor: u64,
    },
    /// The store has content and no anchor vouches for it.
    #[error("the store is at commit {store} and has no anchor: if it was restored, reset the anchor")]
    AnchorMissing {
        /// The store's commit number.
        store: u64,
    },
}

/// `<directory>.<what>`, a name beside the directory.
pub(super) fn beside(directory: &Path, what: &str) -> PathBuf {
    let mut name = directory.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

pub(super) fn read_record(engine: &dyn Engine) -> Result<CommitRecord, EngineError> {
    CommitRecord::read(engine.get(Tree::Meta, COMMIT_KEY)?.as_deref())
}

/// Compares store and anchor, sets the anchor where there is none to hold, and returns what it said.
fn check_anchor(options: &StoreOptions, store: CommitRecord) -> Result<Option<CommitRecord>, OpenError> {
    let anchor = match options.anchor_rule {
        AnchorRule::Hold => anchor::read(&options.anchor)?,
        AnchorRule::Reset => None,
    };
    match anchor {
        Some(anchor)
            if anchor.number > store.number || (anchor.number == store.number && anchor != store) =>
        {
            Err(OpenError::TailMissing {
                store: store.number,
                anchor: anchor.number,
            })
        }
        // A process that joins others on their database has no anchor yet: it begins to keep one.
        None if matches!(options.engine, EngineChoice::Postgres(_)) && store.number > 0 => {
            tracing::warn!(
                commit = store.number,
                "no anchor beside this process: the database is taken as it is"
            );
            anchor::write(&options.anchor, store)?;
            Ok(None)
        }
        None if options.anchor_rule == AnchorRule::Hold && store.number > 0 => {
            Err(OpenError::AnchorMissing { store: store.number })
        }
        _ => {
            anchor::write(&options.anchor, store)?;
            Ok(anchor)
        }
    }
}
