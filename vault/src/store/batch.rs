//! A set of changes that becomes durable together. Each change carries the value it replaces: the engine shows that one
//! to readers until the new one is safe, and the committer counts records by it.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::tree::Tree;

/// What happens to one key.
#[derive(Debug)]
pub struct Change {
    /// The value before the batch; `None`: there was none.
    pub before: Option<Vec<u8>>,
    /// The value after it; `None`: deleted.
    pub after: Option<Vec<u8>>,
}

/// Changes over several trees, at most one per key.
#[derive(Debug, Default)]
pub struct Batch {
    trees: BTreeMap<Tree, BTreeMap<Vec<u8>, Change>>,
    bytes: usize,
}

impl Batch {
    /// What the batch does to a key, if anything.
    #[must_use]
    pub fn get(&self, tree: Tree, key: &[u8]) -> Option<&Change> {
        self.trees.get(&tree)?.get(key)
    }

    /// All changes, by tree and key.
    pub fn changes(&self) -> impl Iterator<Item = (Tree, &[u8], &Change)> {
        self.trees.iter().flat_map(|(&tree, changes)| {
            changes
                .iter()
                .map(move |(key, change)| (tree, key.as_slice(), change))
        })
    }

    /// The changes to keys of `tree` that start with `prefix` and lie at or beyond `from`.
    pub fn range<'a>(
        &'a self,
        tree: Tree,
        prefix: &'a [u8],
        from: Bound<&'a [u8]>,
    ) -> impl Iterator<Item = (&'a [u8], &'a Change)> {
        let from = later_of(from, prefix);
        self.trees
            .get(&tree)
            .into_iter()
            .flat_map(move |changes| changes.range::<[u8], _>((from, Bound::Unbounded)))
            .map(|(key, change)| (key.as_slice(), change))
            .take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// Sets what becomes of a key. `before` is asked only for a key that the batch does not know yet.
    pub(super) fn set<E>(
        &mut self,
        tree: Tree,
        key: &[u8],
        after: Option<Vec<u8>>,
        before: impl FnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> Result<(), E> {
        let size = after.as_ref().map_or(0, Vec::len);
        let changes = self.trees.entry(tree).or_default();
        if let Some(change) = changes.get_mut(key) {
            self.bytes -= change.after.as_ref().map_or(0, Vec::len);
            change.after = after;
        } else {
            changes.insert(
                key.to_vec(),
                Change {
                    before: before()?,
                    after,
                },
            );
            self.bytes += key.len();
        }
        self.bytes += size;
        Ok(())
    }

    /// Takes over the changes of a later batch that was made on top of this one.
    pub(super) fn absorb(&mut self, later: Self) {
        for (tree, changes) in later.trees {
            let own = self.trees.entry(tree).or_default();
            for (key, change) in changes {
                let size = change.after.as_ref().map_or(0, Vec::len);
                if let Some(known) = own.get_mut(&key) {
                    self.bytes -= known.after.as_ref().map_or(0, Vec::len);
                    known.after = change.after;
                } else {
                    self.bytes += key.len();
                    own.insert(key, change);
                }
                self.bytes += size;
            }
        }
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trees.values().all(BTreeMap::is_empty)
    }

    /// Keys and new values together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many records the batch adds and how many it removes.
    pub(super) fn added_and_removed(&self) -> (u64, u64) {
        self.changes().fold((0, 0), |(added, removed), (_, _, change)| {
            match (change.before.is_some(), change.after.is_some()) {
                (false, true) => (added + 1, removed),
                (true, false) => (added, removed + 1),
                _ => (added, removed),
            }
        })
    }
}

/// The bound that starts later: a scan of a prefix begins at the prefix unless it goes on from further behind.
pub(super) fn later_of<'a>(from: Bound<&'a [u8]>, prefix: &'a [u8]) -> Bound<&'a [u8]> {
    match from {
        Bound::Included(key) | Bound::Excluded(key) if key >= prefix => from,
        _ => Bound::Included(prefix),
    }
}
