//! Rotations while cards are issued, revealed, given PINs and erased: nobody is refused, the PIN that was set last is the
//! PIN, and nothing is left behind.

use shared::jws::holder_proof::Op;

use super::*;
use crate::audit::event::Operation;
use crate::domain::pin::Pin;
use crate::flows::reveal;
use crate::flows::tests::Phone;
use crate::work::{Stepped, Turn};

/// Sets a PIN as the flow does: over the card as it is, and again when something was faster.
async fn set_pin(stage: &Stage, token: &CardToken, digits: &str) {
    let pin = Pin::parse(digits.as_bytes()).unwrap();
    loop {
        let stored = stage.vault.card_alone(token).unwrap();
        let mut card = stored.record.clone();
        let version = crate::domain::card::Card::next_version(card.pin.as_ref());
        let secrets = match stage.vault.secrets(&card) {
            Err(Error::Raced) => continue,
            other => other.unwrap(),
        };
        card.pin = Some(secrets.seal_pin(&pin, version).unwrap());
        let event = stage.event(Operation::SetPin);
        let written = stage.vault.commit(event, move |tx, _| {
            if !tx.is_unchanged(&stored)? {
                return Err(Error::Raced);
            }
            tx.put(&card)
        });
        match written.await {
            Err(Error::Raced) => {}
            other => return other.unwrap(),
        }
    }
}

async fn reveal(stage: &Stage, phone: &Phone, token: &CardToken) -> String {
    let request = stage.proven(phone, Op::Reveal, token).await;
    let event = stage.event(Operation::Reveal);
    let answer = reveal::reveal(&stage.vault, event, token.clone(), request)
        .await
        .unwrap();
    phone.open(&answer.payload)["cardNo"].as_str().unwrap().to_owned()
}

async fn erase(stage: &Stage, token: &CardToken) {
    let event = stage.event(Operation::Erase);
    crate::flows::erase::erase(&stage.vault, event, token.clone())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_run_beside_issues_reveals_pins_and_erasures() {
    for rotation in all() {
        let mut stage = Stage::new().await;
        let phone = stage.phone().await;
        let mut kept = Vec::new();
        for _ in 0..6 {
            kept.push(stage.card(&phone).await);
        }
        let id = begin(&stage, rotation.clone()).await;
        let driver = {
            let (vault, id) = (Arc::clone(&stage.vault), id.clone());
            tokio::spawn(async move { run_to_end(&vault, &id).await })
        };
        for round in 0..12u32 {
            let card = &kept[round as usize % 5];
            assert_eq!(reveal(&stage, &phone, &card.token).await, card.pan);
            set_pin(&stage, &card.token, &format!("{:04}", 1000 + round)).await;
            if round % 4 == 0 {
                kept.push(stage.card(&phone).await);
            }
        }
        let erased = kept.remove(5);
        erase(&stage, &erased.token).await;
        let job = driver.await.unwrap().unwrap();
        assert_eq!(job.state, JobState::Done, "{rotation:?}: {job:?}");
        only_the_active_is_left(&stage.vault, purpose(&rotation));
        for card in &kept {
            let content = content(&stage.vault, &card.token).unwrap();
            assert_eq!(content.pan, card.pan.as_bytes());
            assert_eq!(
                stage.vault.card_of_pan(&card.pan()).unwrap().as_ref(),
                Some(&card.token)
            );
        }
        for (index, last) in [(0, 10), (1, 11), (2, 7), (3, 8), (4, 9)] {
            let pin = content(&stage.vault, &kept[index].token).unwrap().pin;
            assert_eq!(pin.unwrap(), format!("{}", 1000 + last).as_bytes());
        }
        (stage, ()) = stage.closed_for(|_| ()).await;
        assert_eq!(reveal(&stage, &phone, &kept[0].token).await, kept[0].pan);
    }
}

/// Between the reading of a card for re-encryption and its writing, a PIN is set: the PIN wins, and the card is done
/// again.
#[tokio::test]
async fn a_pin_that_is_set_in_between_wins() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    let card = stage.card(&phone).await;
    let id = begin(&stage, Rotation::DataKeys).await;
    let mut turn = Turn::claim(&stage.vault, &id).await.unwrap().unwrap();
    assert_eq!(
        crate::flows::rotate::step(&mut turn).await.unwrap(),
        Stepped::Did(0)
    );
    // The batch is read; before its transaction runs, the commit thread sets the PIN.
    let mut rotating = turn.job().clone();
    let rotating = crate::flows::rotate::Rotating::in_job(&mut rotating)
        .unwrap()
        .clone();
    let judged = crate::flows::rotate::moving::judged_for_test(&stage.vault, &rotating);
    set_pin(&stage, &card.token, "4711").await;
    assert_eq!(
        judged.put_for_test(&stage.vault).await,
        0,
        "the card was changed meanwhile"
    );
    let job = run_to_end(&stage.vault, &id).await.unwrap();
    assert_eq!(job.state, JobState::Done);
    let content = content(&stage.vault, &card.token).unwrap();
    assert_eq!(content.pin.unwrap(), b"4711");
    only_the_active_is_left(&stage.vault, KeyPurpose::CardKek);
}

/// A fingerprint that was drawn under the former key, and a data key wrapped by the former KEK, are refused by the
/// transaction.
#[tokio::test]
async fn nothing_new_refers_to_a_retiring_key() {
    let stage = Stage::new().await;
    let cards = cards(&stage, 1).await;
    let keyring = stage.vault.keyring();
    let card = stage.vault.card_alone(&cards[0].0).unwrap().record;
    let (_, wrapped) = keyring.new_data_key(&card.program, &card.token).unwrap();
    let fingerprint = keyring.fingerprint(&cards[0].1.pan);
    let sealed = keyring.seal_record(Tree::Orders, b"x", b"{}").unwrap();
    for purpose in [KeyPurpose::CardKek, KeyPurpose::Fingerprint, KeyPurpose::Records] {
        let renewed = stage
            .vault
            .transact(move |tx| tx.change_keys(|keyring, txn| keyring.renew(txn, purpose, 7)));
        renewed.await.unwrap();
        stage.vault.exchange_keys().await.unwrap();
    }
    let put = stage
        .vault
        .transact(move |tx| tx.put_data_key(b"x", wrapped))
        .await;
    assert!(matches!(put, Err(Error::Raced)));
    let put = stage
        .vault
        .transact(move |tx| tx.require_active(&fingerprint))
        .await;
    assert!(matches!(put, Err(Error::Raced)));
    let put = stage
        .vault
        .transact(move |tx| tx.put_sealed(Tree::Orders, b"x", sealed))
        .await;
    assert!(matches!(put, Err(Error::Raced)));
}
