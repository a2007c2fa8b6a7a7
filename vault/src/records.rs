//! Typed records over the store: every value is sealed with its tree and key as associated data, so that a record moved,
//! swapped or flipped on the disk does not open.

use std::ops::Bound;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::clock::Clock;
use zeroize::Zeroizing;

use crate::audit::event::Event;
use crate::audit::note::hex;
use crate::crypto::aead;
use crate::crypto::fingerprint::PanFingerprint;
use crate::error::Error;
use crate::keys::data_key::WrappedDataKey;
use crate::keys::handle::Keys;
use crate::keys::header::WrappedKeyError;
use crate::keys::keyring::{Keyring, KeyringError};
use crate::observe::Observed;
use crate::store::{Store, Tree, Txn};

/// A kind of record: where it lies and under which key.
pub trait Record: Serialize + DeserializeOwned {
    /// Its tree.
    const TREE: Tree;
    /// Its key in the tree: never anything secret, for keys are not sealed.
    fn key(&self) -> Vec<u8>;
}

/// A record together with the bytes it was read from, by which a transaction sees whether it has changed since.
pub struct Stored<R> {
    /// The record.
    pub record: R,
    sealed: Vec<u8>,
}

/// The reading side.
#[derive(Clone)]
pub struct Records {
    store: Store,
    keys: Keys,
    clock: Clock,
    observed: Arc<Observed>,
}

impl Records {
    /// Reads `store` with the keyring in force. Records that do not open are told to `observed`.
    #[must_use]
    pub const fn new(store: Store, keys: Keys, clock: Clock, observed: Arc<Observed>) -> Self {
        Self {
            store,
            keys,
            clock,
            observed,
        }
    }

    /// The record under `key`; only what is durable is seen.
    ///
    /// # Errors
    /// The store cannot be read, or the record does not open.
    pub fn get<R: Record>(&self, key: &[u8]) -> Result<Option<Stored<R>>, Error> {
        match self.read(key) {
            // A rotation may have moved the value meanwhile and destroyed its key, or another process may have renewed
            // the key that this one has not read yet.
            Err(Error::UnknownKeyVersion(_)) => {
                if self.store.is_shared() {
                    self.refresh_keys()?;
                }
                self.read(key)
            }
            other => other,
        }
    }

    fn read<R: Record>(&self, key: &[u8]) -> Result<Option<Stored<R>>, Error> {
        let sealed = self.store.get(R::TREE, key);
        let Some(sealed) = sealed.map_err(|error| Error::Store(error.to_string()))? else {
            return Ok(None);
        };
        Ok(Some(Stored {
            record: open(&self.keys.current(), &self.observed, key, &sealed)?,
            sealed,
        }))
    }

    /// The keyring in force now.
    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        self.keys.current()
    }

    /// Puts in force what the store holds of the keyring.
    ///
    /// # Errors
    /// It does not open.
    pub fn refresh_keys(&self) -> Result<(), Error> {
        let refreshed = self.keys.refresh(&self.store, self.clock.unix_seconds());
        refreshed.map_err(|error| Error::Corrupt(error.to_string()))
    }

    /// Up to `limit` records whose keys start with `prefix`, from `from` on: all of them, for decisions that rest on none
    /// being left out.
    ///
    /// # Errors
    /// The store cannot be read, or a record does not open.
    pub fn scan<R: Record>(&self, prefix: &[u8], from: Bound<&[u8]>, limit: usize) -> Result<Vec<R>, Error> {
        self.scanned(prefix, from, limit)?.into_iter().collect()
    }

    /// The same for lists and for work on one record after the other: those that do not open are left out, and told like
    /// any other corrupt record. One bad record must not take the rest with it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn scan_readable<R: Record>(
        &self,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<R>, Error> {
        let readable = |opened: Result<R, Error>| match opened {
            Ok(record) => Some(record),
            Err(error) => {
                if let Error::UnknownKeyVersion(what) = error {
                    self.observed.corrupt(R::TREE, &what);
                }
                None
            }
        };
        let scanned = self.scanned(prefix, from, limit)?;
        Ok(scanned.into_iter().filter_map(readable).collect())
    }

    fn scanned<R: Record>(
        &self,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Result<R, Error>>, Error> {
        let entries = self.store.scan(R::TREE, prefix, from, limit);
        let entries = entries.map_err(|error| Error::Store(error.to_string()))?;
        let keyring = self.keys.current();
        let opened = |(key, sealed): &(Vec<u8>, Vec<u8>)| match open(&keyring, &self.observed, key, sealed) {
            // The value may have been moved meanwhile, or be gone.
            Err(Error::UnknownKeyVersion(_)) => self.get(key).transpose().map(|found| Ok(found?.record)),
            other => Some(other),
        };
        Ok(entries.iter().filter_map(opened).collect())
    }

    /// Up to `limit` keys that start with `prefix`; nothing is opened.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn keys<R: Record>(&self, prefix: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, Error> {
        let entries = self.store.scan(R::TREE, prefix, Bound::Unbounded, limit);
        let entries = entries.map_err(|error| Error::Store(error.to_string()))?;
        Ok(entries.into_iter().map(|(key, _)| key).collect())
    }

    /// Runs `work` in a transaction that the store has begun, with typed access.
    pub(crate) fn within<T>(&self, txn: &mut Txn<'_>, work: impl FnOnce(&mut Tx<'_, '_>) -> T) -> T {
        let keyring = self.keys.current();
        work(&mut Tx::over(txn, &keyring, &self.observed))
    }

    /// Runs `work` as one durable transaction.
    ///
    /// # Errors
    /// That of `work`, which then left no trace, or the store's.
    pub async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_, '_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (keys, observed) = (self.keys.clone(), Arc::clone(&self.observed));
        let committed = self
            .store
            .commit(move |txn| {
                // Taken on the commit thread: whatever is sealed here is sealed by the key that is active now.
                let keyring = keys.current();
                let mut tx = Tx::over(txn, &keyring, &observed);
                let value = work(&mut tx)?;
                let written = tx.write_uses()?;
                Ok::<_, Error>((value, keyring, written))
            })
            .await;
        let (value, keyring, written) = committed.map_err(Error::from)??;
        for (key, more, sum) in written {
            keyring.uses().wrote(key, more, sum);
        }
        Ok(value)
    }
}

/// A running transaction with typed access.
pub struct Tx<'a, 't> {
    txn: &'a mut Txn<'t>,
    keyring: &'a Keyring,
    observed: &'a Observed,
    audit_index: u64,
    events: Vec<Event>,
}

impl<'a, 't> Tx<'a, 't> {
    const fn over(txn: &'a mut Txn<'t>, keyring: &'a Keyring, observed: &'a Observed) -> Self {
        Self {
            txn,
            keyring,
            observed,
            audit_index: 0,
            events: Vec::new(),
        }
    }

    /// The record under `key`, as this transaction sees it.
    ///
    /// # Errors
    /// The store cannot be read, or the record does not open.
    pub fn get<R: Record>(&mut self, key: &[u8]) -> Result<Option<R>, Error> {
        let sealed = self.txn.get(R::TREE, key)?;
        sealed
            .map(|sealed| open(self.keyring, self.observed, key, &sealed))
            .transpose()
    }

    /// Up to `limit` records whose keys start with `prefix`, from `from` on, as this transaction sees them.
    ///
    /// # Errors
    /// The store cannot be read, or a record does not open.
    pub fn scan<R: Record>(
        &mut self,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<R>, Error> {
        let entries = self.txn.scan(R::TREE, prefix, from, limit)?;
        entries
            .iter()
            .map(|(key, sealed)| open(self.keyring, self.observed, key, sealed))
            .collect()
    }

    /// The same without those that do not open.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn scan_readable<R: Record>(
        &mut self,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<R>, Error> {
        let entries = self.txn.scan(R::TREE, prefix, from, limit)?;
        let opened = entries
            .iter()
            .map(|(key, sealed)| open(self.keyring, self.observed, key, sealed));
        Ok(opened.filter_map(Result::ok).collect())
    }

    /// Whether there is a record under `key`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn exists<R: Record>(&mut self, key: &[u8]) -> Result<bool, Error> {
        Ok(self.txn.get(R::TREE, key)?.is_some())
    }

    /// Whether a record is still what it was when it was read.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn is_unchanged<R: Record>(&mut self, stored: &Stored<R>) -> Result<bool, Error> {
        Ok(self.txn.get(R::TREE, &stored.record.key())?.as_ref() == Some(&stored.sealed))
    }

    /// Seals and writes a record.
    ///
    /// # Errors
    /// The record is too large, or the store cannot be read.
    pub fn put<R: Record>(&mut self, record: &R) -> Result<(), Error> {
        // Some records hold what is personal.
        let plain = serde_json::to_vec(record).map(Zeroizing::new);
        let plain = plain.map_err(|error| Error::Internal(error.to_string()))?;
        let key = record.key();
        let sealed = self
            .keyring
            .seal_record(R::TREE, &key, &plain)
            .map_err(internal)?;
        Ok(self.txn.put(R::TREE, &key, sealed)?)
    }

    /// Deletes the record under `key`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn delete<R: Record>(&mut self, key: &[u8]) -> Result<(), Error> {
        Ok(self.txn.delete(R::TREE, key)?)
    }

    /// Writes a card's wrapped data key.
    ///
    /// # Errors
    /// [`Error::Raced`] when the KEK was rotated since it was wrapped: nothing new may refer to a retiring key. The
    /// store's.
    pub fn put_data_key(&mut self, key: &[u8], wrapped: WrappedDataKey) -> Result<(), Error> {
        let version = wrapped.kek_version().map_err(internal)?;
        if version != self.keyring.active_card_kek() {
            return Err(Error::Raced);
        }
        Ok(self.txn.put(Tree::DataKeys, key, wrapped.into_bytes())?)
    }

    /// Refuses a fingerprint that an earlier key made: nothing new may refer to a retiring key.
    ///
    /// # Errors
    /// [`Error::Raced`].
    pub fn require_active(&self, fingerprint: &PanFingerprint) -> Result<(), Error> {
        if fingerprint.version() == self.keyring.active_fingerprint_key() {
            Ok(())
        } else {
            Err(Error::Raced)
        }
    }

    /// The keyring that seals in this transaction.
    #[must_use]
    pub const fn keyring(&self) -> &Keyring {
        self.keyring
    }

    /// The transaction itself and its keyring, for slots and wrapped keys, which are not sealed as records.
    pub(crate) const fn parts(&mut self) -> (&mut Txn<'t>, &'a Keyring) {
        (self.txn, self.keyring)
    }

    /// Changes the keyring in this transaction; in force after it through [`crate::open_vault::OpenVault::exchange_keys`].
    ///
    /// # Errors
    /// [`Error::Raced`] when the keyring was changed since the one in force was opened.
    pub fn change_keys<T>(
        &mut self,
        change: impl FnOnce(&Keyring, &mut Txn<'_>) -> Result<T, KeyringError>,
    ) -> Result<T, Error> {
        change(self.keyring, self.txn).map_err(|error| match error {
            KeyringError::NotOneActive(..) | KeyringError::Wrapped(WrappedKeyError::OtherEpoch { .. }) => {
                Error::Raced
            }
            other => internal(other),
        })
    }

    /// Bytes as they lie in the store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn get_sealed(&mut self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.txn.get(tree, key)?)
    }

    /// Writes bytes that were sealed elsewhere, under the keys that are active now.
    ///
    /// # Errors
    /// [`Error::Raced`] for a value that an earlier key sealed: nothing new may refer to a retiring key.
    pub fn put_sealed(&mut self, tree: Tree, key: &[u8], sealed: Vec<u8>) -> Result<(), Error> {
        let version = aead::key_version(&sealed).map_err(internal)?;
        if version != self.keyring.active_records_key() {
            return Err(Error::Raced);
        }
        Ok(self.txn.put(tree, key, sealed)?)
    }

    /// Has an event of the vault's own written with this transaction, behind the operation's.
    pub fn also(&mut self, event: Event) {
        self.events.push(event);
    }

    /// The events that [`Tx::also`] collected.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Deletes bytes that were sealed elsewhere (wrapped keys).
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn delete_sealed(&mut self, tree: Tree, key: &[u8]) -> Result<(), Error> {
        Ok(self.txn.delete(tree, key)?)
    }

    /// The opened value under `key`: of values that are no records.
    ///
    /// # Errors
    /// The store cannot be read, or the value does not open.
    pub fn opened(&mut self, tree: Tree, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let Some(sealed) = self.txn.get(tree, key)? else {
            return Ok(None);
        };
        let opened = self.keyring.open_record(tree, key, &sealed);
        opened
            .map(Some)
            .map_err(|error| Error::of_opening(tree.name(), &error))
    }

    /// Seals and writes a value that is no record.
    ///
    /// # Errors
    /// The value is too large, or the store cannot be read.
    pub fn put_value(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let sealed = self.keyring.seal_record(tree, key, value).map_err(internal)?;
        Ok(self.txn.put(tree, key, sealed)?)
    }

    /// The root of the audit log that this transaction stands on; zero bytes while there is no event.
    #[must_use]
    pub const fn audit_head(&self) -> [u8; 32] {
        self.txn.audit_head()
    }

    /// Names the root of the audit log after this transaction.
    pub fn set_audit_head(&mut self, root: [u8; 32]) {
        self.txn.set_audit_head(root);
    }

    /// The index that this transaction's event will have in the audit log.
    #[must_use]
    pub const fn audit_index(&self) -> u64 {
        self.audit_index
    }

    /// Told by the ledger once it has caught up.
    pub fn expect_audit_index(&mut self, index: u64) {
        self.audit_index = index;
    }
}

fn open<R: Record>(keyring: &Keyring, observed: &Observed, key: &[u8], sealed: &[u8]) -> Result<R, Error> {
    let name = || record_name(R::TREE, key);
    let opened = match keyring.open_record(R::TREE, key, sealed) {
        Ok(plain) => {
            let read = serde_json::from_slice(&plain);
            read.map_err(|error| Error::Corrupt(format!("{}: {error}", name())))
        }
        Err(error) => Err(Error::of_opening(&name(), &error)),
    };
    if let Err(Error::Corrupt(what)) = &opened {
        observed.corrupt(R::TREE, what);
    }
    opened
}

/// How a record is named to officers: its tree and its key, which is never anything secret.
#[must_use]
pub fn record_name(tree: Tree, key: &[u8]) -> String {
    let printable = !key.is_empty() && key.iter().all(u8::is_ascii_graphic);
    let key = match std::str::from_utf8(key) {
        Ok(text) if printable => text.to_owned(),
        _ => hex(key),
    };
    format!("{} {key}", tree.name())
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(error.to_string())
}
