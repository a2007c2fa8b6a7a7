//! A rotation that is cut short after every step, and at the points between a transaction and what follows it, loses
//! nothing and comes to its end.

use super::*;
use crate::work::{Stepped, Turn};

/// The process dies after each step and goes on where the store says.
#[tokio::test]
async fn a_rotation_cut_short_after_every_step_comes_to_its_end() {
    for rotation in all() {
        let mut stage = Stage::new().await;
        let cards = cards(&stage, 3).await;
        let id = begin(&stage, rotation.clone()).await;
        let mut steps = 0;
        loop {
            let mut turn = Turn::claim(&stage.vault, &id)
                .await
                .unwrap()
                .expect("nobody else runs it");
            let stepped = crate::flows::rotate::step(&mut turn).await.unwrap();
            drop(turn);
            if stepped == Stepped::Ended {
                break;
            }
            steps += 1;
            assert!(steps < 200, "it does not end");
            (stage, ()) = stage.closed_for(|_| ()).await;
        }
        assert!(steps >= 6, "{rotation:?}: {steps} steps");
        assert_eq!(
            crate::work::find(&stage.vault, &id).unwrap().state,
            JobState::Done
        );
        only_the_active_is_left(&stage.vault, purpose(&rotation));
        every_card_opens(&stage.vault, &cards);
        let files = stage.vault.surroundings.epoch.load().unwrap();
        assert_eq!(files.count(), 1, "the former epoch's secret is gone");
    }
}

/// The process dies between a change of the keyring and putting it in force: the transaction is durable, the rest is
/// not.
#[tokio::test]
async fn a_change_of_the_keyring_that_was_not_put_in_force_is_found_at_the_next_start() {
    let mut stage = Stage::new().await;
    let cards = cards(&stage, 2).await;
    for round in 0..20 {
        let purpose = [KeyPurpose::CardKek, KeyPurpose::Records, KeyPurpose::Fingerprint][round % 3];
        let keyring = stage.vault.keyring();
        if round % 4 == 3 {
            let next = keyring.prepare_epoch(None, false).unwrap();
            if round % 8 == 3 {
                let changed = stage
                    .vault
                    .transact(move |tx| tx.change_keys(|keyring, txn| keyring.replace_epoch(txn, &next, 7)));
                changed.await.unwrap();
            }
        } else {
            let changed = stage
                .vault
                .transact(move |tx| tx.change_keys(|keyring, txn| keyring.renew(txn, purpose, 7)));
            changed.await.unwrap();
        }
        (stage, ()) = stage.closed_for(|_| ()).await;
        every_card_opens(&stage.vault, &cards);
    }
    // All versions that came together go in one rotation each.
    for rotation in all() {
        assert_eq!(rotate(&stage, rotation.clone()).await.state, JobState::Done);
        only_the_active_is_left(&stage.vault, purpose(&rotation));
    }
    every_card_opens(&stage.vault, &cards);
}
