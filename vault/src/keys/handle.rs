//! The keyring in force. Rotations exchange it while requests run: who needs keys takes the current ring for one
//! operation, and what was sealed under the ring before still opens with the next.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::keyring::{Keyring, KeyringError};
use crate::store::{Store, Txn};

/// Follows the keyring in force. Clones follow the same one.
#[derive(Clone, Debug)]
pub struct Keys {
    current: Arc<ArcSwap<Keyring>>,
    /// One exchange at a time: a later reading of the store is never replaced by an earlier one.
    exchanging: Arc<Mutex<()>>,
}

impl Keys {
    /// Begins with this keyring.
    #[must_use]
    pub fn new(keyring: Keyring) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(keyring)),
            exchanging: Arc::default(),
        }
    }

    /// The keyring in force now.
    #[must_use]
    pub fn current(&self) -> Arc<Keyring> {
        self.current.load_full()
    }

    /// Puts in force what the store holds now. `now` in Unix seconds. Parses RSA keys, may write epoch files: off the
    /// async threads.
    ///
    /// # Errors
    /// The store's keyring does not open.
    pub fn refresh(&self, store: &Store, now: i64) -> Result<(), KeyringError> {
        let _turn = self.exchanging.lock().unwrap_or_else(PoisonError::into_inner);
        self.current.store(Arc::new(self.current().reopen(store, now)?));
        Ok(())
    }

    /// The same, as a transaction sees the store: for what follows other processes' commits.
    ///
    /// # Errors
    /// The store's keyring does not open.
    pub fn refresh_in(&self, txn: &mut Txn<'_>, now: i64) -> Result<(), KeyringError> {
        let _turn = self.exchanging.lock().unwrap_or_else(PoisonError::into_inner);
        self.current.store(Arc::new(self.current().reopen_in(txn, now)?));
        Ok(())
    }
}
