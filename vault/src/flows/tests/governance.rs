//! Two officers, and nobody else, change the rules.

use shared::vault_api::governance::Proposal;
use time::Duration;

use super::Stage;
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows::govern;

fn code(error: &Error) -> &'static str {
    error.status_and_code().1
}

#[tokio::test]
async fn one_officer_is_not_two() {
    let stage = Stage::new().await;
    let (first, second) = (stage.officer(0), stage.officer(1));
    let proposal = Proposal::StrikeParty("spiffe://tessera/partner/partner".parse().unwrap());
    let event = || stage.event(Operation::Approve);
    let filed = govern::propose(&stage.vault, event(), &first, &stage.key(), proposal)
        .await
        .unwrap();
    let own = govern::approve(&stage.vault, event(), &first, filed.id.clone(), &filed.hash)
        .await
        .unwrap_err();
    assert_eq!(code(&own), "SECOND_OFFICER_REQUIRED");
    let other = govern::approve(&stage.vault, event(), &second, filed.id.clone(), &"0".repeat(64))
        .await
        .unwrap_err();
    assert_eq!(code(&other), "APPROVAL_HASH_MISMATCH");
    stage.clock.advance(Duration::hours(25));
    let late = govern::approve(&stage.vault, event(), &second, filed.id, &filed.hash)
        .await
        .unwrap_err();
    assert_eq!(code(&late), "APPROVAL_EXPIRED");
}

#[tokio::test]
async fn who_was_struck_has_proposed_nothing() {
    for stage in Stage::each().await {
        let (third, second) = (stage.officer(2), stage.officer(1));
        let event = || stage.event(Operation::Approve);
        let proposal = Proposal::StrikeParty("spiffe://tessera/partner/partner".parse().unwrap());
        let filed = govern::propose(&stage.vault, event(), &third, &stage.key(), proposal)
            .await
            .unwrap();
        stage.agree(Proposal::StrikeParty(third.clone())).await.unwrap();
        let struck = govern::approve(&stage.vault, event(), &second, filed.id, &filed.hash)
            .await
            .unwrap_err();
        assert_eq!(code(&struck), "PROPOSER_STRUCK");
        let last = stage.agree(Proposal::StrikeParty(second)).await.unwrap_err();
        assert_eq!(code(&last), "TOO_FEW_OFFICERS");
    }
}
