//! A change of epoch, or of the root key: every record of the keyring is wrapped anew in one transaction, and what the
//! new wrapping key comes from is left there too, wrapped under the former. A process that knows only the former secret
//! (it has epoch files of its own, or crashed between two steps) learns the new one from that. It tells nothing to
//! whoever has an *earlier* copy of the store: the way leads forward only.

use std::ops::Bound;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::epoch::{EpochError, EpochSecret, EpochSecrets};
use super::escrow;
use super::header::{KeyHeader, KeyId, KeyPurpose, KeyState, WrappedKeyError};
use super::keyring::{Keyring, KeyringError, MAX_KEYS};
use super::root::{KeyMemoryError, RootKey, WrappingKey};
use crate::crypto::CryptoError;
use crate::environment::Environment;
use crate::store::{Entry, Tree, Txn};

/// The key of the handover record in [`Tree::Keks`]; the epoch that it leads to follows.
const HANDOVER: &[u8] = b"handover/";
const KEY_BYTES: usize = 32;

/// The next epoch: its secret is in the epoch files already, the keyring is not wrapped under it yet.
#[derive(Debug)]
pub struct NextEpoch {
    secret: EpochSecret,
    /// The root key that takes the place of the present one.
    root: Option<Arc<RootKey>>,
    wrapping: WrappingKey,
}

impl NextEpoch {
    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.secret.number()
    }

    /// The root key that it brings.
    pub(super) fn root(&self) -> Option<&RootKey> {
        self.root.as_deref()
    }
}

/// Whether a record of the keyring's tree is no key.
pub(super) fn is_handover(store_key: &[u8]) -> bool {
    store_key.starts_with(HANDOVER)
}

pub(super) fn handover_key(to: u32) -> Vec<u8> {
    [HANDOVER, &to.to_be_bytes()].concat()
}

impl Keyring {
    /// The number of the epoch whose secret wraps this keyring.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.wrapping.epoch()
    }

    /// Draws the next epoch's secret and writes it beside the present one into all epoch files; with `escrow` the
    /// present one is also kept for backups that live on. With `root` the root key changes too. Reads and writes files:
    /// off the async threads.
    ///
    /// # Errors
    /// The files, randomness, memory.
    pub fn prepare_epoch(&self, root: Option<RootKey>, escrow: bool) -> Result<NextEpoch, KeyringError> {
        let files = self.epoch_files.as_ref().ok_or(KeyringError::NoEpochFiles)?;
        if escrow {
            let present = files.load()?;
            let secret = present
                .of(self.epoch())
                .ok_or(EpochError::OtherEpoch(self.epoch()))?;
            escrow::keep(files, secret, &self.root, self.environment, &self.rng)?;
        }
        let secret = EpochSecret::next(self.epoch(), &self.rng).map_err(KeyMemoryError::from)?;
        let root = root.map(Arc::new);
        if let Some(next) = &root {
            escrow::add_root(files, &self.root, next, self.environment, &self.rng)?;
        }
        let under = root.as_ref().unwrap_or(&self.root);
        let wrapping = under.wrapping_key(self.environment, &secret)?;
        files.add(&secret)?;
        Ok(NextEpoch {
            secret,
            root,
            wrapping,
        })
    }

    /// Wraps every record of the keyring under the next epoch, and leaves the handover. In force with the transaction
    /// and [`Keyring::reopen`].
    ///
    /// # Errors
    /// [`WrappedKeyError::OtherEpoch`] when the epoch was replaced since this keyring was opened; the store's;
    /// wrapping's.
    pub fn replace_epoch(&self, txn: &mut Txn<'_>, next: &NextEpoch, now: i64) -> Result<(), KeyringError> {
        for (store_key, record) in txn.scan(Tree::Keks, b"", Bound::Unbounded, MAX_KEYS)? {
            if is_handover(&store_key) {
                txn.delete(Tree::Keks, &store_key)?;
                continue;
            }
            let (mut header, material) = KeyHeader::unwrap(&store_key, &record, &self.wrapping)?;
            if header.id.purpose == KeyPurpose::Epoch && header.state == KeyState::Active {
                header.state = KeyState::Destroyed { at: now };
            }
            txn.put(
                Tree::Keks,
                &store_key,
                header.wrap(&material, &next.wrapping, &self.rng)?,
            )?;
        }
        let header = KeyHeader {
            id: KeyId {
                purpose: KeyPurpose::Epoch,
                version: next.number(),
            },
            created_at: now,
            state: KeyState::Active,
        };
        txn.put(
            Tree::Keks,
            &header.id.store_key(),
            header.wrap(&[], &next.wrapping, &self.rng)?,
        )?;
        let key = handover_key(next.number());
        let mut content = Zeroizing::new(Vec::with_capacity(2 * KEY_BYTES));
        content.extend_from_slice(next.secret.expose());
        if let Some(root) = &next.root {
            content.extend_from_slice(root.expose());
        }
        let handover = self.wrapping.wrap(&key, &content, &self.rng)?;
        Ok(txn.put(Tree::Keks, &key, handover)?)
    }

    /// Deletes the handover record: for a store of one process, whose epoch files hold the new secret alone.
    ///
    /// # Errors
    /// The store's.
    pub fn drop_handover(&self, txn: &mut Txn<'_>) -> Result<(), KeyringError> {
        Ok(txn.delete(Tree::Keks, &handover_key(self.epoch()))?)
    }

    /// Makes sure that the epoch files hold this keyring's secret and no other. Reads and writes files: off the async
    /// threads.
    ///
    /// # Errors
    /// The files.
    pub fn ensure_settled(&self) -> Result<(), KeyringError> {
        let Some(files) = &self.epoch_files else {
            return Ok(());
        };
        let secrets = files.load()?;
        let own = secrets
            .of(self.epoch())
            .ok_or(EpochError::OtherEpoch(self.epoch()))?;
        self.settle(own)
    }

    /// Has the epoch files hold this keyring's secret and no other, and escrows open under this root key only. Writes
    /// files: off the async threads.
    ///
    /// # Errors
    /// The files.
    pub(super) fn settle(&self, secret: &EpochSecret) -> Result<(), KeyringError> {
        let Some(files) = &self.epoch_files else {
            return Ok(());
        };
        files.settle(secret)?;
        Ok(escrow::settle(files, &self.root, self.environment)?)
    }
}

/// What a keyring is unwrapped with.
pub(super) struct Found {
    pub(super) root: Arc<RootKey>,
    pub(super) wrapping: WrappingKey,
    pub(super) secret: EpochSecret,
}

/// Finds what unwraps these entries: a secret of theirs in the epoch files, or one that was handed over from `present`,
/// the wrapping key of a keyring that is open, or from a former secret in the files.
pub(super) fn find(
    environment: Environment,
    root: &Arc<RootKey>,
    present: Option<&WrappingKey>,
    secrets: &EpochSecrets,
    entries: &[Entry],
) -> Result<Found, KeyringError> {
    let first = entries.iter().find(|(key, _)| !is_handover(key));
    let needed = first.map_or(Ok(1), |(_, record)| KeyHeader::epoch_of(record))?;
    // Only where no epoch file is: the secret becomes the present one, and must not take the place of another.
    let escrowed = match (secrets.of(needed), secrets.secrets.is_empty()) {
        (None, true) => escrow::open(&secrets.files, needed, root, environment).ok(),
        _ => None,
    };
    if let Some(secret) = escrowed {
        let wrapping = root.wrapping_key(environment, &secret)?;
        return Ok(Found {
            root: Arc::clone(root),
            wrapping,
            secret,
        });
    }
    let handed = handed_over(environment, root, present, secrets, entries, needed);
    let Some(secret) = secrets.of(needed) else {
        return handed;
    };
    // Where the root key changed too, it was handed over with the secret.
    let root = handed.map_or_else(|_| Arc::clone(root), |handed| handed.root);
    let wrapping = root.wrapping_key(environment, secret)?;
    let secret = EpochSecret::from_parts(needed, secret.expose()).ok_or(CryptoError::Malformed)?;
    Ok(Found {
        root,
        wrapping,
        secret,
    })
}

fn handed_over(
    environment: Environment,
    root: &Arc<RootKey>,
    present: Option<&WrappingKey>,
    secrets: &EpochSecrets,
    entries: &[Entry],
    needed: u32,
) -> Result<Found, KeyringError> {
    let key = handover_key(needed);
    let given = secrets.secrets.last().map_or(0, EpochSecret::number);
    let other = WrappedKeyError::OtherEpoch { needed, given };
    let record = entries.iter().find(|(store_key, _)| *store_key == key);
    let (_, record) = record.ok_or(other)?;
    let opened = match (present, secrets.before(needed)) {
        (Some(wrapping), _) => wrapping.unwrap(&key, record),
        (None, Some(former)) => root.wrapping_key(environment, former)?.unwrap(&key, record),
        (None, None) => return Err(other.into()),
    };
    let content = opened.map_err(|_| other)?;
    let (secret, new_root) = content.split_at_checked(KEY_BYTES).ok_or(other)?;
    let secret = EpochSecret::from_parts(needed, secret).ok_or(other)?;
    let root = if new_root.is_empty() {
        Arc::clone(root)
    } else {
        Arc::new(RootKey::from_slot(environment, new_root)?)
    };
    let wrapping = root.wrapping_key(environment, &secret)?;
    Ok(Found {
        root,
        wrapping,
        secret,
    })
}
