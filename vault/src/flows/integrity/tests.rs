//! Bytes of stored records are flipped, through the store as a bad disk would: the check names each, and what else there is
//! goes on.

use std::ops::Bound;

use serde_json::Value;
use shared::jws::holder_proof::Op;
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::{Job, JobState};

use super::begin;
use crate::audit::event::{Event, Operation};
use crate::audit::log::{Durable, Log};
use crate::error::Error;
use crate::flows::lookup::{card_key, holder_key_key};
use crate::flows::tests::{Phone, Stage};
use crate::flows::{govern, pending_keys, reveal, sweep};
use crate::store::Tree;
use crate::work;

async fn check(stage: &Stage) -> Job {
    let event = stage.event(Operation::ChangeJob);
    let job = begin(&stage.vault, event, &stage.officer(0), &stage.key())
        .await
        .unwrap();
    work::run_to_end(&stage.vault, &job.id).await.unwrap()
}

/// Flips one bit in the middle of a value.
async fn flip(stage: &Stage, tree: Tree, key: &[u8]) {
    let key = key.to_vec();
    let flipped = stage.vault.surroundings.store.commit(move |txn| {
        let mut value = txn.get(tree, &key)?.unwrap();
        let middle = value.len() / 2;
        value[middle] ^= 1;
        txn.put(tree, &key, value)
    });
    flipped.await.unwrap().unwrap();
}

async fn delete(stage: &Stage, tree: Tree, key: &[u8]) {
    let key = key.to_vec();
    let deleted = stage
        .vault
        .surroundings
        .store
        .commit(move |txn| txn.delete(tree, &key));
    deleted.await.unwrap().unwrap();
}

fn keys_of(stage: &Stage, tree: Tree) -> Vec<Vec<u8>> {
    let entries = stage
        .vault
        .surroundings
        .store
        .scan(tree, b"", Bound::Unbounded, 1000);
    entries.unwrap().into_iter().map(|(key, _)| key).collect()
}

fn events(stage: &Stage, operation: Operation) -> Vec<Event> {
    let read = |log: &mut Log<Durable<'_>>| {
        let size = log.size()?;
        (0..size)
            .map(|index| log.event(index))
            .collect::<Result<Vec<_>, _>>()
    };
    let events = stage.vault.log(read).unwrap().into_iter();
    events.filter(|event| event.operation == operation).collect()
}

async fn reveal(stage: &Stage, phone: &Phone, card: &shared::ids::CardToken) -> Result<Value, Error> {
    let request = stage.proven(phone, Op::Reveal, card).await;
    let event = stage.event(Operation::Reveal);
    let (vault, card) = (&stage.vault, card.clone());
    let revealed = vault
        .audited(event, async |event| {
            reveal::reveal(vault, event, card, request).await
        })
        .await?;
    Ok(Value::String(revealed.payload))
}

#[tokio::test]
async fn a_sound_store_is_found_sound_and_counted() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    for _ in 0..3 {
        stage.card(&phone).await;
    }
    let job = check(&stage).await;
    assert_eq!((job.state, &job.failures), (JobState::Done, &Vec::new()));
    assert_eq!((job.progress.failed, job.progress.done), (0, job.progress.total));
    let table = job.completion.unwrap();
    for line in [
        "cards 3",
        "data_keys 3",
        "fingerprints 3",
        "holders 1",
        "holder_keys 1",
    ] {
        assert!(table.lines().any(|counted| counted == line), "{line} in {table}");
    }
}

#[tokio::test]
async fn each_corrupt_record_is_named_and_the_others_are_served() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    let (sound, card, key) = (
        stage.card(&phone).await,
        stage.card(&phone).await,
        stage.card(&phone).await,
    );
    flip(&stage, Tree::Cards, &card_key(&card.token)).await;
    flip(&stage, Tree::DataKeys, &card_key(&key.token)).await;

    for (token, tree) in [(&card.token, "cards"), (&key.token, "data_keys")] {
        let Err(Error::Corrupt(what)) = reveal_or_challenge(&stage, &phone, token).await else {
            panic!("a corrupt record was served");
        };
        assert!(what.starts_with(&format!("{tree} {token}: ")), "{what}");
        let written = events(&stage, Operation::CorruptRecord);
        assert!(
            written.iter().any(|event| event.note.as_deref() == Some(&what)),
            "{what}"
        );
    }
    reveal(&stage, &phone, &sound.token).await.unwrap();

    let job = check(&stage).await;
    assert_eq!(job.state, JobState::Done);
    for item in [
        format!("cards {}", card.token),
        format!("data_keys {}: there is no readable card to it", card.token),
        format!("cards {}: corrupt record: data_keys {}", key.token, key.token),
    ] {
        let named = job.failures.iter().any(|failure| failure.starts_with(&item));
        assert!(named, "{item} in {:?}", job.failures);
    }
    let about_sound = job
        .failures
        .iter()
        .any(|failure| failure.contains(sound.token.as_str()));
    assert!(!about_sound, "{:?}", job.failures);
    assert_eq!(
        job.progress.done + job.progress.failed,
        job.progress.total,
        "{:?}",
        job.failures
    );
}

/// A card that does not read fails at its challenge already, one without a key at the reveal.
async fn reveal_or_challenge(
    stage: &Stage,
    phone: &Phone,
    card: &shared::ids::CardToken,
) -> Result<(), Error> {
    let event = stage.event(Operation::Challenge);
    let (vault, token) = (&stage.vault, card.clone());
    let challenged = vault.audited(event, async |event| {
        crate::flows::challenge::for_card(vault, event, token).await
    });
    challenged.await?;
    reveal(stage, phone, card).await.map(drop)
}

#[tokio::test]
async fn missing_counterparts_are_named() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    let (without_key, without_index, stray) = (
        stage.card(&phone).await,
        stage.card(&phone).await,
        stage.card(&phone).await,
    );
    let index_of = |shown: &crate::flows::tests::Shown| {
        let pan = shown.pan();
        stage.vault.keyring().fingerprint(pan.as_bytes()).to_key()
    };
    delete(&stage, Tree::DataKeys, &card_key(&without_key.token)).await;
    delete(&stage, Tree::Fingerprints, &index_of(&without_index)).await;
    delete(&stage, Tree::Cards, &card_key(&stray.token)).await;
    delete(&stage, Tree::Holders, phone.holder.as_str().as_bytes()).await;

    let job = check(&stage).await;
    for (item, why) in [
        (format!("cards {}", without_key.token), "missing"),
        (
            format!("cards {}", without_index.token),
            "no index entry leads to this card",
        ),
        (
            format!("data_keys {}", stray.token),
            "there is no readable card to it",
        ),
        ("fingerprints ".to_owned(), "which has no number"),
        ("holder_keys ".to_owned(), "there is no readable holder to it"),
    ] {
        let named = |failure: &&String| failure.starts_with(&item) && failure.contains(why);
        assert_eq!(
            job.failures.iter().filter(named).count(),
            1,
            "{item} in {:?}",
            job.failures
        );
    }
    // Deleted through the store, the entries are not in its count either.
    assert!(
        !job.failures
            .iter()
            .any(|failure| failure.contains("commit record"))
    );
}

#[tokio::test]
async fn a_corrupt_record_takes_no_list_and_no_sweep_with_it() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    for _ in 0..2 {
        let pending = Phone::of(phone.holder.clone());
        stage.enrol(&pending, |_| {}).await.unwrap();
    }
    let approvals = govern::list(&stage.vault).unwrap().len();
    let pending: Vec<_> = keys_of(&stage, Tree::Counters)
        .into_iter()
        .filter(|key| key.starts_with(b"pending/"))
        .collect();
    assert_eq!(pending_keys::list(&stage.vault, 100).unwrap().len(), 2);
    flip(&stage, Tree::Approvals, &keys_of(&stage, Tree::Approvals)[0]).await;
    flip(&stage, Tree::Counters, &pending[0]).await;

    assert_eq!(govern::list(&stage.vault).unwrap().len(), approvals - 1);
    assert_eq!(pending_keys::list(&stage.vault, 100).unwrap().len(), 1);
    sweep::destroy_due(&stage.vault).await.unwrap();
    work::list(&stage.vault).unwrap();

    stage.vault.write_corrupt_records().await.unwrap();
    assert_eq!(events(&stage, Operation::CorruptRecord).len(), 2);
    stage.vault.write_corrupt_records().await.unwrap();
    assert_eq!(events(&stage, Operation::CorruptRecord).len(), 2, "told twice");
}

#[tokio::test]
async fn a_holder_whose_other_key_is_corrupt_still_proves_and_brings_in_no_further_key() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    let card = stage.card(&phone).await;
    let other = Phone::of(phone.holder.clone());
    let enrolled = stage.enrol(&other, |_| {}).await.unwrap();
    flip(
        &stage,
        Tree::HolderKeys,
        &holder_key_key(&phone.holder, &enrolled.thumbprint),
    )
    .await;
    reveal(&stage, &phone, &card.token).await.unwrap();
    // A revoked key must not come back by being unreadable.
    let again = stage.enrol(&other, |_| {}).await;
    assert!(matches!(again, Err(Error::Corrupt(_))), "{again:?}");
}

#[tokio::test]
async fn a_register_that_does_not_read_is_named_at_the_next_unlock() {
    let mut stage = Stage::new().await;
    stage.phone().await;
    stage
        .agree(Proposal::ClearFailures(
            stage.card(&stage.phone().await).await.token,
        ))
        .await
        .unwrap();
    flip(&stage, Tree::Programs, b"demo-eur").await;
    stage.process.lock(stage.event(Operation::Lock)).await.unwrap();
    let refused = stage.try_unlock().await;
    let Err(Error::Corrupt(what)) = refused else {
        panic!("{refused:?}");
    };
    assert!(what.starts_with("programs demo-eur: "), "{what}");
}
