//! The commit record: how far the store has come. It is written with every group of commits, and a copy of it, the
//! anchor, is kept outside the store, so that a store which lost its tail can be told from one that never had it.

use super::engine::EngineError;

use super::tree::Tree;

/// The key of the commit record in [`super::Tree::Meta`].
pub(super) const COMMIT_KEY: &[u8] = b"store.commit";

/// Whether an entry is the commit record, which belongs to the store that it lies in.
#[must_use]
pub fn is_commit_record(tree: Tree, key: &[u8]) -> bool {
    tree == Tree::Meta && key == COMMIT_KEY
}

const FORMAT: u8 = 1;
const LENGTH: usize = 1 + 8 + 8 + 32;

/// A position in the store's history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitRecord {
    /// Groups committed since the store was made.
    pub number: u64,
    /// Entries in all trees, this record not counted.
    pub records: u64,
    /// The head of the audit log, as the last transaction that named one gave it.
    pub audit_head: [u8; 32],
}

impl CommitRecord {
    /// The record as stored: format, number, records (big-endian), audit head.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(FORMAT);
        bytes.extend(self.number.to_be_bytes());
        bytes.extend(self.records.to_be_bytes());
        bytes.extend(self.audit_head);
        bytes
    }

    /// Reads what the store holds under [`COMMIT_KEY`]; nothing there: no commit yet.
    pub(super) fn read(stored: Option<&[u8]>) -> Result<Self, EngineError> {
        match stored {
            None => Ok(Self::default()),
            Some(bytes) => Self::from_bytes(bytes)
                .ok_or_else(|| EngineError::Corrupt("the commit record is not one".to_owned())),
        }
    }

    /// Reads a stored record; `None`: these bytes are none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&format, rest) = bytes.split_first()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (records, rest) = rest.split_first_chunk()?;
        let audit_head = <[u8; 32]>::try_from(rest).ok()?;
        (format == FORMAT).then_some(Self {
            number: u64::from_be_bytes(*number),
            records: u64::from_be_bytes(*records),
            audit_head,
        })
    }
}
