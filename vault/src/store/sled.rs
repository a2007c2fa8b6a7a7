//! sled behind the engine trait, made durable. sled's own `flush` ends in `sync_file_range`, which survives a crashed
//! process but not a power cut (spacejam/sled#1452); so each write is followed by an `fdatasync` of the same file through
//! a handle of ours, and shown to readers only then.
//!
//! All trees live in one sled tree, each key behind its tree's tag: sled recovers one `apply_batch` as a whole (a
//! manifest in the log names the batch's last position, and recovery stops before a batch whose end is missing), which
//! makes a commit over several trees atomic without sled's optimistic transactions.

use std::fs::{File, OpenOptions};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::batch::Batch;
use super::engine::{Begun, Engine, EngineError, Entry, View};
use super::kept::Kept;
use super::overlay::scan_over;
use super::tree::Tree;

/// sled's page cache unless configured, in bytes. Memory peaks at several times this while every record is rewritten.
pub const DEFAULT_CACHE_BYTES: u64 = 128 * 1024 * 1024;

/// The smallest page cache. sled reads an evicted page back only when the log buffer with its newest part is written, and
/// a batch holds one buffer open: by its source, that could wait for itself. Stress with 256 KiB did not show it; a
/// cache many times a batch keeps clear of it.
pub const MIN_CACHE_BYTES: u64 = 32 * 1024 * 1024;

/// sled's background thread: reclaims segments and syncs what little is left, in milliseconds.
const BACKGROUND_FLUSH_MS: u64 = 500;

/// How long an engine that is opened waits for sled's own lock. It is held for a moment after the engine was closed: by a
/// background thread of sled's that is about to end, or by a process that is just being started and has a copy of every open
/// file until then.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The embedded engine. One process at a time: sled holds a lock on its file.
pub struct SledEngine {
    db: ::sled::Db,
    file: File,
    /// The batch that is written but not yet synced; readers are given the values before it.
    unsynced: ArcSwapOption<Batch>,
    /// What living snapshots keep of the past. Locked where a batch begins to be written and where a snapshot is taken,
    /// so that each batch lies before or behind each snapshot as a whole.
    snapshots: Mutex<Vec<Weak<Kept>>>,
}

impl SledEngine {
    /// Opens the database in `directory`, which exists, or makes it. `cache_bytes` below [`MIN_CACHE_BYTES`] counts as that.
    ///
    /// # Errors
    /// Another process has it open, a file cannot be read or written, or its content is corrupt.
    pub fn open(directory: &Path, cache_bytes: u64) -> Result<Self, EngineError> {
        let config = ::sled::Config::new()
            .path(directory)
            .cache_capacity(cache_bytes.max(MIN_CACHE_BYTES))
            .flush_every_ms(Some(BACKGROUND_FLUSH_MS));
        let db = guarded(|| open_unlocked(&config))?;
        // The file name is sled 0.34.7's own; the version is pinned for it.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(directory.join("db"))
            .map_err(io)?;
        guarded(|| db.flush())?;
        sync_tree(directory).map_err(io)?;
        Ok(Self {
            db,
            file,
            unsynced: ArcSwapOption::empty(),
            snapshots: Mutex::default(),
        })
    }

    fn snapshots(&self) -> MutexGuard<'_, Vec<Weak<Kept>>> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens sled once nobody holds its lock any more.
fn open_unlocked(config: &::sled::Config) -> ::sled::Result<::sled::Db> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match config.open() {
            Err(error) if is_locked(&error) && Instant::now() < deadline => std::thread::sleep(LOCK_PAUSE),
            opened => return opened,
        }
    }
}

/// sled tells of its lock by these words alone; the version is pinned for them.
fn is_locked(error: &::sled::Error) -> bool {
    matches!(error, ::sled::Error::Io(error) if error.to_string().starts_with("could not acquire lock"))
}

/// One point in sled's time: what is in sled now, under what the snapshot keeps of the past.
struct SledSnapshot {
    db: ::sled::Db,
    kept: Arc<Kept>,
}

impl View for SledSnapshot {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        // First the engine, then what is kept: a value that a later batch wrote is then always found among it.
        let value = guarded(|| self.db.get(tagged(tree, key)))?;
        Ok(match self.kept.get(tree, key)? {
            Some(before) => before,
            None => value.map(|value| value.to_vec()),
        })
    }

    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError> {
        scan_over(from, limit, |from, wanted| {
            let entries = page(&self.db, tree, prefix, from, wanted)?;
            let full = entries.len() == wanted;
            let end = entries.last().filter(|_| full).map(|(key, _)| key.as_slice());
            let overrides = self.kept.range(tree, prefix, from, end)?;
            Ok((entries, overrides))
        })
    }
}

fn page(
    db: &::sled::Db,
    tree: Tree,
    prefix: &[u8],
    from: Bound<&[u8]>,
    limit: usize,
) -> Result<Vec<Entry>, EngineError> {
    let prefix = tagged(tree, prefix);
    let range = match from.map(|key| tagged(tree, key)) {
        Bound::Included(key) if key > prefix => (Bound::Included(key), Bound::Unbounded),
        Bound::Excluded(key) if key >= prefix => (Bound::Excluded(key), Bound::Unbounded),
        _ => (Bound::Included(prefix.clone()), Bound::Unbounded),
    };
    guarded(|| {
        let mut entries = Vec::new();
        for entry in db.range::<Vec<u8>, _>(range).take(limit) {
            let (key, value) = entry?;
            if !key.starts_with(&prefix) {
                break;
            }
            entries.push((key.iter().skip(1).copied().collect(), value.to_vec()));
        }
        Ok(entries)
    })
}

impl View for SledEngine {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        // First the engine, then the batch: a value read from an unsynced batch is then always found in it, unless the
        // batch was synced in between and the value is durable.
        let value = guarded(|| self.db.get(tagged(tree, key)))?;
        match self
            .unsynced
            .load()
            .as_ref()
            .and_then(|batch| batch.get(tree, key))
        {
            Some(change) => Ok(change.before.clone()),
            None => Ok(value.map(|value| value.to_vec())),
        }
    }

    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError> {
        scan_over(from, limit, |from, wanted| {
            let entries = page(&self.db, tree, prefix, from, wanted)?;
            let overrides = self.unsynced.load().as_ref().map(|batch| {
                let before = batch.range(tree, prefix, from);
                before
                    .map(|(key, change)| (key.to_vec(), change.before.clone()))
                    .collect()
            });
            Ok((entries, overrides.unwrap_or_default()))
        })
    }
}

impl Engine for SledEngine {
    fn count(&self, tree: Tree) -> Result<u64, EngineError> {
        guarded(|| {
            self.db
                .scan_prefix([tree.tag()])
                .keys()
                .try_fold(0, |count, key| key.map(|_| count + 1))
        })
    }

    fn write(&self, batch: &Arc<Batch>) -> Result<(), EngineError> {
        {
            let mut snapshots = self.snapshots();
            snapshots.retain(|snapshot| match snapshot.upgrade() {
                Some(kept) => {
                    kept.keep(batch);
                    true
                }
                None => false,
            });
            self.unsynced.store(Some(Arc::clone(batch)));
        }
        let mut writes = ::sled::Batch::default();
        for (tree, key, change) in batch.changes() {
            match &change.after {
                Some(value) => writes.insert(tagged(tree, key), value.as_slice()),
                None => writes.remove(tagged(tree, key)),
            }
        }
        guarded(|| self.db.apply_batch(writes))
    }

    fn sync(&self) -> Result<(), EngineError> {
        guarded(|| self.db.flush())?;
        self.file.sync_data().map_err(io)?;
        self.unsynced.store(None);
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn View>, EngineError> {
        let mut snapshots = self.snapshots();
        let kept = Arc::new(Kept::default());
        // What is written and not yet synced is not durable: the snapshot stands before it.
        if let Some(unsynced) = &*self.unsynced.load() {
            kept.keep(unsynced);
        }
        snapshots.push(Arc::downgrade(&kept));
        let db = self.db.clone();
        Ok(Box::new(SledSnapshot { db, kept }))
    }

    fn begin(&self) -> Result<Begun<'_>, EngineError> {
        Ok(Begun {
            record: None,
            view: self,
        })
    }

    fn abandon(&self) {}
}

fn tagged(tree: Tree, key: &[u8]) -> Vec<u8> {
    let mut tagged = Vec::with_capacity(1 + key.len());
    tagged.push(tree.tag());
    tagged.extend_from_slice(key);
    tagged
}

/// Calls sled, which panics on some of the damage it finds (spacejam/sled#1387).
fn guarded<T>(call: impl FnOnce() -> ::sled::Result<T>) -> Result<T, EngineError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(::sled::Error::Io(error))) => Err(io(error)),
        Ok(Err(error @ ::sled::Error::Corruption { .. })) => Err(EngineError::Corrupt(error.to_string())),
        Ok(Err(error)) => Err(EngineError::Failed(error.to_string())),
        Err(_) => Err(EngineError::Failed(
            "sled panicked; its message is in the log".to_owned(),
        )),
    }
}

fn io(error: std::io::Error) -> EngineError {
    EngineError::Io(error.to_string())
}

/// Syncs what sled leaves unsynced when it makes or opens a database: its settings file, its directory, and the entry of
/// that directory in its parent.
fn sync_tree(directory: &Path) -> std::io::Result<()> {
    File::open(directory.join("db"))?.sync_all()?;
    File::open(directory.join("conf"))?.sync_all()?;
    File::open(directory)?.sync_all()?;
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
