//! What a snapshot of an embedded engine keeps: of every key that was changed since, the value that it had. Little for
//! as long as little is written; a snapshot that would keep more than its limit ends instead.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::batch::{Batch, later_of};
use super::engine::EngineError;
use super::overlay::Overrides;
use super::tree::Tree;

/// Keys and values that one snapshot keeps at most, in bytes: some hundred thousand rewritten records. Whoever takes
/// a snapshot while everything is rewritten has to take it again afterwards.
pub const MAX_SNAPSHOT_BYTES: usize = 64 * 1024 * 1024;

/// The past as one snapshot needs it.
pub(super) struct Kept(Mutex<State>);

struct State {
    limit: usize,
    bytes: usize,
    /// `None`: outgrown, and given back.
    trees: Option<BTreeMap<Tree, Overrides>>,
}

impl Default for Kept {
    fn default() -> Self {
        Self::within(MAX_SNAPSHOT_BYTES)
    }
}

impl Kept {
    /// Keeps nothing yet, and at most `limit` bytes.
    pub(super) fn within(limit: usize) -> Self {
        Self(Mutex::new(State {
            limit,
            bytes: 0,
            trees: Some(BTreeMap::new()),
        }))
    }

    /// Keeps what a batch is about to replace. Only the first change of a key counts: it carries the snapshot's value.
    pub(super) fn keep(&self, batch: &Batch) {
        let mut state = self.lock();
        let State { limit, bytes, trees } = &mut *state;
        let Some(kept) = trees else { return };
        for (tree, key, change) in batch.changes() {
            let kept = kept.entry(tree).or_default();
            if kept.contains_key(key) {
                continue;
            }
            *bytes += key.len() + change.before.as_ref().map_or(0, Vec::len);
            kept.insert(key.to_vec(), change.before.clone());
        }
        if *bytes > *limit {
            *trees = None;
        }
    }

    /// What is kept of a key, if it was changed.
    pub(super) fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Option<Vec<u8>>>, EngineError> {
        let state = self.lock();
        let trees = state.trees.as_ref().ok_or(EngineError::SnapshotOutgrown)?;
        Ok(trees.get(&tree).and_then(|kept| kept.get(key)).cloned())
    }

    /// What is kept of the keys of `tree` that start with `prefix`, from `from` to `end`, which is within.
    pub(super) fn range(
        &self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        end: Option<&[u8]>,
    ) -> Result<Overrides, EngineError> {
        let state = self.lock();
        let trees = state.trees.as_ref().ok_or(EngineError::SnapshotOutgrown)?;
        let Some(kept) = trees.get(&tree) else {
            return Ok(Overrides::new());
        };
        let entries = kept.range::<[u8], _>((later_of(from, prefix), Bound::Unbounded));
        Ok(entries
            .take_while(|(key, _)| key.starts_with(prefix) && end.is_none_or(|end| key.as_slice() <= end))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(key: &[u8], before: &[u8]) -> Batch {
        let mut batch = Batch::default();
        let before = Some(before.to_vec());
        batch
            .set(Tree::Cards, key, None, || Ok::<_, EngineError>(before))
            .unwrap();
        batch
    }

    #[test]
    fn the_first_change_of_a_key_is_kept() {
        let kept = Kept::default();
        kept.keep(&batch(b"k", b"first"));
        kept.keep(&batch(b"k", b"second"));
        assert_eq!(
            kept.get(Tree::Cards, b"k").unwrap(),
            Some(Some(b"first".to_vec()))
        );
        assert_eq!(kept.get(Tree::Cards, b"other").unwrap(), None);
    }

    #[test]
    fn beyond_its_limit_a_snapshot_ends() {
        let kept = Kept::within(20);
        kept.keep(&batch(b"k", b"0123456789"));
        assert!(kept.get(Tree::Cards, b"k").is_ok());
        kept.keep(&batch(b"l", b"0123456789"));
        assert_eq!(kept.get(Tree::Cards, b"k"), Err(EngineError::SnapshotOutgrown));
        assert_eq!(
            kept.range(Tree::Cards, b"", Bound::Unbounded, None),
            Err(EngineError::SnapshotOutgrown)
        );
    }
}
