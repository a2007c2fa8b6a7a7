//! Two processes of one vault on one database: what one did counts at the other, at once.

use std::sync::Arc;

use shared::jws::holder_proof::Op;
use shared::mtls::identity::Identity;
use shared::vault_api::governance::{ApprovalState, Proposal};

use super::{Stage, govern};
use crate::audit::event::{Event, Operation};
use crate::domain::program::tests::program;
use crate::error::Error;
use crate::flows::{reveal, sweep};
use crate::open_vault::OpenVault;

/// Officers agree, one at each process.
async fn agree(stage: &Stage, at: &Arc<OpenVault>, proposal: Proposal) -> Result<(), Error> {
    let event = stage.event(Operation::Propose);
    let filed = govern::propose(&stage.vault, event, &stage.officer(0), &stage.key(), proposal).await?;
    let event = stage.event(Operation::Approve);
    govern::approve(at, event, &stage.officer(1), filed.id, &filed.hash)
        .await
        .map(drop)
}

#[tokio::test]
async fn a_proof_is_spent_once_over_both_processes() {
    let Some(stage) = Stage::shared().await else {
        return;
    };
    let (_process, other) = stage.beside().await;
    let phone = stage.phone().await;
    let card = stage.card(&phone).await;
    let show = async |at: &Arc<OpenVault>, request| {
        let event = stage.event(Operation::Reveal);
        reveal::reveal(at, event, card.token.clone(), request).await
    };
    // Made at the first, spent at the second, where a card of the first is shown; then at neither.
    let request = stage.proven(&phone, Op::Reveal, &card.token).await;
    let shown = show(&other, request.clone()).await.unwrap();
    assert_eq!(phone.open(shown.payload.as_str())["cardNo"], card.pan.as_str());
    for at in [&stage.vault, &other] {
        let again = show(at, request.clone()).await;
        assert!(matches!(again, Err(Error::ProofInvalid(_))), "{:?}", again.err());
    }
    // At both at once: one is late.
    for _ in 0..5 {
        let request = stage.proven(&phone, Op::Reveal, &card.token).await;
        let (here, there) = tokio::join!(show(&stage.vault, request.clone()), show(&other, request));
        assert!(
            here.is_ok() != there.is_ok(),
            "{:?} {:?}",
            here.err(),
            there.err()
        );
    }
    sweep_challenges(&stage, &other).await;
}

/// What is over goes from the store, and takes nothing along that is not.
async fn sweep_challenges(stage: &Stage, other: &Arc<OpenVault>) {
    let count = || {
        let store = &other.surroundings.store;
        let found = store.scan(
            crate::store::Tree::Challenges,
            b"",
            std::ops::Bound::Unbounded,
            1000,
        );
        found.unwrap().len()
    };
    let before = count();
    assert!(before > 0);
    other.challenges.sweep(&other.records, other.now()).await.unwrap();
    assert_eq!(count(), before);
    stage.clock.advance(time::Duration::hours(1));
    other.challenges.sweep(&other.records, other.now()).await.unwrap();
    assert_eq!(count(), 0);
    assert_eq!(sweep::destroy_due(other).await.unwrap(), 0);
}

#[tokio::test]
async fn one_budget_and_one_log_for_both_processes() {
    let Some(stage) = Stage::shared().await else {
        return;
    };
    let (_process, other) = stage.beside().await;
    let phone = stage.phone().await;
    let card = stage.card(&phone).await;
    let mut rules = program("demo-eur", "999900");
    // The issue above was the first.
    rules.budgets.emissions_per_card = 4;
    agree(&stage, &other, Proposal::SetProgram(rules)).await.unwrap();
    let mut shown = 0;
    for round in 0..6 {
        let request = stage.proven(&phone, Op::Reveal, &card.token).await;
        let at = if round % 2 == 0 { &other } else { &stage.vault };
        let mut event = stage.event(Operation::Reveal);
        event.card = Some(card.token.clone());
        match reveal::reveal(at, event, card.token.clone(), request).await {
            Ok(_) => shown += 1,
            Err(Error::Budget(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(shown, 3);
    let heads = [
        stage.vault.durable_head().await.unwrap(),
        other.durable_head().await.unwrap(),
    ];
    assert_eq!(heads[0], heads[1]);
}

#[tokio::test]
async fn what_officers_decide_at_one_process_is_in_force_at_the_other() {
    let Some(stage) = Stage::shared().await else {
        return;
    };
    let (_process, other) = stage.beside().await;
    agree(&stage, &other, Proposal::SetProgram(program("second", "999901")))
        .await
        .unwrap();
    assert!(stage.vault.program(&"second".parse().unwrap()).is_err());
    stage.vault.surroundings.store.look().await.unwrap();
    assert!(stage.vault.program(&"second".parse().unwrap()).is_ok());

    // The same proposal approved at both at once is done once, and both say so.
    let event = stage.event(Operation::Propose);
    let proposal = Proposal::SetProgram(program("third", "999902"));
    let filed = govern::propose(&stage.vault, event, &stage.officer(0), &stage.key(), proposal)
        .await
        .unwrap();
    let approve = async |at: &Arc<OpenVault>, officer: usize| {
        let event = stage.event(Operation::Approve);
        govern::approve(at, event, &stage.officer(officer), filed.id.clone(), &filed.hash).await
    };
    let (here, there) = tokio::join!(approve(&stage.vault, 1), approve(&other, 2));
    for approved in [here, there] {
        assert_eq!(approved.unwrap().state, ApprovalState::Done);
    }

    // Struck at one, an officer has no say at the other.
    let struck = stage.officer(2);
    agree(&stage, &other, Proposal::StrikeParty(struck.clone()))
        .await
        .unwrap();
    let (officer, key) = (stage.officer(0), stage.key());
    let proposal = Proposal::StrikeParty(stage.officer(1));
    let filed = govern::propose(&other, stage.event(Operation::Propose), &officer, &key, proposal).await;
    assert!(filed.is_err(), "two officers must remain");
}

/// A group that was lost with its connection leaves the ledger ahead of the store: it goes back.
#[tokio::test]
async fn a_lost_group_is_forgotten_by_the_ledger() {
    let Some(stage) = Stage::shared().await else {
        return;
    };
    let event = || {
        let mut event = Event::done(Operation::Reveal, stage.vault.surroundings.clock.now());
        event.caller = Some(Identity::Gateway);
        event
    };
    let before = stage.vault.durable_head().await.unwrap();
    // The session ends in the midst of the transaction.
    let url = stage.home.url().unwrap().to_owned();
    let lost = stage
        .vault
        .commit(event(), move |_, _| {
            end_the_sessions_in_a_transaction(&url);
            Ok(())
        })
        .await;
    assert!(matches!(lost, Err(Error::Store(_))), "{lost:?}");
    assert_eq!(stage.vault.durable_head().await.unwrap(), before);
    let after = stage.vault.commit_head(event()).await.unwrap();
    assert_eq!(after.size, before.size + 1);
    let (_process, other) = stage.beside().await;
    assert!(other.durable_head().await.unwrap().size > after.size);
}

/// Those that hold this schema's lock: other tests go on.
fn end_the_sessions_in_a_transaction(url: &str) {
    crate::store::testing::execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_locks \
         WHERE locktype = 'advisory' AND granted AND objid = 'tessera_entries'::regclass::oid"
            .to_owned(),
    );
}
