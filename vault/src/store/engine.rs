//! What a storage engine must do, and the sizes it may rely on. The promise that matters: readers never see a write
//! that a power cut could still take back, so no answer can rest on one.

use std::ops::Bound;
use std::sync::Arc;

use super::batch::Batch;
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

/// An ordered key-value store over several trees, written by one thread and read by many.
///
/// `write` and `sync` are called in turn, by the commit thread alone. After an error of either the engine is not
/// written again: what the disk holds is known only after it was opened anew.
pub trait Engine: Send + Sync + 'static {
    /// The durable value of a key.
    ///
    /// # Errors
    /// The engine cannot read its files.
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// The durable entries whose key starts with `prefix` and lies at or beyond `from`, ascending; fewer than `limit`
    /// means that there are no more. Not a snapshot: entries written meanwhile may be among them or not.
    ///
    /// # Errors
    /// The engine cannot read its files.
    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError>;

    /// How many entries a tree holds. Walks the whole tree: for verification, not for requests.
    ///
    /// # Errors
    /// The engine cannot read its files.
    fn count(&self, tree: Tree) -> Result<u64, EngineError>;

    /// Applies the batch, all or nothing. Readers go on seeing the state before it until [`Engine::sync`] returned,
    /// unless it is durable at once.
    ///
    /// # Errors
    /// The outcome is unknown until the store is opened anew.
    fn write(&self, batch: &Arc<Batch>) -> Result<(), EngineError>;

    /// Makes the last batch survive a power cut, then shows it to readers.
    ///
    /// # Errors
    /// The outcome is unknown until the store is opened anew. A failed `fsync` is never tried again: the kernel may
    /// have dropped the dirty pages, and a second call would report success.
    fn sync(&self) -> Result<(), EngineError>;
}

/// Why an engine could not do its work. Each of these ends the life of the handle.
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
}
