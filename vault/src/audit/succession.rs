//! How one audit key names the next: the event that rotates it holds the new verifier key, and a checkpoint that the old
//! key signs over that event in the same transaction is kept.

use std::ops::Bound;

use super::checkpoint::{Checkpoint, Head};
use super::event::{Event, Operation, Outcome};
use super::note::VerifierKey;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::Tx;
use crate::store::Tree;

/// Keys of successions in [`Tree::AuditNodes`] begin so, and end in the size of the log: no node is like them.
const PREFIX: &[u8] = b"\0next/";
/// More audit keys than any vault ever had.
const MOST: usize = 10_000;

fn key(size: u64) -> Vec<u8> {
    [PREFIX, &size.to_be_bytes()].concat()
}

/// The verifier keys that an event names as the log's next.
pub fn named<'a>(event: &'a Event, origin: &'a str) -> impl Iterator<Item = VerifierKey> + 'a {
    let rotates = event.operation == Operation::RotateKey && event.outcome == Outcome::Done;
    let words = event
        .note
        .iter()
        .filter(move |_| rotates)
        .flat_map(|note| note.split_whitespace());
    words
        .filter_map(|word| word.parse().ok())
        .filter(move |key: &VerifierKey| key.name() == origin)
}

/// Signs `head` by the key that is in force in `tx`, if the event before it names another.
///
/// # Errors
/// The store's.
pub fn keep(tx: &mut Tx<'_, '_>, event: &Event, head: Head, origin: &str) -> Result<(), Error> {
    if named(event, origin).next().is_none() {
        return Ok(());
    }
    let origin = origin.to_owned();
    let note = Checkpoint { origin, head }.sign(tx.keyring().audit_keys());
    let note = note.map_err(|error| Error::Internal(error.to_string()))?;
    tx.put_value(Tree::AuditNodes, &key(head.size), note.as_bytes())
}

impl OpenVault {
    /// The notes by which audit keys named their successors, over more than `after` and up to `to` events, oldest first.
    ///
    /// # Errors
    /// The store cannot be read, or a note does not open.
    pub fn successions(&self, after: u64, to: u64) -> Result<Vec<String>, Error> {
        let (after, last, keyring) = (key(after), key(to), self.keyring());
        let entries = self
            .surroundings
            .store
            .scan(Tree::AuditNodes, PREFIX, Bound::Excluded(&after), MOST);
        let entries = entries.map_err(|error| Error::Store(error.to_string()))?;
        let open = |(key, sealed): &(Vec<u8>, Vec<u8>)| {
            let note = keyring.open_record(Tree::AuditNodes, key, sealed);
            let note = note.map_err(|error| Error::Corrupt(error.to_string()))?;
            String::from_utf8(note.to_vec()).map_err(|error| Error::Corrupt(error.to_string()))
        };
        entries.iter().filter(|(key, _)| *key <= last).map(open).collect()
    }
}
