//! The log as it lies in the store: events in [`Tree::Audit`] by index, and in [`Tree::AuditNodes`] the roots of complete
//! subtrees of 256, 256², … events. What lies between is hashed again when it is asked for: a proof reads at most some
//! 256 values of each of these levels.

use zeroize::Zeroizing;

use super::checkpoint::Head;
use super::event::Event;
use super::merkle::{self, CompactRange, Hash, Subtree};
use crate::error::Error;
use crate::keys::keyring::Keyring;
use crate::open_vault::OpenVault;
use crate::records::Tx;
use crate::store::{EngineError, Snapshot, Store, Tree};

/// Levels of the binary tree between two stored ones.
const STORED_EVERY: u32 = 8;

/// The key of the root of a subtree in [`Tree::AuditNodes`]; `None`: it is not stored.
#[must_use]
pub fn node_key(subtree: Subtree) -> Option<[u8; 9]> {
    if subtree.level == 0 || !subtree.level.is_multiple_of(STORED_EVERY) {
        return None;
    }
    let mut key = [0; 9];
    let (level, index) = key.split_first_mut()?;
    *level = u8::try_from(subtree.level / STORED_EVERY).ok()?;
    index.copy_from_slice(&subtree.index.to_be_bytes());
    Some(key)
}

impl OpenVault {
    /// Reads the durable log. Blocks: call it off the async threads where more than some events are read.
    ///
    /// # Errors
    /// That of `read`.
    pub fn log<T>(&self, read: impl FnOnce(&mut Log<Durable<'_>>) -> Result<T, Error>) -> Result<T, Error> {
        let (store, keyring) = (&self.surroundings.store, self.keyring());
        read(&mut Log(Durable {
            store,
            keyring: &keyring,
        }))
    }
}

/// Where opened values come from: the durable store, or a transaction.
pub trait Source {
    /// The opened value under `key`.
    ///
    /// # Errors
    /// The store cannot be read, or the value does not open.
    fn value(&mut self, tree: Tree, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Error>;
}

impl Source for &mut Tx<'_, '_> {
    fn value(&mut self, tree: Tree, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.opened(tree, key)
    }
}

/// The durable log.
pub struct Durable<'a> {
    /// The store.
    pub store: &'a Store,
    /// Keys that open it.
    pub keyring: &'a Keyring,
}

impl Source for Durable<'_> {
    fn value(&mut self, tree: Tree, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        opened(self.keyring, tree, key, self.store.get(tree, key))
    }
}

/// The log as it was at one commit.
pub struct AtOnePoint<'a> {
    /// The store at that commit.
    pub snapshot: &'a Snapshot,
    /// Keys that open it.
    pub keyring: &'a Keyring,
}

impl Source for AtOnePoint<'_> {
    fn value(&mut self, tree: Tree, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        opened(self.keyring, tree, key, self.snapshot.get(tree, key))
    }
}

fn opened(
    keyring: &Keyring,
    tree: Tree,
    key: &[u8],
    sealed: Result<Option<Vec<u8>>, EngineError>,
) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some(sealed) = sealed.map_err(|error| Error::Store(error.to_string()))? else {
        return Ok(None);
    };
    let opened = keyring.open_record(tree, key, &sealed);
    opened
        .map(Some)
        .map_err(|error| Error::of_opening(tree.name(), &error))
}

/// Reads the log from a source.
pub struct Log<S>(pub S);

impl<S: Source> Log<S> {
    /// The exact bytes of event `index`, if the log goes that far.
    ///
    /// # Errors
    /// The store cannot be read, or the event does not open.
    pub fn find(&mut self, index: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let found = self.0.value(Tree::Audit, &index.to_be_bytes());
        found.map_err(|error| match error {
            Error::Corrupt(reason) => Error::Corrupt(format!("audit event {index}: {reason}")),
            Error::UnknownKeyVersion(reason) => {
                Error::UnknownKeyVersion(format!("audit event {index}: {reason}"))
            }
            other => other,
        })
    }

    /// The exact bytes of event `index`.
    ///
    /// # Errors
    /// It is missing or does not open.
    pub fn bytes(&mut self, index: u64) -> Result<Zeroizing<Vec<u8>>, Error> {
        let missing = || Error::Corrupt(format!("audit event {index} is missing"));
        self.find(index)?.ok_or_else(missing)
    }

    /// Event `index`.
    ///
    /// # Errors
    /// It is missing, does not open or is no event.
    pub fn event(&mut self, index: u64) -> Result<Event, Error> {
        parse(&self.bytes(index)?)
    }

    /// How many events there are. Indices are given without gaps, so the first missing one is found by halving.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn size(&mut self) -> Result<u64, Error> {
        let mut beyond = 1u64;
        while self.find(beyond - 1)?.is_some() {
            beyond = beyond.saturating_mul(2);
        }
        let (mut known, mut missing) = (beyond / 2, beyond - 1);
        // `known` events exist for sure; event number `missing` does not.
        while known < missing {
            let middle = known + (missing - known) / 2;
            if self.find(middle)?.is_some() {
                known = middle + 1;
            } else {
                missing = middle;
            }
        }
        Ok(known)
    }

    /// The compact range over the first `size` events.
    ///
    /// # Errors
    /// An event or a node is missing or does not open.
    pub fn range(&mut self, size: u64) -> Result<CompactRange, Error> {
        CompactRange::read(size, &mut |subtree| self.subtree(subtree))
    }

    /// The head of the first `size` events.
    ///
    /// # Errors
    /// As for [`Log::range`].
    pub fn head(&mut self, size: u64) -> Result<Head, Error> {
        let root = merkle::root_at(size, &mut |subtree| self.subtree(subtree))?;
        Ok(Head { size, root })
    }

    /// Proves that event `index` is among the first `size`.
    ///
    /// # Errors
    /// As for [`Log::range`].
    pub fn inclusion(&mut self, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
        merkle::inclusion_proof(index, size, &mut |subtree| self.subtree(subtree))
    }

    /// Proves that the first `from` events of `to` did not change.
    ///
    /// # Errors
    /// As for [`Log::range`].
    pub fn consistency(&mut self, from: u64, to: u64) -> Result<Vec<Hash>, Error> {
        merkle::consistency_proof(from, to, &mut |subtree| self.subtree(subtree))
    }

    /// The root of a complete subtree: stored, or hashed from the next stored level below.
    fn subtree(&mut self, subtree: Subtree) -> Result<Hash, Error> {
        if let Some(key) = node_key(subtree) {
            let missing = || Error::Corrupt(format!("audit node {subtree:?} is missing"));
            let value = self.0.value(Tree::AuditNodes, &key)?.ok_or_else(missing)?;
            return Hash::try_from(value.as_slice()).map_err(|_| missing());
        }
        if subtree.level == 0 {
            return Ok(merkle::leaf(&self.bytes(subtree.index)?));
        }
        let width = subtree.level % STORED_EVERY;
        let (level, first) = (subtree.level - width, subtree.index << width);
        let mut range = CompactRange::default();
        for index in first..first.saturating_add(1 << width) {
            range.append(self.subtree(Subtree { level, index })?, |_, _| {});
        }
        Ok(range.root())
    }
}

/// An event from its bytes.
///
/// # Errors
/// [`Error::Corrupt`].
pub fn parse(bytes: &[u8]) -> Result<Event, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Corrupt(error.to_string()))
}
