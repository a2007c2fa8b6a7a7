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
use super::data_key::{DataKey, FIRST_VERSION, WrappedDataKey};
use super::epoch::{EpochError, EpochFiles, EpochSecret, EpochSecrets};
use super::handover;
use super::header::{KeyHeader, KeyId, KeyPurpose, KeyState, WrappedKeyError};
use super::jwe_keys::{JweKeys, NewJweKey};
use super::kek::CardKek;
use super::records::RecordsKey;
use super::root::{KeyMemoryError, RootKey, WrappingKey, key_from};
use super::slot::{self, SlotError};
use super::uses::Uses;
use super::versions::{Older, VersionError, Versions};
use crate::crypto::CryptoError;
use crate::crypto::aead;
use crate::crypto::fingerprint::{FingerprintKey, PanFingerprint};
use crate::environment::Environment;
use crate::secret::SecretBytes;
use crate::store::{EngineError, Entry, Store, Tree, Txn, TxnError};

/// More keys than any life of rotations makes.
pub(super) const MAX_KEYS: usize = 10_000;

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
    /// The files of the epoch secret.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// A keyring that was made without epoch files cannot change its epoch.
    #[error("the keyring knows no epoch files")]
    NoEpochFiles,
    /// An epoch that was prepared without a new root key.
    #[error("there is no next root key")]
    NoNextRoot,
    /// A key has sealed as often as it may (SP 800-38D §8.3).
    #[error("{0} has sealed as often as it may")]
    UsedUp(KeyId),
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
    pub(super) environment: Environment,
    pub(super) root: Arc<RootKey>,
    pub(super) wrapping: Arc<WrappingKey>,
    card_keks: Versions<CardKek>,
    records: Versions<RecordsKey>,
    fingerprints: Versions<FingerprintKey>,
    jwe: JweKeys,
    audit: Versions<AuditKey>,
    pub(super) headers: Vec<KeyHeader>,
    /// Where the epoch secret is kept; none for a keyring that was made from entries alone.
    pub(super) epoch_files: Option<EpochFiles>,
    pub(super) uses: Arc<Uses>,
    pub(super) rng: SystemRandom,
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
            (KeyPurpose::Epoch, Zeroizing::default()),
        ];
        let wrap = |(purpose, material): &(KeyPurpose, Zeroizing<Vec<u8>>)| {
            let id = KeyId {
                purpose: *purpose,
                version: if *purpose == KeyPurpose::Epoch {
                    wrapping.epoch()
                } else {
                    1
                },
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
    /// in locked memory as long as the keyring: new slots and a new epoch need it. Where a change of epoch was cut short,
    /// it is brought to its end. `now` in Unix seconds decides which older JWE keys still open. Parses RSA keys, reads
    /// and writes files: call it off the async threads.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn open(
        environment: Environment,
        root: RootKey,
        epoch: &EpochSecrets,
        store: &Store,
        now: i64,
        rng: SystemRandom,
    ) -> Result<Self, KeyringError> {
        let entries = all(store, Tree::Keks)?;
        let found = handover::find(environment, &Arc::new(root), None, epoch, &entries)?;
        slot::verify_all(&found.root, &all(store, Tree::Slots)?)?;
        let wrapping = Arc::new(found.wrapping);
        let mut keyring = Self::unwrap(environment, found.root, wrapping, &entries, now, rng)?;
        keyring.epoch_files = Some(epoch.files.clone());
        keyring.settle_or_warn(&found.secret);
        Ok(keyring)
    }

    /// The keyring as the store has it now: after a key was replaced, or when a grace time ended. `now` in Unix seconds.
    /// May read and write the epoch files.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn reopen(&self, store: &Store, now: i64) -> Result<Self, KeyringError> {
        self.reopen_entries(&all(store, Tree::Keks)?, now)
    }

    /// The same, as a transaction sees the store.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn reopen_in(&self, txn: &mut Txn<'_>, now: i64) -> Result<Self, KeyringError> {
        let entries = txn.scan(Tree::Keks, b"", Bound::Unbounded, MAX_KEYS)?;
        self.reopen_entries(&entries, now)
    }

    fn reopen_entries(&self, entries: &[Entry], now: i64) -> Result<Self, KeyringError> {
        let first = entries.iter().find(|(key, _)| !handover::is_handover(key));
        let needed = first.map_or(Ok(self.epoch()), |(_, record)| KeyHeader::epoch_of(record))?;
        let (mut root, mut wrapping, mut secret) = (Arc::clone(&self.root), Arc::clone(&self.wrapping), None);
        if needed != self.epoch() {
            let files = self.epoch_files.as_ref().ok_or(KeyringError::NoEpochFiles)?;
            let present = Some(&*self.wrapping);
            let found = handover::find(self.environment, &self.root, present, &files.load()?, entries)?;
            (root, wrapping, secret) = (found.root, Arc::new(found.wrapping), Some(found.secret));
        }
        let rng = self.rng.clone();
        let mut keyring = Self::unwrap(self.environment, root, wrapping, entries, now, rng)?;
        keyring.epoch_files.clone_from(&self.epoch_files);
        keyring.uses = Arc::clone(&self.uses);
        if let Some(secret) = secret {
            keyring.settle_or_warn(&secret);
        }
        Ok(keyring)
    }

    fn settle_or_warn(&self, secret: &EpochSecret) {
        if let Err(error) = self.settle(secret) {
            tracing::error!(%error, "a former epoch secret is still in the epoch files; the next start tries again");
        }
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
        for (store_key, record) in entries.iter().filter(|(key, _)| !handover::is_handover(key)) {
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
        let ((epoch, _), _) = unwrapped.take(KeyPurpose::Epoch)?;
        if epoch.id.version != wrapping.epoch() {
            return Err(WrappedKeyError::Malformed.into());
        }
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
            uses: Arc::new(Uses::default()),
            epoch_files: None,
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
        self.uses.count(self.records_id());
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
        self.next_data_key(program, card, FIRST_VERSION)
    }

    /// A fresh data key that takes the place of a card's `former` one.
    ///
    /// # Errors
    /// [`CryptoError::Random`]; [`KeyringError::UsedUp`].
    pub fn renew_data_key(
        &self,
        former: &DataKey,
        program: &ProgramName,
        card: &CardToken,
    ) -> Result<(DataKey, WrappedDataKey), KeyringError> {
        self.next_data_key(program, card, former.version().saturating_add(1))
    }

    fn next_data_key(
        &self,
        program: &ProgramName,
        card: &CardToken,
        version: u32,
    ) -> Result<(DataKey, WrappedDataKey), KeyringError> {
        let key = SecretBytes::random(&self.rng).map_err(CryptoError::from)?;
        let data_key = DataKey::new(self.environment, program, card, version, key, self.rng.clone());
        let wrapped = self.wrap_data_key(program, card, &data_key)?;
        Ok((data_key, wrapped))
    }

    /// Wraps a data key under the active KEK.
    ///
    /// # Errors
    /// [`CryptoError::Random`]; [`KeyringError::UsedUp`].
    pub fn wrap_data_key(
        &self,
        program: &ProgramName,
        card: &CardToken,
        data_key: &DataKey,
    ) -> Result<WrappedDataKey, KeyringError> {
        let id = KeyId {
            purpose: KeyPurpose::CardKek,
            version: self.card_keks.active_version(),
        };
        if self.uses.count(id) > self.uses.limit() {
            return Err(KeyringError::UsedUp(id));
        }
        let wrapped = self
            .card_keks
            .active()
            .wrap(program, card, &data_key.to_bytes(), &self.rng)?;
        Ok(WrappedDataKey::from_bytes(wrapped))
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
        let data_key = DataKey::from_bytes(self.environment, program, card, &key, self.rng.clone());
        Ok(data_key.ok_or(CryptoError::Malformed)?)
    }

    /// The version of the key that seals records.
    #[must_use]
    pub const fn active_records_key(&self) -> u32 {
        self.records.active_version()
    }

    const fn records_id(&self) -> KeyId {
        KeyId {
            purpose: KeyPurpose::Records,
            version: self.records.active_version(),
        }
    }

    /// How often keys have sealed.
    #[must_use]
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Whether the key of the records has sealed as often as it may.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.uses.of(self.records_id()) > self.uses.limit()
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

    /// Every audit key that can be used, the active one first. One that was replaced signs checkpoints too
    /// until its grace time ends, so that whoever knows it alone learns of the next.
    pub fn audit_keys(&self) -> impl Iterator<Item = &AuditKey> {
        self.audit.usable()
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
