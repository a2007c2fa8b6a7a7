//! The log under the flows: what cannot be logged is not done, no transaction leaves a gap, and what another process wrote
//! is read before anything follows it.

use shared::jwe::BodyHash;
use shared::jws::holder_proof::Op;
use shared::mtls::identity::Identity;

use super::Stage;
use crate::audit::event::{Event, Operation, Outcome};
use crate::error::Error;
use crate::flows::reset_cvv;
use crate::open_vault::OpenVault;
use crate::store::{MAX_VALUE_BYTES, Tree};

/// The log, read from the store, ends where ledger and commit record say.
async fn sound(vault: &std::sync::Arc<OpenVault>) -> u64 {
    let head = vault.durable_head().await.unwrap();
    assert_eq!(vault.log(|log| log.size()).unwrap(), head.size);
    assert_eq!(vault.log(|log| log.head(head.size)).unwrap(), head);
    assert_eq!(vault.surroundings.store.reached().audit_head, head.root);
    head.size
}

#[tokio::test]
async fn what_cannot_be_logged_is_not_done() {
    let stage = Stage::new().await;
    let before = sound(&stage.vault).await;
    let mut event = stage.event(Operation::Challenge);
    event.note = Some("x".repeat(MAX_VALUE_BYTES + 1));
    let refused = stage
        .vault
        .commit(event, |tx, _| tx.put_value(Tree::Orders, b"order", b"plastic"))
        .await;
    assert!(refused.is_err());
    assert!(
        stage
            .vault
            .surroundings
            .store
            .get(Tree::Orders, b"order")
            .unwrap()
            .is_none()
    );
    assert_eq!(sound(&stage.vault).await, before);
}

#[tokio::test]
async fn a_transaction_that_was_recorded_and_then_refused_leaves_no_gap() {
    let stage = Stage::new().await;
    let before = sound(&stage.vault).await;
    let swallowed = stage.vault.commit(stage.event(Operation::Challenge), |tx, _| {
        let _ = tx.put_value(Tree::Audit, b"too large", &vec![0; MAX_VALUE_BYTES + 1]);
        Ok(())
    });
    assert!(swallowed.await.is_err());
    assert_eq!(sound(&stage.vault).await, before);
    let index = stage
        .vault
        .commit(stage.event(Operation::Challenge), |tx, _| Ok(tx.audit_index()));
    assert_eq!(index.await.unwrap(), before);
    assert_eq!(sound(&stage.vault).await, before + 1);
}

#[tokio::test]
async fn two_vaults_over_one_store_write_one_log_and_count_together() {
    let stage = Stage::new().await;
    let now = stage.vault.now();
    let keyring = stage
        .vault
        .keyring()
        .reopen(&stage.vault.surroundings.store, now)
        .unwrap();
    let other = OpenVault::open(stage.vault.surroundings.clone(), keyring).unwrap();
    let failed = || {
        let mut event = stage.event(Operation::VerifyCvv);
        event.outcome = Outcome::NoMatch;
        event
    };
    for number in 0..300 {
        let writer = if number % 3 == 0 { &stage.vault } else { &other };
        writer.commit(failed(), |_, _| Ok(())).await.unwrap();
    }
    assert_eq!(sound(&stage.vault).await, sound(&other).await);
    let left = crate::ledger::PROCESSOR_FAILURES_PER_HOUR - 300;
    stage.vault.spend_budget_for_test(&failed(), left);
    assert!(matches!(stage.vault.permits(&failed()), Err(Error::Budget(_))));
}

#[tokio::test]
async fn an_answer_and_its_replay_name_the_events_that_name_them() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    let card = stage.card(&phone).await;
    let key = stage.key();
    let request = stage.proven(&phone, Op::ResetCvv, &card.token).await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let (event, token, request) = (
            stage.event(Operation::ResetCvv),
            card.token.clone(),
            request.clone(),
        );
        let answer =
            reset_cvv::reset_cvv(&stage.vault, event, &Identity::Gateway, token, &key, request).await;
        answers.push(answer.unwrap());
    }
    let read = |index: u64| -> Event { stage.vault.log(|log| log.event(index)).unwrap() };
    let (first, again) = (read(answers[0].audit_index), read(answers[1].audit_index));
    assert_eq!(answers[0].payload, answers[1].payload);
    assert_ne!(answers[0].audit_index, answers[1].audit_index);
    assert_eq!(
        (&first.outcome, &again.outcome),
        (&Outcome::Done, &Outcome::Replayed)
    );
    let hash = Some(BodyHash::of(&answers[0].payload));
    assert_eq!((first.bdh, again.bdh), (hash, hash));
    assert!(first.emitted);
}

#[tokio::test]
async fn a_ledger_is_recovered_over_many_complete_subtrees() {
    let stage = Stage::new().await;
    for _ in 0..600 {
        stage
            .vault
            .commit(stage.event(Operation::Challenge), |_, _| Ok(()))
            .await
            .unwrap();
    }
    let size = sound(&stage.vault).await;
    let keyring = stage
        .vault
        .keyring()
        .reopen(&stage.vault.surroundings.store, stage.vault.now());
    let again = OpenVault::open(stage.vault.surroundings.clone(), keyring.unwrap()).unwrap();
    assert_eq!(sound(&again).await, size);
    let proof = again.log(|log| log.consistency(100, size)).unwrap();
    let (old, new) = (
        again.log(|log| log.head(100)).unwrap(),
        again.log(|log| log.head(size)).unwrap(),
    );
    assert!(crate::audit::merkle::is_consistent(
        (100, &old.root),
        (size, &new.root),
        &proof
    ));
}
