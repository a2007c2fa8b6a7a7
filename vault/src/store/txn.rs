//! A transaction: reads and writes of one piece of work on the commit thread, over all earlier work of its group.

use std::ops::Bound;

use super::batch::{Batch, Change};
use super::commit_record::COMMIT_KEY;
use super::engine::{EngineError, Entry, MAX_KEY_BYTES, MAX_VALUE_BYTES, View};
use super::overlay::scan_over;
use super::tree::Tree;

/// Most keys and values, in bytes, that one transaction may write. A batch holds sled's current log buffer (512 KiB) open
/// until it is complete; half of it leaves room for the pages that a batch splits on its way.
pub const MAX_TRANSACTION_BYTES: usize = 256 * 1024;

/// What a piece of work sees and changes. Dropping it changes nothing.
pub struct Txn<'a> {
    view: &'a dyn View,
    group: &'a Batch,
    own: Batch,
    audit_head_before: [u8; 32],
    audit_head: Option<[u8; 32]>,
    refused: Option<TxnError>,
}

impl<'a> Txn<'a> {
    /// A transaction over `view` and the earlier changes of its group, which ended at the audit head `audit_head_before`.
    pub(super) fn new(view: &'a dyn View, group: &'a Batch, audit_head_before: [u8; 32]) -> Self {
        Self {
            view,
            group,
            audit_head_before,
            own: Batch::default(),
            audit_head: None,
            refused: None,
        }
    }

    /// The value of a key, as this transaction sees it.
    ///
    /// # Errors
    /// The engine cannot read its files.
    pub fn get(&mut self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, TxnError> {
        if let Some(change) = self.own.get(tree, key).or_else(|| self.group.get(tree, key)) {
            return Ok(change.after.clone());
        }
        let value = self.view.get(tree, key);
        value.map_err(|error| self.refuse(error.into()))
    }

    /// Up to `limit` entries whose key starts with `prefix` and lies at or beyond `from`, ascending; fewer than `limit`
    /// means that there are no more. A consistent view, unlike a scan outside a transaction.
    ///
    /// # Errors
    /// The engine cannot read its files.
    pub fn scan(
        &mut self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, TxnError> {
        let found = scan_over(from, limit, |from, wanted| {
            let entries = self.view.scan(tree, prefix, from, wanted)?;
            let after = |(key, change): (&[u8], &Change)| (key.to_vec(), change.after.clone());
            let group = self.group.range(tree, prefix, from).map(after);
            let own = self.own.range(tree, prefix, from).map(after);
            Ok((entries, group.chain(own).collect()))
        });
        found.map_err(|error| self.refuse(error.into()))
    }

    /// Writes a value.
    ///
    /// # Errors
    /// A size above its bound, the store's own key, or an engine that cannot read. The transaction then writes nothing,
    /// even if the caller goes on.
    pub fn put(&mut self, tree: Tree, key: &[u8], value: Vec<u8>) -> Result<(), TxnError> {
        if value.len() > MAX_VALUE_BYTES {
            return Err(self.refuse(TxnError::ValueTooLarge {
                tree: tree.name(),
                bytes: value.len(),
            }));
        }
        self.change(tree, key, Some(value))
    }

    /// Deletes a key; one that does not exist is no error.
    ///
    /// # Errors
    /// As for [`Txn::put`].
    pub fn delete(&mut self, tree: Tree, key: &[u8]) -> Result<(), TxnError> {
        self.change(tree, key, None)
    }

    /// The head of the audit log that this transaction stands on: its own, an earlier one's of its group, or the last
    /// commit's, of whichever process.
    #[must_use]
    pub const fn audit_head(&self) -> [u8; 32] {
        match self.audit_head {
            Some(head) => head,
            None => self.audit_head_before,
        }
    }

    /// Names the head of the audit log after this transaction; the anchor outside the store will carry it.
    pub fn set_audit_head(&mut self, head: [u8; 32]) {
        self.audit_head = Some(head);
    }

    fn change(&mut self, tree: Tree, key: &[u8], after: Option<Vec<u8>>) -> Result<(), TxnError> {
        if key.len() > MAX_KEY_BYTES {
            return Err(self.refuse(TxnError::KeyTooLong {
                tree: tree.name(),
                bytes: key.len(),
            }));
        }
        if tree == Tree::Meta && key == COMMIT_KEY {
            return Err(self.refuse(TxnError::ReservedKey));
        }
        let (view, group) = (self.view, self.group);
        let set = self.own.set(tree, key, after, || match group.get(tree, key) {
            Some(change) => Ok(change.after.clone()),
            None => view.get(tree, key),
        });
        set.map_err(|error: EngineError| self.refuse(error.into()))?;
        if self.own.bytes() > MAX_TRANSACTION_BYTES {
            return Err(self.refuse(TxnError::TransactionTooLarge {
                bytes: self.own.bytes(),
            }));
        }
        Ok(())
    }

    /// Remembers the first refusal, so that work which swallows it cannot commit half of what it meant to.
    fn refuse(&mut self, error: TxnError) -> TxnError {
        self.refused.get_or_insert_with(|| error.clone());
        error
    }

    pub(super) fn finish(self) -> Finished {
        Finished {
            changes: self.own,
            audit_head: self.audit_head,
            refused: self.refused,
        }
    }
}

/// What a transaction leaves behind.
pub(super) struct Finished {
    pub(super) changes: Batch,
    pub(super) audit_head: Option<[u8; 32]>,
    pub(super) refused: Option<TxnError>,
}

/// Why a transaction could not read or write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TxnError {
    /// The engine failed; the store takes no more commits.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A key above [`MAX_KEY_BYTES`].
    #[error("a key of {bytes} bytes in {tree} is longer than {MAX_KEY_BYTES}")]
    KeyTooLong {
        /// The tree's name.
        tree: &'static str,
        /// The key's length.
        bytes: usize,
    },
    /// A value above [`MAX_VALUE_BYTES`], which could end in a file that the engine never syncs.
    #[error("a value of {bytes} bytes in {tree} is larger than {MAX_VALUE_BYTES}")]
    ValueTooLarge {
        /// The tree's name.
        tree: &'static str,
        /// The value's length.
        bytes: usize,
    },
    /// More than [`MAX_TRANSACTION_BYTES`] in one transaction.
    #[error("a transaction of {bytes} bytes is larger than {MAX_TRANSACTION_BYTES}")]
    TransactionTooLarge {
        /// Keys and values so far.
        bytes: usize,
    },
    /// The commit record belongs to the store.
    #[error("the commit record is written by the store alone")]
    ReservedKey,
}
