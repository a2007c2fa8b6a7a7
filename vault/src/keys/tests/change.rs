//! What changes in the keyring: a change of epoch survives a crash at every step, an earlier copy of the keyring stays
//! closed, and what was destroyed is gone.

use super::*;
use crate::keys::epoch::EpochSecrets;
use crate::keys::escrow;
use crate::keys::handover::NextEpoch;

/// A keyring at a start.
fn opened(vault: &Vault, secrets: &EpochSecrets) -> Result<Keyring, KeyringError> {
    Keyring::open(
        DEVELOPMENT,
        vault.root(),
        secrets,
        &vault.store,
        0,
        SystemRandom::new(),
    )
}

async fn wrap_under(vault: &Vault, keyring: &Arc<Keyring>, next: NextEpoch) {
    let keyring = Arc::clone(keyring);
    let replaced = vault
        .store
        .commit(move |txn| keyring.replace_epoch(txn, &next, 7));
    replaced.await.unwrap().unwrap();
}

/// Puts the keyring's records back as they were.
async fn put_back(vault: &Vault, entries: Vec<Entry>) {
    let now = vault.entries(Tree::Keks);
    let put = vault.store.commit(move |txn| {
        for (key, _) in &now {
            txn.delete(Tree::Keks, key)?;
        }
        entries
            .into_iter()
            .try_for_each(|(key, value)| txn.put(Tree::Keks, &key, value))
    });
    put.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_new_epoch_closes_the_earlier_keyring_to_all_but_the_secret_of_its_time() {
    let vault = Vault::new().await;
    let keyring = Arc::new(vault.unlock().unwrap());
    let sealed = keyring.seal_record(Tree::Cards, b"a", b"content").unwrap();
    let (earlier, then) = (vault.entries(Tree::Keks), vault.epoch.load().unwrap());
    let next = keyring.prepare_epoch(None, false).unwrap();
    wrap_under(&vault, &keyring, next).await;
    let after = keyring.reopen(&vault.store, 8).unwrap();
    assert_eq!(after.epoch(), 2);
    assert_eq!(
        **after.open_record(Tree::Cards, b"a", &sealed).unwrap(),
        *b"content"
    );
    let today = vault.epoch.load().unwrap();
    assert_eq!(today.secrets.len(), 1, "the former secret is dropped");
    // A start finds the same, with the handover and without it.
    opened(&vault, &today).unwrap();
    vault
        .store
        .commit(move |txn| after.drop_handover(txn))
        .await
        .unwrap()
        .unwrap();
    opened(&vault, &today).unwrap();
    let last = vault.entries(Tree::Keks);
    let closed = opened(&vault, &then);
    assert!(matches!(
        closed,
        Err(KeyringError::Wrapped(WrappedKeyError::OtherEpoch {
            needed: 2,
            given: 1
        }))
    ));

    put_back(&vault, earlier).await;
    let closed = opened(&vault, &today);
    assert!(matches!(
        closed,
        Err(KeyringError::Wrapped(WrappedKeyError::OtherEpoch {
            needed: 1,
            given: 2
        }))
    ));
    opened(&vault, &then).expect("the control: with the secret of its time it opens");
    put_back(&vault, last).await;
}

#[tokio::test]
async fn a_change_of_epoch_goes_on_after_a_crash_at_each_step() {
    let vault = Vault::new().await;
    let mut keyring = Arc::new(vault.unlock().unwrap());
    // Prepared, and no more: the next start drops what was prepared.
    drop(keyring.prepare_epoch(None, false).unwrap());
    assert_eq!(vault.epoch.load().unwrap().secrets.len(), 2);
    keyring = Arc::new(vault.unlock().unwrap());
    assert_eq!(
        (keyring.epoch(), vault.epoch.load().unwrap().secrets.len()),
        (1, 1)
    );
    // Committed, and no more: the next start drops the former secret.
    let next = keyring.prepare_epoch(None, false).unwrap();
    wrap_under(&vault, &keyring, next).await;
    assert_eq!(vault.epoch.load().unwrap().secrets.len(), 2);
    keyring = Arc::new(vault.unlock().unwrap());
    assert_eq!(
        (keyring.epoch(), vault.epoch.load().unwrap().secrets.len()),
        (2, 1)
    );
    // A keyring from before the change changes nothing.
    let stale = Arc::clone(&keyring);
    for expected in [3, 4] {
        let next = keyring.prepare_epoch(None, false).unwrap();
        wrap_under(&vault, &keyring, next).await;
        keyring = Arc::new(keyring.reopen(&vault.store, 9).unwrap());
        assert_eq!(keyring.epoch(), expected);
    }
    let renewed = vault
        .store
        .commit(move |txn| stale.renew(txn, KeyPurpose::Records, 9));
    assert!(renewed.await.unwrap().is_err());
}

#[tokio::test]
async fn a_process_with_files_of_its_own_is_handed_the_next_secret() {
    let vault = Vault::new().await;
    let paths = vec![vault.directory.path().join("other")];
    std::fs::copy(&vault.epoch.paths()[0], &paths[0]).unwrap();
    let own = EpochFiles::new(paths, &vault.directory.path().join("store")).unwrap();
    let other = opened(&vault, &own.load().unwrap()).unwrap();
    let keyring = Arc::new(vault.unlock().unwrap());
    let next = keyring.prepare_epoch(None, false).unwrap();
    wrap_under(&vault, &keyring, next).await;
    // While it runs, and at a start.
    assert_eq!(other.reopen(&vault.store, 8).unwrap().epoch(), 2);
    assert_eq!(own.load().unwrap().secrets.len(), 1);
    assert_eq!(opened(&vault, &own.load().unwrap()).unwrap().epoch(), 2);
    assert_eq!(
        own.load().unwrap().secrets,
        vault
            .epoch
            .load()
            .unwrap()
            .secrets
            .into_iter()
            .filter(|secret| secret.number() == 2)
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_root_key_changes_with_the_epoch_and_takes_escrows_along() {
    let vault = Vault::new().await;
    let keyring = Arc::new(vault.unlock().unwrap());
    let sealed = keyring.seal_record(Tree::Cards, b"a", b"content").unwrap();
    let first = keyring.prepare_epoch(None, true).unwrap();
    wrap_under(&vault, &keyring, first).await;
    let keyring = Arc::new(keyring.reopen(&vault.store, 8).unwrap());
    let old_root = vault.root();
    assert_eq!(
        escrow::open(&vault.epoch, 1, &old_root, DEVELOPMENT)
            .unwrap()
            .number(),
        1
    );
    let root = RootKey::generate(DEVELOPMENT, &SystemRandom::new()).unwrap();
    let again = key_of(&root);
    let next = keyring.prepare_epoch(Some(root), false).unwrap();
    wrap_under(&vault, &keyring, next).await;
    let after = keyring.reopen(&vault.store, 8).unwrap();
    assert_eq!(after.epoch(), 3);
    assert_eq!(
        **after.open_record(Tree::Cards, b"a", &sealed).unwrap(),
        *b"content"
    );
    assert!(
        escrow::open(&vault.epoch, 1, &old_root, DEVELOPMENT).is_err(),
        "the former root opens no escrow"
    );
    escrow::open(&vault.epoch, 1, &again, DEVELOPMENT).unwrap();
    escrow::destroy(&vault.epoch, 1).unwrap();
    assert!(escrow::open(&vault.epoch, 1, &again, DEVELOPMENT).is_err());
}

fn key_of(root: &RootKey) -> RootKey {
    RootKey::from_slot(DEVELOPMENT, root.expose()).unwrap()
}

#[tokio::test]
async fn a_destroyed_version_is_named_and_its_material_is_gone() {
    let vault = Vault::new().await;
    let keyring = Arc::new(vault.unlock().unwrap());
    let sealed = keyring.seal_record(Tree::Cards, b"a", b"content").unwrap();
    let ring = Arc::clone(&keyring);
    let renewed = vault
        .store
        .commit(move |txn| ring.renew(txn, KeyPurpose::Records, 5));
    let renewed = renewed.await.unwrap().unwrap();
    assert_eq!((renewed.from, renewed.to), (1, 2));
    let ring = Arc::clone(&keyring);
    let again = vault
        .store
        .commit(move |txn| ring.renew(txn, KeyPurpose::Records, 5));
    assert!(
        matches!(
            again.await.unwrap(),
            Err(KeyringError::NotOneActive(KeyPurpose::Records, 0))
        ),
        "a ring from before"
    );
    let keyring = Arc::new(keyring.reopen(&vault.store, 6).unwrap());
    keyring.open_record(Tree::Cards, b"a", &sealed).unwrap();
    let ring = Arc::clone(&keyring);
    let destroyed = vault
        .store
        .commit(move |txn| ring.destroy_retiring(txn, KeyPurpose::Records, 6));
    assert_eq!(destroyed.await.unwrap().unwrap(), [1]);
    let keyring = keyring.reopen(&vault.store, 6).unwrap();
    let opened = keyring.open_record(Tree::Cards, b"a", &sealed);
    assert!(matches!(
        opened,
        Err(KeyringError::Version(VersionError::Destroyed(_)))
    ));
    let (_, record) = vault
        .entries(Tree::Keks)
        .into_iter()
        .find(|(key, _)| {
            *key == KeyId {
                purpose: KeyPurpose::Records,
                version: 1,
            }
            .store_key()
        })
        .unwrap();
    let root = vault.root();
    let wrapping = root
        .wrapping_key(DEVELOPMENT, &vault.epoch.load().unwrap().secrets[0])
        .unwrap();
    let id = KeyId {
        purpose: KeyPurpose::Records,
        version: 1,
    };
    let (header, material) = KeyHeader::unwrap(&id.store_key(), &record, &wrapping).unwrap();
    assert_eq!(header.state, KeyState::Destroyed { at: 6 });
    assert!(material.is_empty());
}

#[tokio::test]
async fn a_replaced_audit_key_signs_until_its_grace_time_ends() {
    let vault = Vault::new().await;
    let keyring = Arc::new(vault.unlock().unwrap());
    let former = keyring.audit_key().public_key().to_vec();
    let ring = Arc::clone(&keyring);
    let new = vault.store.commit(move |txn| ring.replace_audit_key(txn, 10, 5));
    let new = new.await.unwrap().unwrap();
    let keyring = Arc::new(keyring.reopen(&vault.store, 11).unwrap());
    assert_eq!(keyring.audit_key().public_key(), new.public_key());
    let formers: Vec<Vec<u8>> = keyring
        .audit_keys()
        .skip(1)
        .map(|key| key.public_key().to_vec())
        .collect();
    assert_eq!(formers, [former]);
    let ring = Arc::clone(&keyring);
    let ended = vault
        .store
        .commit(move |txn| ring.end_grace(txn, KeyPurpose::Audit, 15));
    assert_eq!(ended.await.unwrap().unwrap(), [1]);
    assert_eq!(
        keyring
            .reopen(&vault.store, 15)
            .unwrap()
            .audit_keys()
            .skip(1)
            .count(),
        0
    );
}
