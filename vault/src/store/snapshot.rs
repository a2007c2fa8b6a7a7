//! One point in the store's time, read while writers go on: for backups, integrity checks and scans that prove something.

use std::ops::Bound;
use std::sync::Arc;

use super::commit_record::{COMMIT_KEY, CommitRecord};
use super::engine::{EngineError, Entry, View};
use super::open::Inner;
use super::tree::Tree;

/// A consistent view of all trees at one commit. Costs memory (embedded engine) or holds back the removal of old rows
/// (PostgreSQL) while it lives.
pub struct Snapshot {
    // In this order: the view goes before the engine's files are released.
    view: Box<dyn View>,
    reached: CommitRecord,
    store: Arc<Inner>,
}

impl Snapshot {
    pub(super) fn take(store: Arc<Inner>) -> Result<Self, EngineError> {
        let view = store.engine.snapshot()?;
        let record = view.get(Tree::Meta, COMMIT_KEY)?;
        let reached = CommitRecord::read(record.as_deref())?;
        Ok(Self { view, reached, store })
    }

    /// The commit at which it stands.
    #[must_use]
    pub const fn reached(&self) -> CommitRecord {
        self.reached
    }

    /// Whether an entry of [`Tree::Meta`] is the commit record, which counts all entries but itself.
    #[must_use]
    pub fn is_commit_record(key: &[u8]) -> bool {
        key == COMMIT_KEY
    }

    /// The value of a key at that commit.
    ///
    /// # Errors
    /// [`EngineError::SnapshotOutgrown`], or the engine cannot read.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let value = self.view.get(tree, key);
        value.map_err(|error| self.store.committer.poison().set(error))
    }

    /// The entries at that commit whose key starts with `prefix` and lies at or beyond `from`, ascending; fewer than
    /// `limit` means that there are no more. All pages of a snapshot belong to one state.
    ///
    /// # Errors
    /// [`EngineError::SnapshotOutgrown`], or the engine cannot read.
    pub fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError> {
        let found = self.view.scan(tree, prefix, from, limit);
        found.map_err(|error| self.store.committer.poison().set(error))
    }
}
