//! The hierarchy as a whole, on a real store: made by the ceremony, opened by its shares, and by nothing less.

mod ceremony;
mod change;
mod prints;

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use ring::rand::SystemRandom;
use shared::clock::Clock;
use shared::ids::{CardToken, ProgramName};
use shared::jwe::{AlgPolicy, CompactJwe, RsaKeySize, Sealer};
use shared::mtls::peer::SpkiThumbprint;
use tempfile::TempDir;

use super::ceremony::{CeremonyError, initialise};
use super::data_key::{Field, WrappedDataKey};
use super::epoch::{EpochFiles, EpochSecret};
use super::header::{KeyHeader, KeyId, KeyPurpose, KeyState, WrappedKeyError};
use super::jwe_keys::NewJweKey;
use super::keyring::{Keyring, KeyringError};
use super::root::{KeyMemoryError, RootKey, WrappingKey};
use super::slot::make::RootKeeping;
use super::slot::shamir::NewCustodian;
use super::slot::share::ShareText;
use super::slot::unlock::{Progress, UnlockSession};
use super::slot::{self, SlotError};
use super::versions::VersionError;
use crate::crypto::CryptoError;
use crate::environment::Environment;
use crate::store::{Entry, Store, StoreOptions, Tree};

const DEVELOPMENT: Environment = Environment::Development;
const REFUSED: KeyMemoryError = KeyMemoryError::Crypto(CryptoError::Refused);

fn custodian(number: u8) -> NewCustodian {
    use base64::Engine as _;
    let key = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([number; 32]);
    let key: SpkiThumbprint = key.parse().unwrap();
    NewCustodian {
        identity: format!("spiffe://tessera/officer/o{number}").parse().unwrap(),
        key,
    }
}

fn jwe_key() -> NewJweKey {
    NewJweKey::generate(RsaKeySize::Bits2048).unwrap()
}

fn open_store(directory: &Path) -> Store {
    Store::open(&StoreOptions {
        ballast_bytes: 0,
        free_floor_bytes: 0,
        ..StoreOptions::new(directory.join("store"))
    })
    .unwrap()
}

struct Vault {
    directory: TempDir,
    store: Store,
    epoch: EpochFiles,
    shares: Vec<ShareText>,
}

impl Vault {
    fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let paths = vec![directory.path().join("epoch-a"), directory.path().join("epoch-b")];
        let epoch = EpochFiles::new(paths, &directory.path().join("store")).unwrap();
        let store = open_store(directory.path());
        Self {
            directory,
            store,
            epoch,
            shares: Vec::new(),
        }
    }

    async fn new() -> Self {
        let mut vault = Self::empty();
        vault.shares = vault.initialise(&[custodians(2, 3)]).await.unwrap();
        vault
    }

    async fn initialise(&self, slots: &[RootKeeping]) -> Result<Vec<ShareText>, CeremonyError> {
        let (rng, jwe) = (SystemRandom::new(), jwe_key());
        let shares = initialise(
            &self.store,
            DEVELOPMENT,
            &self.epoch,
            slots,
            &jwe,
            &rng,
            &Clock::System,
        )
        .await?;
        Ok(shares.into_iter().map(|(_, text)| text).collect())
    }

    fn root(&self) -> RootKey {
        let slots = slot::load_all(&self.store).unwrap();
        let mut session = UnlockSession::new(DEVELOPMENT, slots, Clock::System);
        for number in [1, 3] {
            let NewCustodian { identity, key } = custodian(number);
            let share = &self.shares[usize::from(number) - 1];
            if let Progress::Complete(opened) = session.submit(&identity, &key, share).unwrap() {
                return opened.root;
            }
        }
        panic!("two shares of two open");
    }

    fn unlock(&self) -> Result<Keyring, KeyringError> {
        Keyring::open(
            DEVELOPMENT,
            self.root(),
            &self.epoch.load().unwrap(),
            &self.store,
            0,
            SystemRandom::new(),
        )
    }

    async fn overwrite(&self, tree: Tree, (key, value): Entry) {
        self.store
            .commit(move |txn| txn.put(tree, &key, value))
            .await
            .unwrap()
            .unwrap();
    }

    fn entries(&self, tree: Tree) -> Vec<Entry> {
        self.store.scan(tree, b"", Bound::Unbounded, 100).unwrap()
    }
}

fn custodians(threshold: u8, count: u8) -> RootKeeping {
    RootKeeping::Custodians {
        threshold,
        custodians: (1..=count).map(custodian).collect(),
    }
}

fn names() -> (ProgramName, CardToken) {
    (
        "demo-eur".parse().unwrap(),
        CardToken::from_random(&[1; 16]).unwrap(),
    )
}

#[tokio::test]
async fn what_was_sealed_before_a_restart_opens_after_it() {
    let vault = Vault::new().await;
    let (program, card) = names();
    let before = vault.unlock().unwrap();
    let record = before.seal_record(Tree::Cards, b"key", b"value").unwrap();
    let (data_key, wrapped) = before.new_data_key(&program, &card).unwrap();
    let pan = data_key.seal(Field::Pan, 1, b"9999000000000017").unwrap();
    let fingerprint = before.fingerprint(b"9999000000000017");
    drop((before, data_key));

    let Vault {
        directory,
        store,
        epoch,
        shares,
    } = vault;
    store.close().await;
    drop(store);
    let vault = Vault {
        store: open_store(directory.path()),
        directory,
        epoch,
        shares,
    };
    let after = vault.unlock().unwrap();
    assert_eq!(
        **after.open_record(Tree::Cards, b"key", &record).unwrap(),
        *b"value"
    );
    let data_key = after.unwrap_data_key(&program, &card, &wrapped).unwrap();
    assert_eq!(
        **data_key.open(Field::Pan, 1, &pan).unwrap(),
        *b"9999000000000017"
    );
    assert_eq!(after.fingerprint(b"9999000000000017"), fingerprint);
}

#[tokio::test]
async fn nothing_in_slots_or_keyring_can_be_changed_swapped_or_left_out() {
    let vault = Vault::new().await;
    let root = Arc::new(vault.root());
    let wrapping = Arc::new(
        root.wrapping_key(DEVELOPMENT, vault.epoch.load().unwrap().of(1).unwrap())
            .unwrap(),
    );
    let open = |entries: &[Entry]| {
        Keyring::unwrap(
            DEVELOPMENT,
            Arc::clone(&root),
            Arc::clone(&wrapping),
            entries,
            0,
            SystemRandom::new(),
        )
    };
    let entries = vault.entries(Tree::Keks);
    assert_eq!(entries.len(), 6);
    open(&entries).unwrap();
    for (position, (_, record)) in entries.iter().enumerate() {
        // Every byte of header and salt, and some of the longer material.
        for index in (0..record.len()).filter(|index| *index < 160 || index % 61 == 0) {
            let mut changed = entries.clone();
            changed[position].1[index] ^= 1;
            assert!(open(&changed).is_err(), "entry {position} byte {index}");
        }
        let mut missing = entries.clone();
        missing.remove(position);
        assert!(matches!(open(&missing), Err(KeyringError::NotOneActive(_, 0))));
        let mut swapped = entries.clone();
        swapped[position]
            .1
            .clone_from(&entries[(position + 1) % entries.len()].1);
        assert!(matches!(
            open(&swapped),
            Err(KeyringError::Wrapped(WrappedKeyError::Malformed))
        ));
    }
    // Through the front door too: a slot changed on the disk.
    let mut slot = vault.entries(Tree::Slots).remove(0);
    let last = slot.1.len() - 10;
    let root = vault.root();
    slot.1[last] = if slot.1[last] == b'A' { b'B' } else { b'A' };
    vault.overwrite(Tree::Slots, slot).await;
    let epoch = vault.epoch.load().unwrap();
    let opened = Keyring::open(DEVELOPMENT, root, &epoch, &vault.store, 0, SystemRandom::new());
    assert!(matches!(opened, Err(KeyringError::Slot(SlotError::Changed(_)))));
}

/// A keyring with card KEK 1 destroyed, 2 retiring, 3 active, and root and wrapping key of it.
fn with_versions() -> (Vec<Entry>, Arc<RootKey>, Arc<WrappingKey>) {
    let rng = SystemRandom::new();
    let epoch = EpochSecret::first(&rng).unwrap();
    let root = RootKey::generate(DEVELOPMENT, &rng).unwrap();
    let wrapping = root.wrapping_key(DEVELOPMENT, &epoch).unwrap();
    let mut entries = Keyring::create(&wrapping, &jwe_key(), 1, &rng).unwrap();
    let purpose = KeyPurpose::CardKek;
    entries.retain(|(key, _)| *key != KeyId { purpose, version: 1 }.store_key());
    let keys: [(u32, KeyState, &[u8]); 3] = [
        (1, KeyState::Destroyed { at: 9 }, &[]),
        (2, KeyState::Retiring, &[2; 32]),
        (3, KeyState::Active, &[3; 32]),
    ];
    for (version, state, material) in keys {
        let id = KeyId { purpose, version };
        let record = KeyHeader {
            id,
            created_at: 1,
            state,
        }
        .wrap(material, &wrapping, &rng)
        .unwrap();
        entries.push((id.store_key(), record));
    }
    (entries, Arc::new(root), Arc::new(wrapping))
}

#[test]
fn each_key_version_is_looked_up_by_its_number() {
    let (entries, root, wrapping) = with_versions();
    let rng = SystemRandom::new();
    let open = |entries: &[Entry]| {
        let (root, wrapping) = (Arc::clone(&root), Arc::clone(&wrapping));
        Keyring::unwrap(DEVELOPMENT, root, wrapping, entries, 0, rng.clone())
    };
    let keyring = open(&entries).unwrap();
    let (program, card) = names();
    let (_, wrapped) = keyring.new_data_key(&program, &card).unwrap();
    assert_eq!(
        (wrapped.kek_version().unwrap(), keyring.active_card_kek()),
        (3, 3)
    );

    // A data key that version 2 wrapped when it was active.
    let then = super::kek::CardKek::new(
        DEVELOPMENT,
        2,
        super::root::key_from(DEVELOPMENT, &[2; 32]).unwrap(),
    );
    let old = WrappedDataKey::from_bytes(then.wrap(&program, &card, &[7; 36], &rng).unwrap());
    keyring.unwrap_data_key(&program, &card, &old).unwrap();

    let relabelled = |version: u8| {
        let mut bytes = wrapped.as_bytes().to_vec();
        bytes[4] = version;
        keyring
            .unwrap_data_key(&program, &card, &WrappedDataKey::from_bytes(bytes))
            .unwrap_err()
    };
    let id = |version| KeyId {
        purpose: KeyPurpose::CardKek,
        version,
    };
    assert!(matches!(relabelled(1), KeyringError::Version(VersionError::Destroyed(key)) if key == id(1)));
    assert!(matches!(relabelled(2), KeyringError::Key(REFUSED)));
    assert!(matches!(relabelled(4), KeyringError::Version(VersionError::Unknown(key)) if key == id(4)));
    assert_eq!(
        relabelled(4).to_string(),
        "the keyring has no key card-kek version 4"
    );

    let mut two_active = entries;
    let header = KeyHeader {
        id: id(5),
        created_at: 1,
        state: KeyState::Active,
    };
    two_active.push((id(5).store_key(), header.wrap(&[5; 32], &wrapping, &rng).unwrap()));
    assert!(matches!(
        open(&two_active),
        Err(KeyringError::NotOneActive(KeyPurpose::CardKek, 2))
    ));
}

#[test]
fn a_keyring_of_another_epoch_says_so() {
    let (entries, _, wrapping) = with_versions();
    // The epoch number stands behind the header, after the format byte.
    let mut record = entries[0].1.clone();
    let at = 2 + usize::from(u16::from_be_bytes([record[0], record[1]])) + 1;
    record[at..at + 4].copy_from_slice(&2u32.to_be_bytes());
    let error = KeyHeader::unwrap(&entries[0].0, &record, &wrapping).unwrap_err();
    assert_eq!(error, WrappedKeyError::OtherEpoch { needed: 2, given: 1 });
}

#[tokio::test]
async fn a_data_key_serves_its_own_card_and_a_field_its_own_version() {
    let vault = Vault::new().await;
    let keyring = vault.unlock().unwrap();
    let (program, card) = names();
    let (other_program, other_card) = (
        "demo-usd".parse().unwrap(),
        CardToken::from_random(&[2; 16]).unwrap(),
    );
    let (data_key, wrapped) = keyring.new_data_key(&program, &card).unwrap();
    for (program, card) in [(&other_program, &card), (&program, &other_card)] {
        let unwrapped = keyring.unwrap_data_key(program, card, &wrapped);
        assert!(matches!(unwrapped, Err(KeyringError::Key(REFUSED))));
    }
    for index in 0..wrapped.as_bytes().len() {
        let mut changed = wrapped.as_bytes().to_vec();
        changed[index] ^= 1;
        let changed = WrappedDataKey::from_bytes(changed);
        assert!(
            keyring.unwrap_data_key(&program, &card, &changed).is_err(),
            "byte {index}"
        );
    }
    let cvv = data_key.seal(Field::Cvv, 2, b"123").unwrap();
    assert_eq!(**data_key.open(Field::Cvv, 2, &cvv).unwrap(), *b"123");
    assert_eq!(
        data_key.open(Field::Cvv, 1, &cvv),
        Err(CryptoError::Refused),
        "an earlier CVV"
    );
    assert_eq!(data_key.open(Field::Pin, 2, &cvv), Err(CryptoError::Refused));
    let (second_key, _) = keyring.new_data_key(&program, &card).unwrap();
    assert_eq!(second_key.open(Field::Cvv, 2, &cvv), Err(CryptoError::Refused));
    assert!(format!("{data_key:?}").contains("key: SecretBytes"));
}

#[tokio::test]
async fn a_record_opens_under_its_own_tree_and_key() {
    let vault = Vault::new().await;
    let keyring = vault.unlock().unwrap();
    let sealed = keyring.seal_record(Tree::Cards, b"a", b"value").unwrap();
    assert!(!sealed.windows(5).any(|window| window == b"value"));
    for (tree, key) in [
        (Tree::Cards, &b"b"[..]),
        (Tree::Holders, b"a"),
        (Tree::Cards, b""),
    ] {
        assert!(matches!(
            keyring.open_record(tree, key, &sealed),
            Err(KeyringError::Key(REFUSED))
        ));
    }
    let malformed = keyring.open_record(Tree::Cards, b"a", b"");
    assert!(matches!(
        malformed,
        Err(KeyringError::Key(KeyMemoryError::Crypto(CryptoError::Malformed)))
    ));
    let mut unknown = sealed;
    unknown[1] = 1;
    let unknown = keyring.open_record(Tree::Cards, b"a", &unknown);
    assert!(matches!(
        unknown,
        Err(KeyringError::Version(VersionError::Unknown(_)))
    ));
}

#[tokio::test]
async fn a_replaced_jwe_key_opens_until_its_grace_time_ends() {
    let vault = Vault::new().await;
    let keyring = Arc::new(vault.unlock().unwrap());
    let old = keyring.jwe().public_keys().next().unwrap().clone();
    let sealed = Sealer::new(&old).unwrap().seal(b"{}").unwrap();
    let sealed = CompactJwe::parse(&sealed, AlgPolicy::Sha256Only).unwrap();
    assert_eq!(
        (keyring.jwe().public_keys().count(), keyring.jwe().grace_ends()),
        (1, None)
    );

    let replace = || {
        let (keyring, new) = (Arc::clone(&keyring), jwe_key());
        vault
            .store
            .commit(move |txn| keyring.replace_jwe_key(txn, &new, 1000, 500))
    };
    replace().await.unwrap().unwrap();
    assert!(
        matches!(
            replace().await.unwrap(),
            Err(KeyringError::NotOneActive(KeyPurpose::Jwe, 0))
        ),
        "a keyring from before the replacement does not replace again"
    );
    let during = keyring.reopen(&vault.store, 1499).unwrap();
    assert_eq!(
        (during.jwe().public_keys().count(), during.jwe().grace_ends()),
        (2, Some(1500))
    );
    assert_ne!(
        during.jwe().public_keys().next().unwrap().thumbprint(),
        old.thumbprint(),
        "the new one is first"
    );
    assert_eq!(**during.jwe().opener().open(&sealed).unwrap(), *b"{}");
    let after = keyring.reopen(&vault.store, 1500).unwrap();
    assert_eq!(
        (after.jwe().public_keys().count(), after.jwe().grace_ends()),
        (1, None)
    );
    assert!(after.jwe().opener().open(&sealed).is_err());
}

#[tokio::test]
async fn the_keyring_prints_no_key() {
    let vault = Vault::new().await;
    let keyring = vault.unlock().unwrap();
    let text = format!("{keyring:?}{:?}", jwe_key());
    assert_eq!(
        text.matches("LockedBytes").count(),
        5,
        "root key, wrapping key, card KEK, records key, fingerprint key"
    );
    assert!(text.contains("NewJweKey"), "{text}");
    assert!(text.len() < 3000, "no room for key material: {}", text.len());
    let purposes: Vec<KeyPurpose> = keyring.headers().iter().map(|header| header.id.purpose).collect();
    assert_eq!(
        purposes.len(),
        KeyPurpose::ALL.len() - 1,
        "every key but the next root key"
    );
}
