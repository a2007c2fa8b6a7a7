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
use super::slot::Standing;
use super::slot::make::{MakeError, RootKeeping, make};
use super::slot::share::ShareText;
use crate::environment::Environment;
use crate::store::{CommitError, Entry, Store, Tree, TxnError};

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
    /// A slot.
    #[error(transparent)]
    Slot(#[from] MakeError),
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
        let (slot, texts) = make(environment, &root, keeping, Standing::Active, now, rng)?;
        if let RootKeeping::KeyFile(path) = keeping {
            files.key_files.push(path.clone());
        }
        shares.extend(texts);
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
