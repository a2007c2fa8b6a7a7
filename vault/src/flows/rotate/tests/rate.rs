//! How fast a rewrap is, beside plain commits: run by hand, `cargo test -p vault --lib rate -- --ignored --nocapture`.

use std::time::Instant;

use super::*;
use crate::audit::event::Operation;
use crate::domain::card::Card;

/// Cards whose data keys are wrapped anew.
const CARDS: usize = 5000;
/// Cards written in one transaction.
const TOGETHER: usize = 50;
/// Plain commits beside which the rewrap is held.
const COMMITS: u32 = 300;

/// Copies of one card under tokens of their own, written without their flow.
async fn fill(stage: &Stage) {
    let (token, _) = cards(stage, 1).await.remove(0);
    let model: Card = stage.vault.card_alone(&token).unwrap().record;
    for _ in 0..CARDS / TOGETHER {
        let mut made = Vec::new();
        for _ in 0..TOGETHER {
            let mut card = model.clone();
            card.token = stage.vault.surroundings.random.card_token().unwrap();
            let keyring = stage.vault.keyring();
            let (_, wrapped) = keyring.new_data_key(&card.program, &card.token).unwrap();
            made.push((card, wrapped));
        }
        let put = stage.vault.transact(move |tx| {
            for (card, wrapped) in made {
                tx.put_data_key(card.token.as_str().as_bytes(), wrapped)?;
                tx.put(&card)?;
            }
            Ok(())
        });
        put.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a test"]
async fn the_rate_of_a_rewrap() {
    let stage = Stage::new().await;
    fill(&stage).await;
    let begun = Instant::now();
    for _ in 0..COMMITS {
        stage
            .vault
            .commit(stage.event(Operation::Challenge), |_, _| Ok(()))
            .await
            .unwrap();
    }
    let commits = u128::from(COMMITS) * 1_000_000 / begun.elapsed().as_micros();
    let begun = Instant::now();
    let job = rotate(&stage, Rotation::CardKek).await;
    assert_eq!(job.state, JobState::Done);
    let rewrapped = u128::from(job.progress.done) * 1_000_000 / begun.elapsed().as_micros();
    println!("{rewrapped} data keys a second, {commits} plain commits a second one after the other");
}
