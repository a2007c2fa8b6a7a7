//! What a storage engine must do, and the sizes it may rely on. The promise that matters: readers never see a write
//! that a power cut could still take back, so no answer can rest on one.

use std::ops::Bound;
use std::sync::Arc;

use super::batch::Batch;
use super::commit_record::CommitRecord;
use super::tree::Tree;

/// Longest key, in bytes. sled keeps up to 320 keys in one index page and writes a page as one piece; with keys of this
/// length that stays under its blob threshold (see [`MAX_VALUE_BYTES`]). The tree's tag makes it 255 there.
pub const MAX_KEY_BYTES: usize = 254;

/// Largest value, in bytes. sled writes any page above 128 KiB to a file of its own under `blobs/`, and never syncs that
/// file. A leaf page holds up to 20 entries (16 before it splits, one more on the way, three from a merge), so it is the
/// page and not the single value that must stay below: 20 × (6 KiB + key) does.
pub const MAX_VALUE_BYTES: usize = 6 * 1024;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// What can be read: the engine as it is now, one point in its time, or what a group of commits stands on.
pub trait View: Send + Sync {
    /// The durable value of a key.
    ///
    /// # Errors
    /// The engine cannot read.
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// The durable entries whose key starts with `prefix` and lies at or beyond `from`, ascending; fewer than `limit`
    /// means that there are no more. Read from an engine this is not a snapshot: entries written meanwhile may be among
    /// them or not.
    ///
    /// # Errors
    /// The engine cannot read.
    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError>;
}

/// An ordered key-value store over several trees, written by one thread and read by many.
///
/// The commit thread alone calls `begin`, then `write` and `sync`, or `abandon`. After an error of `write` or `sync`
/// that [ends the engine](EngineError::ends_the_store) it is not written again: what the disk holds is known only after
/// it was opened anew.
pub trait Engine: View + 'static {
    /// Whether other processes write to the same data: then the store moves on without this one's doing.
    fn is_shared(&self) -> bool {
        false
    }

    /// How many entries a tree holds. Walks the whole tree: for verification, not for requests.
    ///
    /// # Errors
    /// The engine cannot read.
    fn count(&self, tree: Tree) -> Result<u64, EngineError>;

    /// The state between two batches, held while writers go on.
    ///
    /// # Errors
    /// The engine cannot read.
    fn snapshot(&self) -> Result<Box<dyn View>, EngineError>;

    /// Begins a group of commits. Where several processes write, nobody else commits from here on until `sync` or
    /// `abandon`.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`]: nothing has begun.
    fn begin(&self) -> Result<Begun<'_>, EngineError>;

    /// Applies the batch, all or nothing. Readers go on seeing the state before it until [`Engine::sync`] returned,
    /// unless it is durable at once.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] and [`EngineError::Full`]: nothing was written, and the group is over. Others: the
    /// outcome is unknown until the store is opened anew.
    fn write(&self, batch: &Arc<Batch>) -> Result<(), EngineError>;

    /// Makes the last batch survive a power cut, then shows it to readers.
    ///
    /// # Errors
    /// As for [`Engine::write`], and [`EngineError::Unknown`]. A failed `fsync` is never tried again: the kernel may
    /// have dropped the dirty pages, and a second call would report success.
    fn sync(&self) -> Result<(), EngineError>;

    /// Ends a group that writes nothing.
    fn abandon(&self);
}

/// A group that has begun.
pub struct Begun<'e> {
    /// The commit record as it stands now, where other processes may have moved it.
    pub record: Option<CommitRecord>,
    /// What the group's transactions read.
    pub view: &'e dyn View,
}

/// Why an engine could not do its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The operating system refused a read, a write or a sync.
    #[error("the store cannot reach its files: {0}")]
    Io(String),
    /// The files do not hold what they should.
    #[error("the store's files are corrupt: {0}")]
    Corrupt(String),
    /// The engine broke one of its own assumptions.
    #[error("the storage engine failed: {0}")]
    Failed(String),
    /// The database cannot be reached or does not answer. Nothing was written; later it may be there again.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The database has no room. Nothing was written.
    #[error("the database has no room: {0}")]
    Full(String),
    /// The connection was lost in the commit, and whether that was written could not be found out.
    #[error("whether the commit was written is not known: {0}")]
    Unknown(String),
    /// More was changed since a snapshot was taken than it can keep.
    #[error("the snapshot ended: more was changed meanwhile than it can keep")]
    SnapshotOutgrown,
}

impl EngineError {
    /// Whether the store takes no more commits after this. A database that was away is found again as it stands, at the
    /// beginning of the next group; what files hold after an error is known only when they are opened anew.
    #[must_use]
    pub const fn ends_the_store(&self) -> bool {
        match self {
            Self::Io(_) | Self::Corrupt(_) | Self::Failed(_) => true,
            Self::Unavailable(_) | Self::Full(_) | Self::Unknown(_) | Self::SnapshotOutgrown => false,
        }
    }
}
