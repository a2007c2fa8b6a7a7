//! Rotations over a whole vault: nothing refers to the old version, the old version is gone, every card still opens, and
//! the store as it was before stays closed to today's keys. (Invariant 5.)

mod at_once;
mod bad;
mod crash;
mod rate;
mod traffic;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use shared::ids::{CardToken, JobToken};
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::{Job, JobState, Rotation};

use crate::crypto::aead;
use crate::error::Error;
use crate::flows::tests::Stage;
use crate::keys::header::{KeyPurpose, KeyState};
use crate::open_vault::OpenVault;
use crate::store::{Store, Tree};
use crate::work::{list, run_to_end};

/// Every kind of rotation that moves something.
fn all() -> [Rotation; 4] {
    [
        Rotation::CardKek,
        Rotation::DataKeys,
        Rotation::Records,
        Rotation::Fingerprint,
    ]
}

fn purpose(rotation: &Rotation) -> KeyPurpose {
    match rotation {
        Rotation::Records => KeyPurpose::Records,
        Rotation::Fingerprint => KeyPurpose::Fingerprint,
        _ => KeyPurpose::CardKek,
    }
}

/// Two officers begin a rotation.
async fn begin(stage: &Stage, rotation: Rotation) -> JobToken {
    stage.agree(Proposal::Rotate(rotation)).await.unwrap();
    list(&stage.vault).unwrap().remove(0).id
}

async fn rotate(stage: &Stage, rotation: Rotation) -> Job {
    let id = begin(stage, rotation).await;
    run_to_end(&stage.vault, &id).await.unwrap()
}

/// What the store refers to, counted by an own walk over it: versions of KEK, records key and fingerprint key.
fn references(store: &Store, purpose: KeyPurpose) -> BTreeMap<u32, usize> {
    let mut found = BTreeMap::new();
    for tree in Tree::ALL {
        for (key, value) in store.scan(tree, b"", Bound::Unbounded, usize::MAX).unwrap() {
            let version = match (purpose, tree) {
                (_, Tree::Meta | Tree::Slots | Tree::Keks) => continue,
                (KeyPurpose::CardKek, Tree::DataKeys) => aead::key_version(&value).unwrap(),
                (KeyPurpose::Fingerprint, Tree::Fingerprints) => {
                    u32::from_be_bytes(key[..4].try_into().unwrap())
                }
                (KeyPurpose::Records, tree) if tree != Tree::DataKeys => aead::key_version(&value).unwrap(),
                _ => continue,
            };
            *found.entry(version).or_default() += 1;
        }
    }
    found
}

/// Zero references to anything but the active version, and everything else destroyed.
fn only_the_active_is_left(vault: &OpenVault, purpose: KeyPurpose) {
    let keyring = vault.keyring();
    let (active, others) = keyring
        .versions(purpose)
        .copied()
        .partition::<Vec<_>, _>(|header| header.state == KeyState::Active);
    assert_eq!(active.len(), 1);
    assert!(!others.is_empty());
    for other in others {
        assert!(matches!(other.state, KeyState::Destroyed { .. }), "{other:?}");
    }
    let references = references(&vault.surroundings.store, purpose);
    let versions: Vec<u32> = references.keys().copied().collect();
    assert_eq!(versions, [active[0].id.version], "{references:?}");
}

/// What a card holds.
#[derive(Debug, Clone, PartialEq)]
struct Content {
    pan: Vec<u8>,
    cvv: Vec<u8>,
    pin: Option<Vec<u8>>,
}

fn content(vault: &OpenVault, token: &CardToken) -> Result<Content, Error> {
    vault.unraced(|| {
        let card = vault.card_alone(token)?.record;
        let secrets = vault.secrets(&card)?;
        Ok(Content {
            pan: secrets.pan(&card)?.as_bytes().to_vec(),
            cvv: secrets.cvv(&card)?.expect("a code").as_bytes().to_vec(),
            pin: secrets.pin(&card)?.map(|pin| pin.as_bytes().to_vec()),
        })
    })
}

/// Every card opens, has what it had, and is found by its number.
fn every_card_opens(vault: &OpenVault, cards: &[(CardToken, Content)]) {
    for (token, was) in cards {
        assert_eq!(content(vault, token).unwrap(), *was);
        let pan = crate::domain::pan::Pan::parse(&was.pan).unwrap();
        assert_eq!(vault.card_of_pan(&pan).unwrap().as_ref(), Some(token));
    }
}

async fn cards(stage: &Stage, count: usize) -> Vec<(CardToken, Content)> {
    let phone = stage.phone().await;
    let mut cards = Vec::new();
    for _ in 0..count {
        let token = stage.card(&phone).await.token;
        let content = content(&stage.vault, &token).unwrap();
        cards.push((token, content));
    }
    cards
}

/// Copies the files of the store as they lie, while the vault is closed.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn each_rotation_leaves_one_version_that_opens_everything() {
    let stage = Stage::new().await;
    let cards = cards(&stage, 3).await;
    for rotation in all() {
        let epoch = stage.vault.keyring().epoch();
        let job = rotate(&stage, rotation.clone()).await;
        assert_eq!(job.state, JobState::Done, "{job:?}");
        assert_eq!(job.progress.failed, 0);
        only_the_active_is_left(&stage.vault, purpose(&rotation));
        every_card_opens(&stage.vault, &cards);
        assert_eq!(
            stage.vault.keyring().epoch(),
            epoch + 1,
            "{rotation:?} replaces the epoch"
        );
        let note = job.completion.unwrap();
        let key = crate::audit::checkpoint::verifier_key(
            stage.vault.keyring().audit_key(),
            &stage.vault.surroundings.origin,
        );
        let note = crate::audit::note::Note::parse(&note).unwrap();
        key.unwrap().verify(&note).unwrap();
        assert!(note.text().contains("references 0"), "{}", note.text());
    }
}

#[tokio::test]
async fn a_purge_replaces_kek_fingerprint_key_and_epoch() {
    let stage = Stage::new().await;
    let cards = cards(&stage, 2).await;
    let id = stage.vault.surroundings.random.job_token().unwrap();
    let new = crate::work::NewJob {
        id: id.clone(),
        work: crate::work::Work::Purge(super::Rotating::purge()),
        approval: None,
        begun_at: stage.vault.surroundings.clock.now(),
    };
    stage
        .vault
        .transact(move |tx| crate::work::begin(tx, new))
        .await
        .unwrap();
    let job = run_to_end(&stage.vault, &id).await.unwrap();
    assert_eq!(job.state, JobState::Done, "{job:?}");
    only_the_active_is_left(&stage.vault, KeyPurpose::CardKek);
    only_the_active_is_left(&stage.vault, KeyPurpose::Fingerprint);
    assert_eq!(stage.vault.keyring().epoch(), 2);
    every_card_opens(&stage.vault, &cards);
}

#[tokio::test]
async fn one_rotation_at_a_time_and_an_aborted_one_leaves_both_versions() {
    let stage = Stage::new().await;
    let cards = cards(&stage, 2).await;
    let id = begin(&stage, Rotation::CardKek).await;
    let second = stage.agree(Proposal::Rotate(Rotation::Records)).await;
    assert!(matches!(
        second,
        Err(Error::Conflict {
            code: "JOB_RUNNING",
            ..
        })
    ));
    let mut turn = crate::work::Turn::claim(&stage.vault, &id)
        .await
        .unwrap()
        .unwrap();
    super::step(&mut turn).await.unwrap();
    stage.agree(Proposal::AbortJob(id.clone())).await.unwrap();
    assert!(matches!(super::step(&mut turn).await, Err(Error::Raced)));
    let keyring = stage.vault.keyring();
    let states: Vec<KeyState> = keyring
        .versions(KeyPurpose::CardKek)
        .map(|header| header.state)
        .collect();
    assert_eq!(states, [KeyState::Retiring, KeyState::Active]);
    every_card_opens(&stage.vault, &cards);
    // The next one takes both along.
    assert_eq!(rotate(&stage, Rotation::CardKek).await.state, JobState::Done);
    only_the_active_is_left(&stage.vault, KeyPurpose::CardKek);
    every_card_opens(&stage.vault, &cards);
}

/// A store directory as it was, beside the vault that went on.
struct Earlier {
    directory: tempfile::TempDir,
}

impl Earlier {
    /// Locks the vault, copies store and epoch files, and opens it again.
    async fn of(stage: Stage) -> (Stage, Self) {
        let stage = stage.closed_for(|place| {
            let directory = tempfile::tempdir().unwrap();
            copy(&place.join("data"), &directory.path().join("data"));
            for epoch in ["epoch-1", "epoch-2"] {
                std::fs::copy(place.join(epoch), directory.path().join(epoch)).unwrap();
            }
            directory
        });
        let (stage, directory) = stage.await;
        (stage, Self { directory })
    }
}

#[tokio::test]
async fn an_earlier_copy_of_the_store_stays_closed_to_todays_keys() {
    for rotation in all() {
        let stage = Stage::new().await;
        let cards = cards(&stage, 1).await;
        let (stage, earlier) = Earlier::of(stage).await;
        let job = rotate(&stage, rotation.clone()).await;
        assert_eq!(job.state, JobState::Done, "{job:?}");
        every_card_opens(&stage.vault, &cards);

        let today = stage.config().epoch_files();
        let then: Vec<_> = today
            .iter()
            .map(|path| earlier.directory.path().join(path.file_name().unwrap()))
            .collect();
        let refused = stage
            .open_copy(&earlier.directory.path().join("data"), today.clone())
            .await;
        assert!(
            refused.is_err(),
            "{rotation:?}: today's epoch secret opened the earlier copy"
        );
        let opened = stage
            .open_copy(&earlier.directory.path().join("data"), then)
            .await;
        let opened = opened.expect("the control: the epoch secret of its time opens it");
        assert_eq!(content(&opened, &cards[0].0).unwrap(), cards[0].1);

        // The card of the copy with today's keyring: the key that it needs is gone.
        if rotation == Rotation::CardKek || rotation == Rotation::DataKeys {
            let card = opened.card_alone(&cards[0].0).unwrap().record;
            let wrapped = opened
                .surroundings
                .store
                .get(Tree::DataKeys, card.token.as_str().as_bytes());
            let wrapped = wrapped.unwrap().unwrap();
            let keyring = stage.vault.keyring();
            let opened = crate::flows::secrets::CardSecrets::unwrap(&keyring, &card, wrapped);
            assert!(matches!(opened.map(drop), Err(Error::UnknownKeyVersion(_))));
        }
    }
}
