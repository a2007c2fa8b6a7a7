//! The ceremony that makes a vault: root key, epoch secret, keyring and slots, in one durable batch. What it returns,
//! the shares, exists nowhere else.

use std::ops::Bound;
use std::path::PathBuf;

use ring::rand::SystemRandom;
use shared::clock::Clock;
use shared::mtls::identity::Identity;

use super::epoch::{EpochError, EpochFiles, EpochSecret};
use super::jwe_keys::NewJweKey;
use super::keyring::Keyring;
use super::root::{KeyMemoryError, RootKey};
use super::slot::key_file::{self, KeyFileError};
use super::slot::shamir::{self, NewCustodian, ShamirError};
use super::slot::share::ShareText;
use crate::environment::Environment;
use crate::store::{CommitError, Entry, Store, Tree, TxnError};

/// How the root key is to be kept.
#[derive(Clone, Debug)]
pub enum RootKeeping {
    /// Split among officers.
    Custodians {
        /// How many shares open, at least 2.
        threshold: u8,
        /// One share each, in this order.
        custodians: Vec<NewCustodian>,
    },
    /// In a file; development only.
    KeyFile(PathBuf),
}

/// Why no vault was made.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// The store has slots or keys.
    #[error("the store belongs to a vault already")]
    AlreadyInitialised,
    /// No way to keep the root key was asked for.
    #[error("no slot: nobody could ever unlock the vault")]
    NoSlot,
    /// The epoch secret.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// The custodians.
    #[error(transparent)]
    Custodians(#[from] ShamirError),
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// Randomness, memory or sealing.
    #[error(transparent)]
    Key(#[from] KeyMemoryError),
    /// The store did not take the batch.
    #[error(transparent)]
    Transaction(#[from] TxnError),
    /// The store did not commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Makes a vault in an empty store, and returns each custodian's share, in the order of the slots.
///
/// `jwe` is made beforehand, because making it takes seconds. If anything fails before the commit, files that were
/// written are taken back; if it is uncertain whether the commit happened, they stay.
///
/// # Errors
/// [`CeremonyError`].
pub async fn initialise(
    store: &Store,
    environment: Environment,
    epoch_files: &EpochFiles,
    slots: &[RootKeeping],
    jwe: &NewJweKey,
    rng: &SystemRandom,
    clock: &Clock,
) -> Result<Vec<(Identity, ShareText)>, CeremonyError> {
    if slots.is_empty() {
        return Err(CeremonyError::NoSlot);
    }
    let taken = |tree| {
        store
            .scan(tree, b"", Bound::Unbounded, 1)
            .map(|found| !found.is_empty())
    };
    if taken(Tree::Slots).map_err(TxnError::from)? || taken(Tree::Keks).map_err(TxnError::from)? {
        return Err(CeremonyError::AlreadyInitialised);
    }
    let now = clock.unix_seconds();
    let root = RootKey::generate(environment, rng)?;
    let epoch = EpochSecret::first(rng).map_err(KeyMemoryError::from)?;
    let wrapping = root.wrapping_key(environment, &epoch)?;
    let keks = Keyring::create(&wrapping, jwe, now, rng).map_err(KeyMemoryError::from)?;
    epoch_files.create(&epoch)?;
    let mut files = Files {
        epoch: epoch_files,
        key_files: Vec::new(),
        keep: false,
    };
    let (mut slot_entries, mut shares) = (Vec::new(), Vec::new());
    for keeping in slots {
        let slot = match keeping {
            RootKeeping::Custodians {
                threshold,
                custodians,
            } => {
                let (slot, texts) = shamir::create(environment, &root, *threshold, custodians, now, rng)?;
                shares.extend(texts);
                slot
            }
            RootKeeping::KeyFile(path) => {
                let slot = key_file::create(environment, &root, path, now, rng)?;
                files.key_files.push(path.clone());
                slot
            }
        };
        slot_entries.push(slot.to_entry(&root).map_err(KeyMemoryError::from)?);
    }
    let committed = store.commit(move |txn| write(txn, slot_entries, keks)).await;
    files.keep = matches!(
        committed,
        Ok(Ok(())) | Err(CommitError::Failed(_) | CommitError::Stalled)
    );
    committed??;
    Ok(shares)
}

fn write(txn: &mut crate::store::Txn<'_>, slots: Vec<Entry>, keks: Vec<Entry>) -> Result<(), CeremonyError> {
    for (tree, entries) in [(Tree::Slots, slots), (Tree::Keks, keks)] {
        // Again, inside the transaction: two ceremonies at once make one vault.
        if !txn.scan(tree, b"", Bound::Unbounded, 1)?.is_empty() {
            return Err(CeremonyError::AlreadyInitialised);
        }
        for (key, value) in entries {
            txn.put(tree, &key, value)?;
        }
    }
    Ok(())
}

/// The files of a ceremony, taken back unless it succeeded.
struct Files<'a> {
    epoch: &'a EpochFiles,
    key_files: Vec<PathBuf>,
    keep: bool,
}

impl Drop for Files<'_> {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        self.epoch.take_back();
        for path in &self.key_files {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "a key file that opens no vault could not be removed");
            }
        }
    }
}
