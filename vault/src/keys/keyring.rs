//! The unlocked vault's keys. Made once by the ceremony, opened from the store with root key and epoch secret; what it
//! hands out are operations, never a key.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use ring::rand::SystemRandom;
use shared::ids::{CardToken, ProgramName};
use shared::jwe::{InvalidPrivateKey, RsaPrivateKey};
use zeroize::Zeroizing;

use super::audit_key::AuditKey;
use super::data_key::{DataKey, WrappedDataKey};
use super::epoch::EpochSecret;
use super::header::{KeyHeader, KeyId, KeyPurpose, KeyState, WrappedKeyError};
use super::jwe_keys::{JweKeys, NewJweKey};
use super::kek::CardKek;
use super::records::RecordsKey;
use super::root::{KeyMemoryError, RootKey, WrappingKey, key_from};
use super::slot::{self, SlotError};
use super::versions::{Older, VersionError, Versions};
use crate::crypto::CryptoError;
use crate::crypto::aead;
use crate::crypto::fingerprint::{FingerprintKey, PanFingerprint};
use crate::environment::Environment;
use crate::secret::SecretBytes;
use crate::store::{EngineError, Entry, Store, Tree, Txn, TxnError};

/// More keys than any life of rotations makes.
const MAX_KEYS: usize = 10_000;

/// Why a keyring does not open, or an operation with it failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] EngineError),
    /// The transaction cannot read or write.
    #[error(transparent)]
    Transaction(#[from] TxnError),
    /// A slot was changed in the store.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// A record of the keyring does not unwrap.
    #[error(transparent)]
    Wrapped(#[from] WrappedKeyError),
    /// No active key for a purpose, or two.
    #[error("the keyring has {1} active keys for {0:?}, where there must be one")]
    NotOneActive(KeyPurpose, usize),
    /// A value names a key version that cannot be used.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// An RSA key pair in the keyring does not parse.
    #[error(transparent)]
    Jwe(#[from] InvalidPrivateKey),
    /// The key of the audit log's checkpoints does not parse.
    #[error("the audit key in the keyring is not an Ed25519 key pair")]
    AuditKey,
    /// Randomness, memory or a value that does not open.
    #[error(transparent)]
    Key(#[from] KeyMemoryError),
}

impl From<CryptoError> for KeyringError {
    fn from(error: CryptoError) -> Self {
        Self::Key(error.into())
    }
}

/// All keys of an unlocked vault.
#[derive(Debug)]
pub struct Keyring {
    environment: Environment,
    root: Arc<RootKey>,
    wrapping: Arc<WrappingKey>,
    card_keks: Versions<CardKek>,
    records: Versions<RecordsKey>,
    fingerprints: Versions<FingerprintKey>,
    jwe: JweKeys,
    audit: Versions<AuditKey>,
    headers: Vec<KeyHeader>,
    rng: SystemRandom,
}

impl Keyring {
    /// The entries of [`Tree::Keks`] of a new vault: one key for each purpose, wrapped. `now` in Unix seconds.
    pub(super) fn create(
        wrapping: &WrappingKey,
        jwe: &NewJweKey,
        now: i64,
        rng: &SystemRandom,
    ) -> Result<Vec<Entry>, CryptoError> {
        let symmetric = |purpose| {
            SecretBytes::<32>::random(rng).map(|key| (purpose, Zeroizing::new(key.expose().to_vec())))
        };
        let keys = [
            symmetric(KeyPurpose::CardKek)?,
            symmetric(KeyPurpose::Records)?,
            symmetric(KeyPurpose::Fingerprint)?,
            (KeyPurpose::Jwe, Zeroizing::new(jwe.material().to_vec())),
            (KeyPurpose::Audit, AuditKey::generate(rng)?),
        ];
        let wrap = |(purpose, material): &(KeyPurpose, Zeroizing<Vec<u8>>)| {
            let id = KeyId {
                purpose: *purpose,
                version: 1,
            };
            let header = KeyHeader {
                id,
                created_at: now,
                state: KeyState::Active,
            };
            Ok((id.store_key(), header.wrap(material, wrapping, rng)?))
        };
        keys.iter().map(wrap).collect()
    }

    /// Opens the keyring of a store: checks every slot against the root key, then unwraps every key. The root key stays
    /// in locked memory as long as the keyring: new slots and a new epoch need it. `now` in Unix seconds decides which older JWE keys still open. Parses RSA keys: call it off the async
    /// threads.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn open(
        environment: Environment,
        root: RootKey,
        epoch: &EpochSecret,
        store: &Store,
        now: i64,
        rng: SystemRandom,
    ) -> Result<Self, KeyringError> {
        slot::verify_all(&root, &all(store, Tree::Slots)?)?;
        let wrapping = Arc::new(root.wrapping_key(environment, epoch)?);
        let entries = all(store, Tree::Keks)?;
        Self::unwrap(environment, Arc::new(root), wrapping, &entries, now, rng)
    }

    /// The keyring as the store has it now: after a key was replaced, or when a grace time ended. `now` in Unix seconds.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn reopen(&self, store: &Store, now: i64) -> Result<Self, KeyringError> {
        Self::unwrap(
            self.environment,
            Arc::clone(&self.root),
            Arc::clone(&self.wrapping),
            &all(store, Tree::Keks)?,
            now,
            self.rng.clone(),
        )
    }

    /// Makes a new JWE key the current one, and gives the one before a grace time. Takes effect with the transaction and
    /// [`Keyring::reopen`]. Times in Unix seconds and seconds.
    ///
    /// # Errors
    /// [`KeyringError::NotOneActive`] when the key was replaced since this keyring was opened; the store's; wrapping's.
    pub fn replace_jwe_key(
        &self,
        txn: &mut Txn<'_>,
        new: &NewJweKey,
        now: i64,
        grace_seconds: i64,
    ) -> Result<(), KeyringError> {
        let own = || {
            self.headers
                .iter()
                .filter(|header| header.id.purpose == KeyPurpose::Jwe)
        };
        let none = KeyringError::NotOneActive(KeyPurpose::Jwe, 0);
        let active = own()
            .find(|header| header.state == KeyState::Active)
            .map(|header| header.id);
        let (Some(active), Some(newest)) = (active, own().map(|header| header.id.version).max()) else {
            return Err(none);
        };
        let record = txn.get(Tree::Keks, &active.store_key())?;
        let record = record.ok_or(VersionError::Unknown(active))?;
        let (mut old, material) = KeyHeader::unwrap(&active.store_key(), &record, &self.wrapping)?;
        if old.state != KeyState::Active {
            return Err(none);
        }
        old.state = KeyState::Grace {
            not_after: now.saturating_add(grace_seconds),
        };
        let id = KeyId {
            purpose: KeyPurpose::Jwe,
            version: newest + 1,
        };
        let header = KeyHeader {
            id,
            created_at: now,
            state: KeyState::Active,
        };
        txn.put(
            Tree::Keks,
            &active.store_key(),
            old.wrap(&material, &self.wrapping, &self.rng)?,
        )?;
        txn.put(
            Tree::Keks,
            &id.store_key(),
            header.wrap(new.material(), &self.wrapping, &self.rng)?,
        )?;
        Ok(())
    }

    /// Unwraps the entries of [`Tree::Keks`].
    pub(super) fn unwrap(
        environment: Environment,
        root: Arc<RootKey>,
        wrapping: Arc<WrappingKey>,
        entries: &[Entry],
        now: i64,
        rng: SystemRandom,
    ) -> Result<Self, KeyringError> {
        let mut keys = Vec::with_capacity(entries.len());
        for (store_key, record) in entries {
            keys.push(KeyHeader::unwrap(store_key, record, &wrapping)?);
        }
        let headers = keys.iter().map(|(header, _)| *header).collect();
        let mut unwrapped = Unwrapped(keys);
        let memory = |bytes: &[u8]| key_from(environment, bytes);
        let card_keks = unwrapped.versions(KeyPurpose::CardKek, |version, bytes| {
            Ok(CardKek::new(environment, version, memory(bytes)?))
        })?;
        let records = unwrapped.versions(KeyPurpose::Records, |version, bytes| {
            Ok(RecordsKey::new(environment, version, memory(bytes)?))
        })?;
        let fingerprints = unwrapped.versions(KeyPurpose::Fingerprint, |version, bytes| {
            Ok(FingerprintKey::new(version, memory(bytes)?))
        })?;
        let audit = unwrapped.versions(KeyPurpose::Audit, AuditKey::new)?;
        let (current, older) = unwrapped.take(KeyPurpose::Jwe)?;
        let older = older
            .into_iter()
            .map(|(header, pkcs8)| (header.state, pkcs8))
            .collect();
        Ok(Self {
            environment,
            root,
            wrapping,
            card_keks,
            records,
            fingerprints,
            jwe: JweKeys::new(RsaPrivateKey::from_pkcs8(&current.1)?, older, now)?,
            audit,
            headers,
            rng,
        })
    }

    /// Development or production.
    #[must_use]
    pub const fn environment(&self) -> Environment {
        self.environment
    }

    pub(super) const fn root(&self) -> &Arc<RootKey> {
        &self.root
    }

    /// What the keyring holds, without the keys: for status, key inventory and age alarms.
    #[must_use]
    pub fn headers(&self) -> &[KeyHeader] {
        &self.headers
    }

    /// Seals the value that will lie under `key` in `tree`.
    ///
    /// # Errors
    /// [`CryptoError::Random`], [`CryptoError::TooLarge`].
    pub fn seal_record(&self, tree: Tree, key: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, KeyringError> {
        Ok(self.records.active().seal(tree, key, plaintext, &self.rng)?)
    }

    /// Opens the value that lay under `key` in `tree`.
    ///
    /// # Errors
    /// [`KeyringError::Version`] for a key version that is not there, [`KeyringError::Key`] for a value that was moved
    /// or changed.
    pub fn open_record(
        &self,
        tree: Tree,
        key: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let version = aead::key_version(sealed)?;
        Ok(self.records.get(version)?.open(tree, key, sealed)?)
    }

    /// A fresh data key for a card, and its wrapped form for the store.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn new_data_key(
        &self,
        program: &ProgramName,
        card: &CardToken,
    ) -> Result<(DataKey, WrappedDataKey), KeyringError> {
        let key = SecretBytes::random(&self.rng).map_err(CryptoError::from)?;
        let wrapped = self
            .card_keks
            .active()
            .wrap(program, card, key.expose(), &self.rng)?;
        let data_key = DataKey::new(self.environment, program, card, key, self.rng.clone());
        Ok((data_key, WrappedDataKey::from_bytes(wrapped)))
    }

    /// The data key of this card.
    ///
    /// # Errors
    /// [`KeyringError::Version`] for a KEK version that is not there, [`KeyringError::Key`] for a wrapped key of another
    /// card or a changed one.
    pub fn unwrap_data_key(
        &self,
        program: &ProgramName,
        card: &CardToken,
        wrapped: &WrappedDataKey,
    ) -> Result<DataKey, KeyringError> {
        let kek = self.card_keks.get(wrapped.kek_version()?)?;
        let key = kek.unwrap(program, card, wrapped.as_bytes())?;
        let key = SecretBytes::from_slice(&key).ok_or(CryptoError::Malformed)?;
        Ok(DataKey::new(
            self.environment,
            program,
            card,
            key,
            self.rng.clone(),
        ))
    }

    /// The version of the KEK that wraps new data keys.
    #[must_use]
    pub const fn active_card_kek(&self) -> u32 {
        self.card_keks.active_version()
    }

    /// The fingerprint of a PAN, given as ASCII digits, under the active key: what is written.
    #[must_use]
    pub fn fingerprint(&self, digits: &[u8]) -> PanFingerprint {
        self.fingerprints.active().fingerprint(digits)
    }

    /// The fingerprints of a PAN under every key that may have made its index entry, the active one first: what is
    /// looked up. More than one only while the key is being rotated.
    pub fn fingerprints(&self, digits: &[u8]) -> impl Iterator<Item = PanFingerprint> {
        self.fingerprints.usable().map(|key| key.fingerprint(digits))
    }

    /// The version of the key that makes new fingerprints.
    #[must_use]
    pub const fn active_fingerprint_key(&self) -> u32 {
        self.fingerprints.active_version()
    }

    /// The key that signs the audit log's checkpoints.
    #[must_use]
    pub const fn audit_key(&self) -> &AuditKey {
        self.audit.active()
    }

    /// The keys that callers encrypt to.
    #[must_use]
    pub const fn jwe(&self) -> &JweKeys {
        &self.jwe
    }
}

fn all(store: &Store, tree: Tree) -> Result<Vec<Entry>, EngineError> {
    store.scan(tree, b"", Bound::Unbounded, MAX_KEYS)
}

type UnwrappedKey = (KeyHeader, Zeroizing<Vec<u8>>);

/// Keys on their way from the store into their types.
struct Unwrapped(Vec<UnwrappedKey>);

impl Unwrapped {
    /// The active key of a purpose, and all others of it.
    fn take(&mut self, purpose: KeyPurpose) -> Result<(UnwrappedKey, Vec<UnwrappedKey>), KeyringError> {
        let own = self.0.extract_if(.., |(header, _)| header.id.purpose == purpose);
        let (mut active, older): (Vec<_>, Vec<_>) =
            own.partition(|(header, _)| header.state == KeyState::Active);
        match (active.pop(), active.len()) {
            (Some(one), 0) => Ok((one, older)),
            (last, others) => Err(KeyringError::NotOneActive(
                purpose,
                others + usize::from(last.is_some()),
            )),
        }
    }

    fn versions<K>(
        &mut self,
        purpose: KeyPurpose,
        make: impl Fn(u32, &[u8]) -> Result<K, KeyringError>,
    ) -> Result<Versions<K>, KeyringError> {
        let ((active, material), others) = self.take(purpose)?;
        let mut older = BTreeMap::new();
        for (header, material) in others {
            let version = header.id.version;
            let key = match header.state {
                KeyState::Active | KeyState::Retiring | KeyState::Grace { .. } => {
                    Older::Retiring(make(version, &material)?)
                }
                KeyState::Destroyed { .. } => Older::Destroyed,
            };
            older.insert(version, key);
        }
        let version = active.id.version;
        Ok(Versions::new(
            purpose,
            (version, make(version, &material)?),
            older,
        ))
    }
}
