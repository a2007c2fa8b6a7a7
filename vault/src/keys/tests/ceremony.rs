//! The ceremony: it makes one vault or leaves nothing behind.

use ring::rand::SystemRandom;
use shared::clock::Clock;

use super::{DEVELOPMENT, Vault, custodians, jwe_key};
use crate::environment::Environment;
use crate::keys::ceremony::{self, CeremonyError};
use crate::keys::epoch::{EpochError, EpochFiles, EpochSecret, EpochSecrets};
use crate::keys::header::WrappedKeyError;
use crate::keys::keyring::{Keyring, KeyringError};
use crate::keys::root::RootKey;
use crate::keys::slot::SlotError;
use crate::keys::slot::make::{MakeError, RootKeeping};
use crate::store::Tree;

#[tokio::test]
async fn a_store_is_initialised_once_and_loses_nothing_by_a_second_try() {
    let vault = Vault::new().await;
    let epoch = vault.epoch.load().unwrap();
    let again = vault.initialise(&[custodians(2, 3)]).await;
    assert!(matches!(again, Err(CeremonyError::AlreadyInitialised)));
    assert_eq!(vault.epoch.load().unwrap(), epoch);
    vault.unlock().unwrap();
}

#[tokio::test]
async fn of_two_ceremonies_at_once_one_makes_the_vault() {
    let vault = Vault::empty();
    let other_path = vault.directory.path().join("epoch-c");
    let other_epoch =
        EpochFiles::new(vec![other_path.clone()], &vault.directory.path().join("store")).unwrap();
    let (rng, jwe, slots) = (SystemRandom::new(), jwe_key(), [custodians(2, 3)]);
    let ceremony = |epoch| {
        ceremony::initialise(
            &vault.store,
            DEVELOPMENT,
            epoch,
            &slots,
            &jwe,
            &rng,
            &Clock::System,
        )
    };
    let (first, second) = tokio::join!(ceremony(&vault.epoch), ceremony(&other_epoch));
    assert_eq!(first.unwrap().len(), 3);
    assert!(matches!(second, Err(CeremonyError::AlreadyInitialised)));
    assert!(!other_path.exists());
    assert_eq!(vault.entries(Tree::Slots).len(), 1);
}

#[tokio::test]
async fn a_ceremony_that_fails_leaves_nothing_behind() {
    let vault = Vault::empty();
    assert!(matches!(vault.initialise(&[]).await, Err(CeremonyError::NoSlot)));
    let key_file = vault.directory.path().join("root.key");
    let slots = [RootKeeping::KeyFile(key_file.clone()), custodians(1, 3)];
    assert!(matches!(
        vault.initialise(&slots).await,
        Err(CeremonyError::Slot(MakeError::Custodians(_)))
    ));
    assert!(!key_file.exists());
    assert!(matches!(vault.epoch.load(), Err(EpochError::Missing)));
    assert!(vault.entries(Tree::Slots).is_empty() && vault.entries(Tree::Keks).is_empty());

    // An epoch file of another vault is never taken away.
    std::fs::write(&vault.epoch.paths()[0], b"precious").unwrap();
    assert!(matches!(
        vault.initialise(&[custodians(2, 3)]).await,
        Err(CeremonyError::Epoch(EpochError::Exists(_)))
    ));
    assert_eq!(std::fs::read(&vault.epoch.paths()[0]).unwrap(), b"precious");
    std::fs::remove_file(&vault.epoch.paths()[0]).unwrap();
    vault.initialise(&[custodians(2, 3)]).await.unwrap();
}

#[tokio::test]
async fn neither_shares_nor_epoch_secret_alone_open_the_keyring() {
    let vault = Vault::new().await;
    let rng = SystemRandom::new();
    let other_epoch = EpochSecrets {
        files: vault.epoch.clone(),
        secrets: vec![EpochSecret::first(&rng).unwrap()],
    };
    let opened = Keyring::open(
        DEVELOPMENT,
        vault.root(),
        &other_epoch,
        &vault.store,
        0,
        rng.clone(),
    );
    assert!(matches!(
        opened,
        Err(KeyringError::Wrapped(WrappedKeyError::Refused(_)))
    ));
    let other_root = RootKey::generate(DEVELOPMENT, &rng).unwrap();
    let epoch = vault.epoch.load().unwrap();
    let opened = Keyring::open(DEVELOPMENT, other_root, &epoch, &vault.store, 0, rng.clone());
    assert!(matches!(opened, Err(KeyringError::Slot(SlotError::Changed(_)))));
    let opened = Keyring::open(
        Environment::Production,
        vault.root(),
        &epoch,
        &vault.store,
        0,
        rng,
    );
    assert!(matches!(
        opened,
        Err(KeyringError::Wrapped(WrappedKeyError::Refused(_)))
    ));
}
