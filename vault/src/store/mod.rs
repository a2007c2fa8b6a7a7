//! The vault's store: two dozen trees of keys and values over an engine, written by group commit. An acknowledged write
//! survives a kill and a power cut; a reader never sees one that would not; a store that lost its tail does not open.
//!
//! What the values hold is not the store's matter: everything in them is sealed before it comes here.

mod anchor;
mod batch;
mod commit;
mod commit_record;
mod engine;
mod follow;
mod kept;
mod open;
mod overlay;
mod poison;
mod postgres;
mod sled;
mod snapshot;
mod space;
mod tree;
mod txn;

use std::convert::Infallible;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Weak};

pub use self::batch::{Batch, Change};
pub use self::commit::{CommitError, Patience};
pub use self::commit_record::{CommitRecord, is_commit_record};
pub use self::engine::{Begun, Engine, EngineError, Entry, MAX_KEY_BYTES, MAX_VALUE_BYTES, View};
pub use self::follow::Follower;
pub use self::kept::MAX_SNAPSHOT_BYTES;
pub use self::open::{
    AnchorRule, DEFAULT_BALLAST_BYTES, DEFAULT_FREE_FLOOR_BYTES, EngineChoice, OpenError, StoreOptions,
};
pub use self::postgres::{BadUrl, DEFAULT_CONNECTIONS, PostgresEngine, PostgresOptions};
pub use self::sled::{DEFAULT_CACHE_BYTES, MIN_CACHE_BYTES, SledEngine};
pub use self::snapshot::Snapshot;
pub use self::tree::Tree;
pub use self::txn::{MAX_TRANSACTION_BYTES, Txn, TxnError};

use self::open::Inner;

/// The open store. Clones are handles to the same one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

impl Store {
    /// Opens the store with the engine that the options choose, or makes it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(options: &StoreOptions) -> Result<Self, OpenError> {
        Self::open_with(options, open::engine)
    }

    /// Opens the store over the engine that `open_engine` opens once the lock is held.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_with(
        options: &StoreOptions,
        open_engine: impl FnOnce(&StoreOptions) -> Result<Arc<dyn Engine>, EngineError>,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            inner: Arc::new(open::open(options, open_engine)?),
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

    /// The store as it is at one commit, to be read while writers go on.
    ///
    /// # Errors
    /// The engine cannot read.
    pub fn snapshot(&self) -> Result<Snapshot, EngineError> {
        Snapshot::take(Arc::clone(&self.inner)).map_err(|error| self.inner.committer.poison().set(error))
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
        let record = open::read_record(&*self.inner.engine)?;
        Ok(Recount {
            expected: record.records,
            found: found - u64::from(record.number > 0),
        })
    }

    /// Whether other processes write to the same store.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.inner.engine.is_shared()
    }

    /// From now on this follower is brought up to date before each group of commits; it takes the place of an earlier
    /// one.
    pub fn followed_by(&self, follower: Weak<dyn Follower>) {
        self.inner.committer.following().set(follower);
    }

    /// Sees whether other processes have committed, and lets the follower know. For a background look: a process
    /// without traffic learns of the others' doing by this alone.
    ///
    /// # Errors
    /// [`CommitError`]; the next look tries again.
    pub async fn look(&self) -> Result<(), CommitError> {
        if !self.is_shared() {
            return Ok(());
        }
        let engine = Arc::clone(&self.inner.engine);
        let looked = tokio::task::spawn_blocking(move || open::read_record(&*engine)).await;
        match looked {
            Ok(Ok(record)) if record == self.reached() => Ok(()),
            Ok(Ok(_)) => self.commit(|_| Ok::<_, Infallible>(())).await.map(drop),
            Ok(Err(error)) => Err(CommitError::Unavailable(error)),
            Err(_) => Err(CommitError::Panicked),
        }
    }

    /// Where the store stood when it was opened.
    #[must_use]
    pub fn opened_at(&self) -> CommitRecord {
        self.inner.opened_at
    }

    /// What the anchor said when the store was opened: the audit log must contain its head. `None`: the store was new,
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

    /// Changes with each durable commit: of this process at once, of another on the same store within a second.
    #[must_use]
    pub fn moves(&self) -> tokio::sync::watch::Receiver<CommitRecord> {
        self.inner.committer.moves()
    }

    /// Transactions that wait for the commit thread: whether requests are in a hurry.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inner.committer.waiting()
    }

    /// How many entries a tree holds. Walks the whole tree: for a job's beginning, not for requests.
    ///
    /// # Errors
    /// The engine cannot read its files.
    pub fn count(&self, tree: Tree) -> Result<u64, EngineError> {
        let counted = self.inner.engine.count(tree);
        counted.map_err(|error| self.inner.committer.poison().set(error))
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
    /// Free space on the volume, in bytes; with a database elsewhere, on that of the anchor.
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

#[cfg(test)]
mod contract_tests;
#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod sled_tests;
#[cfg(test)]
mod snapshot_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
