//! The marks that a restore leaves in the store: one while it is not finished, so that nobody serves half a vault, and one
//! for the first unlock, which alone can tell whether the backup was made by this vault.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::store::{EngineError, Store, Tree, Txn, TxnError};

const RESTORED: &[u8] = b"vault.restored";
const UNFINISHED: &[u8] = b"vault.restore-unfinished";

/// From which backup a store was restored. Stands in clear: nothing can be sealed before the unlock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The backup's manifest as a signed note.
    pub manifest: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// The mark of a restore that no unlock has told of yet.
///
/// # Errors
/// The store cannot be read, or the mark does not read.
pub fn marker(store: &Store) -> Result<Option<Restored>, EngineError> {
    let bytes = store.get(Tree::Meta, RESTORED)?;
    let read = |bytes: Vec<u8>| serde_json::from_slice(&bytes);
    let read = bytes.map(read).transpose();
    read.map_err(|_| EngineError::Corrupt("the mark of a restore does not read".to_owned()))
}

/// Whether a restore began here and did not come to its end.
///
/// # Errors
/// The store cannot be read.
pub fn is_unfinished(store: &Store) -> Result<bool, EngineError> {
    Ok(store.get(Tree::Meta, UNFINISHED)?.is_some())
}

/// The key of the mark, for the transaction that tells of the restore and takes the mark away.
#[must_use]
pub const fn key() -> &'static [u8] {
    RESTORED
}

pub(super) fn begin(txn: &mut Txn<'_>) -> Result<(), TxnError> {
    txn.put(Tree::Meta, UNFINISHED, Vec::new())
}

pub(super) fn finish(txn: &mut Txn<'_>, restored: &[u8]) -> Result<(), TxnError> {
    txn.delete(Tree::Meta, UNFINISHED)?;
    txn.put(Tree::Meta, RESTORED, restored.to_vec())
}
