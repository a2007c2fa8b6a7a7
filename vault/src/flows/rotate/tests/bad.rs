//! Bad records: each is named with an error of its own, none stops the others, and while one is left the old key stays.

use super::*;
use crate::audit::event::{Event, Operation, Outcome};

/// Changes a value on the disk.
async fn damage(stage: &Stage, tree: Tree, key: &[u8], change: impl FnOnce(&mut Vec<u8>) + Send + 'static) {
    let key = key.to_vec();
    let store = &stage.vault.surroundings.store;
    let damaged = store.commit(move |txn| {
        let mut value = txn.get(tree, &key)?.unwrap();
        change(&mut value);
        txn.put(tree, &key, value)
    });
    damaged.await.unwrap().unwrap();
}

async fn remove(stage: &Stage, tree: Tree, key: &[u8]) {
    let key = key.to_vec();
    let store = &stage.vault.surroundings.store;
    store
        .commit(move |txn| txn.delete(tree, &key))
        .await
        .unwrap()
        .unwrap();
}

/// The codes of the corrupt records that were written down.
fn codes(vault: &OpenVault) -> Vec<String> {
    let mut codes = Vec::new();
    vault
        .log(|log| {
            for index in 0..log.size()? {
                let event: Event = log.event(index)?;
                if let (Operation::CorruptRecord, Outcome::Refused { code, .. }) =
                    (event.operation, event.outcome)
                {
                    codes.push(code);
                }
            }
            Ok(())
        })
        .unwrap();
    codes
}

#[tokio::test]
async fn a_corrupt_record_and_an_unknown_version_are_told_apart_and_stop_nothing() {
    let stage = Stage::new().await;
    let cards = cards(&stage, 4).await;
    let key = |index: usize| cards[index].0.as_str().as_bytes().to_vec();
    damage(&stage, Tree::DataKeys, &key(0), |value| {
        *value.last_mut().unwrap() ^= 1
    })
    .await;
    damage(&stage, Tree::DataKeys, &key(1), |value| value[4] = 99).await;
    let job = rotate(&stage, Rotation::CardKek).await;
    assert_eq!(job.state, JobState::Failed, "{job:?}");
    assert_eq!((job.progress.done, job.progress.failed), (2, 2));
    for index in [0, 1] {
        let named = job
            .failures
            .iter()
            .filter(|text| text.contains(cards[index].0.as_str()));
        assert_eq!(named.count(), 1, "{:?}", job.failures);
    }
    assert!(job.failures.last().unwrap().contains("stays retiring"));
    let mut written = codes(&stage.vault);
    written.sort();
    assert_eq!(written, ["KEY_VERSION_UNKNOWN", "RECORD_CORRUPT"]);
    assert!(matches!(
        content(&stage.vault, &cards[0].0),
        Err(Error::Corrupt(_))
    ));
    assert!(matches!(
        content(&stage.vault, &cards[1].0),
        Err(Error::UnknownKeyVersion(_))
    ));
    let keyring = stage.vault.keyring();
    let states: Vec<KeyState> = keyring
        .versions(KeyPurpose::CardKek)
        .map(|header| header.state)
        .collect();
    assert_eq!(
        states,
        [KeyState::Retiring, KeyState::Active],
        "the old version is not destroyed"
    );
    assert_eq!(keyring.epoch(), 1);
    every_card_opens(&stage.vault, &cards[2..]);

    // Once the bad ones are gone, the next run takes all versions along.
    for index in [0, 1] {
        remove(&stage, Tree::DataKeys, &key(index)).await;
    }
    let job = rotate(&stage, Rotation::CardKek).await;
    assert_eq!(job.state, JobState::Done, "{job:?}");
    only_the_active_is_left(&stage.vault, KeyPurpose::CardKek);
    every_card_opens(&stage.vault, &cards[2..]);
}

#[tokio::test]
async fn each_rotation_goes_past_a_corrupt_record() {
    for (rotation, tree) in [
        (Rotation::DataKeys, Tree::DataKeys),
        (Rotation::Records, Tree::Cards),
        (Rotation::Fingerprint, Tree::Fingerprints),
    ] {
        let stage = Stage::new().await;
        let cards = cards(&stage, 3).await;
        let store = stage.vault.surroundings.store.clone();
        let (key, _) = store.scan(tree, b"", Bound::Unbounded, 1).unwrap().remove(0);
        damage(&stage, tree, &key, |value| *value.last_mut().unwrap() ^= 1).await;
        let job = rotate(&stage, rotation.clone()).await;
        assert_eq!(
            (job.state, job.progress.failed),
            (JobState::Failed, 1),
            "{rotation:?}: {job:?}"
        );
        let opened = cards
            .iter()
            .filter(|(token, _)| content(&stage.vault, token).is_ok());
        let expected = if tree == Tree::Fingerprints { 3 } else { 2 };
        assert_eq!(opened.count(), expected, "{rotation:?}");
        remove(&stage, tree, &key).await;
        let job = rotate(&stage, rotation.clone()).await;
        assert_eq!(job.state, JobState::Done, "{rotation:?}: {job:?}");
        only_the_active_is_left(&stage.vault, purpose(&rotation));
    }
}

#[tokio::test]
async fn a_used_up_key_refuses_and_is_helped_by_a_rotation() {
    let stage = Stage::new().await;
    let cards = cards(&stage, 1).await;
    let keyring = stage.vault.keyring();
    let id = keyring.versions(KeyPurpose::CardKek).next().unwrap().id;
    keyring.uses().begin_at(id, keyring.uses().limit());
    let card = stage.vault.card_alone(&cards[0].0).unwrap().record;
    let refused = crate::flows::secrets::CardSecrets::create(&keyring, &card.program, &card.token);
    assert!(matches!(refused.map(drop), Err(Error::KeyUsedUp(_))));
    assert_eq!(rotate(&stage, Rotation::CardKek).await.state, JobState::Done);
    let keyring = stage.vault.keyring();
    crate::flows::secrets::CardSecrets::create(&keyring, &card.program, &card.token).unwrap();

    let id = keyring.versions(KeyPurpose::Records).next().unwrap().id;
    keyring.uses().begin_at(id, keyring.uses().limit());
    let refused = stage
        .vault
        .commit(stage.event(Operation::Issue), |_, _| Ok(()))
        .await;
    assert!(matches!(refused, Err(Error::KeyUsedUp(_))));
    assert_eq!(
        rotate(&stage, Rotation::Records).await.state,
        JobState::Done,
        "officers can still end that"
    );
    stage
        .vault
        .commit(stage.event(Operation::Issue), |_, _| Ok(()))
        .await
        .unwrap();
}
