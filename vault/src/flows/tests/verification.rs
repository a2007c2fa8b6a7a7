//! The processor's questions: counted, capped, and never a way to guess.

use shared::mtls::identity::Identity;
use shared::vault_api::processor::Outcome;

use super::{Shown, Stage};
use crate::audit::event::Operation;
use crate::domain::cvv::Cvv;
use crate::domain::pan::Pan;
use crate::error::Error;
use crate::flows::verify::{Guess, verify};
use crate::ledger::PROCESSOR_FAILURES_PER_HOUR;

async fn ask(stage: &Stage, pan: Pan, cvv: Cvv) -> Result<Outcome, Error> {
    let processor: Identity = "spiffe://tessera/processor/processor".parse().unwrap();
    let mut event = stage.event(Operation::VerifyCvv);
    event.caller = Some(processor.clone());
    verify(&stage.vault, event, &processor, pan, Guess::Cvv(cvv, None))
        .await
        .map(|answer| answer.outcome)
}

#[tokio::test]
async fn a_used_up_budget_of_failures_refuses_the_right_guess_too() {
    for stage in Stage::each().await {
        let card: Shown = stage.card(&stage.phone().await).await;
        assert_eq!(ask(&stage, card.pan(), card.cvv()).await.unwrap(), Outcome::Match);

        let mut failed = stage.event(Operation::VerifyCvv);
        failed.caller = Some("spiffe://tessera/processor/processor".parse().unwrap());
        failed.outcome = crate::audit::event::Outcome::NoMatch;
        stage
            .vault
            .spend_budget_for_test(&failed, PROCESSOR_FAILURES_PER_HOUR);

        assert!(matches!(
            ask(&stage, card.pan(), card.wrong_cvv()).await,
            Err(Error::Budget(_))
        ));
        assert!(
            matches!(ask(&stage, card.pan(), card.cvv()).await, Err(Error::Budget(_))),
            "else it is an oracle"
        );
    }
}

#[tokio::test]
async fn beyond_the_cap_even_the_right_cvv_is_no_match() {
    let stage = Stage::new().await;
    let card: Shown = stage.card(&stage.phone().await).await;
    for _ in 0..crate::domain::tries::CVV_FAILURE_CAP {
        assert_eq!(
            ask(&stage, card.pan(), card.wrong_cvv()).await.unwrap(),
            Outcome::NoMatch
        );
    }
    assert_eq!(
        ask(&stage, card.pan(), card.cvv()).await.unwrap(),
        Outcome::NoMatch
    );
    stage
        .agree(shared::vault_api::governance::Proposal::ClearFailures(
            card.token.clone(),
        ))
        .await
        .unwrap();
    assert_eq!(ask(&stage, card.pan(), card.cvv()).await.unwrap(), Outcome::Match);
}

#[tokio::test]
async fn another_processor_learns_nothing() {
    let stage = Stage::new().await;
    let card: Shown = stage.card(&stage.phone().await).await;
    let other: Identity = "spiffe://tessera/processor/other".parse().unwrap();
    let event = stage.event(Operation::VerifyCvv);
    let answer = verify(
        &stage.vault,
        event,
        &other,
        card.pan(),
        Guess::Cvv(card.cvv(), None),
    )
    .await
    .unwrap();
    assert_eq!(answer.outcome, Outcome::NoMatch);
}
