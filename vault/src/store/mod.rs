//! The vault's store: sixteen trees of keys and values over an engine, written by group commit. An acknowledged write
//! survives a kill and a power cut; a reader never sees one that would not; a store that lost its tail does not open.
//!
//! What the values hold is not the store's matter: everything in them is sealed before it comes here.

mod anchor;
mod batch;
mod commit;
mod commit_record;
mod engine;
mod overlay;
mod poison;
mod sled;
mod space;
mod tree;
mod txn;

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::batch::{Batch, Change};
pub use self::commit::CommitError;
pub use self::commit_record::CommitRecord;
pub use self::engine::{Engine, EngineError, Entry, MAX_KEY_BYTES, MAX_VALUE_BYTES};
pub use self::sled::{DEFAULT_CACHE_BYTES, MIN_CACHE_BYTES, SledEngine};
pub use self::tree::Tree;
pub use self::txn::{MAX_TRANSACTION_BYTES, Txn, TxnError};

use self::anchor::AnchorWriter;
use self::commit::Committer;
use self::space::FreeSpace;

/// The room that a full volume can be given back, in bytes: four times what sled needs to open.
pub const DEFAULT_BALLAST_BYTES: u64 = 64 * 1024 * 1024;

/// Writes stop below this much free space, in bytes: room for sled to open and for the logs of whoever comes to help.
pub const DEFAULT_FREE_FLOOR_BYTES: u64 = 128 * 1024 * 1024;

/// Nobody but the vault's own user looks into the store, sealed as it is.
const PRIVATE: u32 = 0o700;

/// Where the store lies and how much it takes.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The engine's directory. Lock and ballast lie beside it, as `<directory>.lock` and `<directory>.ballast`.
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
}

impl StoreOptions {
    /// The defaults for a store in `directory`, its anchor beside it.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        Self {
            anchor: beside(&directory, "anchor"),
            directory,
            anchor_rule: AnchorRule::Hold,
            cache_bytes: DEFAULT_CACHE_BYTES,
            ballast_bytes: DEFAULT_BALLAST_BYTES,
            free_floor_bytes: DEFAULT_FREE_FLOOR_BYTES,
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

/// The open store. Clones are handles to the same one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    // In this order: the commit thread ends, then the engine, then the lock is released.
    committer: Committer,
    engine: Arc<dyn Engine>,
    opened_at: CommitRecord,
    anchored_at: Option<CommitRecord>,
    directory: PathBuf,
    _lock: File,
}

impl Store {
    /// Opens the store with sled as its engine, or makes it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(options: &StoreOptions) -> Result<Self, OpenError> {
        Self::open_with(options, |options| {
            SledEngine::open(&options.directory, options.cache_bytes)
                .map(|engine| Arc::new(engine) as Arc<dyn Engine>)
        })
    }

    /// Opens the store over the engine that `open_engine` opens once the lock is held.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_with(
        options: &StoreOptions,
        open_engine: impl FnOnce(&StoreOptions) -> Result<Arc<dyn Engine>, EngineError>,
    ) -> Result<Self, OpenError> {
        let parent = options
            .directory
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE)
            .create(&options.directory)?;
        let lock = lock(&beside(&options.directory, "lock"))?;
        let ballast = beside(&options.directory, "ballast");
        space::release_ballast_if_full(&ballast)?;

        let engine = open_engine(options)?;
        let record = read_record(&*engine)?;
        let anchored_at = check_anchor(options, record)?;

        space::make_ballast(&ballast, options.ballast_bytes, options.free_floor_bytes)?;
        let free_space = FreeSpace::new(parent.to_owned(), options.free_floor_bytes);
        let anchor = AnchorWriter::start(options.anchor.clone(), record)?;
        let committer = Committer::start(Arc::clone(&engine), record, free_space, anchor)?;
        let directory = parent.to_owned();
        Ok(Self {
            inner: Arc::new(Inner {
                committer,
                engine,
                opened_at: record,
                anchored_at,
                directory,
                _lock: lock,
            }),
        })
    }

    /// Runs `work` on the commit thread over all earlier writes, and answers once its group is durable: also when `work`
    /// only read or failed, since it may have seen writes of the same group. An `Err` of `work` leaves no trace.
    /// Dropping the future does not take the work back. `work` must not wait for anything: all other work waits for it.
    ///
    /// # Errors
    /// [`CommitError`]; its variants say whether the work may have been written.
    pub async fn commit<T, E>(
        &self,
        work: impl FnOnce(&mut Txn<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<Result<T, E>, CommitError>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.inner.committer.commit(work).await
    }

    /// The durable value of a key. Takes microseconds from the cache and a disk read otherwise; while a group is applied
    /// it waits for that, a millisecond or two under load.
    ///
    /// # Errors
    /// The engine cannot read its files.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.inner
            .engine
            .get(tree, key)
            .map_err(|error| self.inner.committer.poison().set(error))
    }

    /// Durable entries whose key starts with `prefix` and lies at or beyond `from`, ascending; fewer than `limit` means
    /// that there are no more. Not a snapshot: see [`Txn::scan`] for one.
    ///
    /// # Errors
    /// The engine cannot read its files.
    pub fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError> {
        let found = self.inner.engine.scan(tree, prefix, from, limit);
        found.map_err(|error| self.inner.committer.poison().set(error))
    }

    /// Counts every entry of every tree and compares with the commit record: records that went missing inside the store
    /// show here. Walks the whole store; only a store without writers gives a meaningful answer.
    ///
    /// # Errors
    /// The engine cannot read its files.
    pub fn recount(&self) -> Result<Recount, EngineError> {
        let mut found = 0;
        for tree in Tree::ALL {
            found += self.inner.engine.count(tree)?;
        }
        let record = read_record_bytes(&*self.inner.engine)?;
        Ok(Recount {
            expected: self.reached().records,
            found: found - u64::from(record.is_some()),
        })
    }

    /// Where the store stood when it was opened.
    #[must_use]
    pub fn opened_at(&self) -> CommitRecord {
        self.inner.opened_at
    }

    /// What the anchor said when the store was opened: the audit chain must contain its head. `None`: the store was new,
    /// or the anchor was reset.
    #[must_use]
    pub fn anchored_at(&self) -> Option<CommitRecord> {
        self.inner.anchored_at
    }

    /// The last durable commit.
    #[must_use]
    pub fn reached(&self) -> CommitRecord {
        self.inner.committer.reached()
    }

    /// What an operator wants to know.
    ///
    /// # Errors
    /// The volume cannot be asked for its free space.
    pub fn status(&self) -> io::Result<StoreStatus> {
        let committer = &self.inner.committer;
        Ok(StoreStatus {
            reached: committer.reached(),
            waiting: committer.waiting(),
            free_bytes: space::free_bytes(&self.inner.directory)?,
            failure: committer.poison().cause(),
        })
    }

    /// Waits until the engine failed, and says why. The owner of the process then ends it: only a new start shows what
    /// the disk holds.
    pub async fn failed(&self) -> EngineError {
        self.inner.committer.poison().wait().await
    }

    /// Commits what waits, writes the anchor, ends the commit thread. Reads still work; the files are released with the
    /// last handle, which does the same where this was not called, but blocks its thread meanwhile.
    pub async fn close(&self) {
        self.inner.committer.close().await;
    }
}

/// The store as an operator sees it.
#[derive(Clone, Debug)]
pub struct StoreStatus {
    /// The last durable commit.
    pub reached: CommitRecord,
    /// Transactions that wait.
    pub waiting: usize,
    /// Free space on the volume, in bytes.
    pub free_bytes: u64,
    /// Why no more commits are taken, if so.
    pub failure: Option<EngineError>,
}

/// A count of the store beside what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recount {
    /// Entries by the commit record.
    pub expected: u64,
    /// Entries there are.
    pub found: u64,
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
fn beside(directory: &Path, what: &str) -> PathBuf {
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

fn read_record_bytes(engine: &dyn Engine) -> Result<Option<Vec<u8>>, EngineError> {
    engine.get(Tree::Meta, commit_record::COMMIT_KEY)
}

fn read_record(engine: &dyn Engine) -> Result<CommitRecord, EngineError> {
    match read_record_bytes(engine)? {
        None => Ok(CommitRecord::default()),
        Some(bytes) => CommitRecord::from_bytes(&bytes)
            .ok_or_else(|| EngineError::Corrupt("the commit record is not one".to_owned())),
    }
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
        None if options.anchor_rule == AnchorRule::Hold && store.number > 0 => {
            Err(OpenError::AnchorMissing { store: store.number })
        }
        _ => {
            anchor::write(&options.anchor, store)?;
            Ok(anchor)
        }
    }
}

#[cfg(test)]
mod contract_tests;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod sled_tests;
#[cfg(test)]
mod tests;
