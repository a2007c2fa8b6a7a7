//! Lock, unlock, erase: what ends, ends for everybody who still holds on to it.

use shared::jws::holder_proof::Op;
use shared::vault_api::cards::Standing;
use shared::vault_api::governance::Proposal;
use time::Duration;

use super::Stage;
use crate::audit::event::Operation;
use crate::domain::card::StandingRefusal;
use crate::error::Error;
use crate::flows::{erase, reveal, sweep};

#[tokio::test]
async fn who_still_holds_a_locked_vault_commits_nothing_more() {
    for mut stage in Stage::each().await {
        let phone = stage.phone().await;
        let former = stage.vault.clone();
        stage.process.lock(stage.event(Operation::Lock)).await.unwrap();
        let late = former
            .commit(stage.event(Operation::Challenge), |_, _| Ok(()))
            .await;
        assert!(matches!(late, Err(Error::Locked)));
        let late = former.commit_head(stage.event(Operation::ReadAudit)).await;
        assert!(
            matches!(late, Err(Error::Locked)),
            "a reading of the log is an event too"
        );

        stage.unlock().await;
        stage.card(&phone).await;
        assert!(matches!(
            former
                .commit(stage.event(Operation::Challenge), |_, _| Ok(()))
                .await,
            Err(Error::Locked)
        ));
        let head = stage.vault.durable_head().await.unwrap();
        let size = stage.vault.log(|log| log.size()).unwrap();
        assert_eq!(stage.vault.log(|log| log.head(size)).unwrap(), head);
        assert_eq!(stage.vault.surroundings.store.reached().audit_head, head.root);
        assert!(head.size > 10);
    }
}

#[tokio::test]
async fn an_erased_card_is_closed_at_once_and_destroyed_after_its_grace() {
    for stage in Stage::each().await {
        let phone = stage.phone().await;
        let card = stage.card(&phone).await;
        let closed = erase::erase(&stage.vault, stage.event(Operation::Erase), card.token.clone())
            .await
            .unwrap();
        assert_eq!(closed.standing, Standing::Closed);
        let request = stage.proven(&phone, Op::Reveal, &card.token).await;
        let revealed = reveal::reveal(
            &stage.vault,
            stage.event(Operation::Reveal),
            card.token.clone(),
            request,
        )
        .await;
        assert!(matches!(revealed, Err(Error::Standing(StandingRefusal::Closed))));

        assert_eq!(sweep::destroy_due(&stage.vault).await.unwrap(), 0);
        stage.clock.advance(Duration::days(8));
        assert_eq!(sweep::destroy_due(&stage.vault).await.unwrap(), 1);
        let left = stage.vault.card(&card.token).unwrap().card.record;
        assert!(left.pan.is_none() && left.cvv.is_none());
        assert!(stage.vault.secrets(&left).is_err(), "the data key is gone");
        assert_eq!(sweep::destroy_due(&stage.vault).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn two_officers_restore_a_card_in_its_grace_and_not_after() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    let card = stage.card(&phone).await;
    erase::erase(&stage.vault, stage.event(Operation::Erase), card.token.clone())
        .await
        .unwrap();
    stage
        .agree(Proposal::RestoreCard(card.token.clone()))
        .await
        .unwrap();
    stage.clock.advance(Duration::days(8));
    assert_eq!(sweep::destroy_due(&stage.vault).await.unwrap(), 0);
    let request = stage.proven(&phone, Op::Reveal, &card.token).await;
    let revealed = reveal::reveal(
        &stage.vault,
        stage.event(Operation::Reveal),
        card.token.clone(),
        request,
    )
    .await;
    assert_eq!(phone.open(&revealed.unwrap().payload)["cardNo"], card.pan);

    erase::erase(&stage.vault, stage.event(Operation::Erase), card.token.clone())
        .await
        .unwrap();
    stage.clock.advance(Duration::days(8));
    assert_eq!(sweep::destroy_due(&stage.vault).await.unwrap(), 1);
    assert!(stage.agree(Proposal::RestoreCard(card.token)).await.is_err());
}
