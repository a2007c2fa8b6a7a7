//! A card's later end, and what processors and officers do to cards without the gateway: each with its notice, once.

use shared::expiry::Expiry;
use shared::mtls::identity::Identity;
use shared::vault_api::cards::RenewCard;
use shared::vault_api::notices::NoticeKind;
use shared::vault_api::processor::{OutsideLock, OutsideOutcome};
use shared::vault_api::{Actor, Channel};
use time::Duration;

use super::{Shown, Stage};
use crate::audit::event::{Operation, Outcome};
use crate::domain::card::Standing;
use crate::domain::pan::Pan;
use crate::error::Error;
use crate::flows::{erase, lock_outside, notices, renew};
use crate::ledger::PROCESSOR_FAILURES_PER_HOUR;

fn end_of(stage: &Stage, card: &Shown) -> Expiry {
    stage.vault.card(&card.token).unwrap().card.record.exp
}

async fn renewed(stage: &Stage, card: &Shown, ends: Expiry) -> Result<Expiry, Error> {
    let actor = Actor {
        channel: Channel::System,
        subject: None,
        device: None,
        trace_id: None,
    };
    let (event, token) = (stage.event(Operation::Renew), card.token.clone());
    let request = RenewCard { ends, actor };
    let renewed = renew::renew(&stage.vault, event, token, request).await;
    renewed.map(|renewed| renewed.exp)
}

fn conflict(outcome: Result<Expiry, Error>) -> &'static str {
    match outcome {
        Err(Error::Conflict { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

/// Moves the clock to so many days before the end of the card's last day.
fn days_before(stage: &Stage, end: Expiry, days: i64) {
    let now = stage.vault.surroundings.clock.now();
    let last = end.last_day().unwrap().midnight().assume_utc() + Duration::hours(12);
    stage.clock.advance(last - Duration::days(days) - now);
}

#[tokio::test]
async fn a_card_is_renewed_once_in_its_last_months_and_its_old_code_is_gone() {
    for stage in Stage::each().await {
        let card = stage.card(&stage.phone().await).await;
        let end = end_of(&stage, &card);
        assert_eq!(conflict(renewed(&stage, &card, end).await), "RENEWAL_NOT_DUE");
        days_before(&stage, end, 30);
        let before = stage.vault.card(&card.token).unwrap().card.record;
        let later = renewed(&stage, &card, end).await.unwrap();
        let after = stage.vault.card(&card.token).unwrap().card.record;
        assert_eq!(later, end.plus_months(36));
        assert_eq!((after.exp, &after.pan), (later, &before.pan), "the number stays");
        assert_ne!(after.cvv, before.cvv);
        // The same request again, and one after that: nothing moves.
        assert_eq!(renewed(&stage, &card, end).await.unwrap(), later);
        assert_eq!(stage.vault.card(&card.token).unwrap().card.record, after);
        assert_eq!(conflict(renewed(&stage, &card, later).await), "RENEWAL_NOT_DUE");
    }
}

#[tokio::test]
async fn a_card_that_is_over_or_locked_for_good_is_not_renewed() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    let (over, locked) = (stage.card(&phone).await, stage.card(&phone).await);
    let end = end_of(&stage, &over);
    days_before(&stage, end, 1);
    lock(&stage, locked.pan(), 2).await.unwrap();
    assert!(matches!(
        renewed(&stage, &locked, end).await,
        Err(Error::Standing(_))
    ));
    days_before(&stage, end, -1);
    assert_eq!(conflict(renewed(&stage, &over, end).await), "RENEWAL_NOT_DUE");
}

fn processor(name: &str) -> Identity {
    format!("spiffe://tessera/processor/{name}").parse().unwrap()
}

async fn lock_by(stage: &Stage, caller: &Identity, pan: Pan, code: u8) -> Result<OutsideLock, Error> {
    let mut event = stage.event(Operation::LockOutside);
    event.caller = Some(caller.clone());
    lock_outside::lock(&stage.vault, event, caller, pan, code).await
}

async fn lock(stage: &Stage, pan: Pan, code: u8) -> Result<OutsideLock, Error> {
    lock_by(stage, &processor("processor"), pan, code).await
}

async fn unlock(stage: &Stage, pan: Pan) -> Result<OutsideLock, Error> {
    let caller = processor("processor");
    let mut event = stage.event(Operation::UnlockOutside);
    event.caller = Some(caller.clone());
    lock_outside::unlock(&stage.vault, event, &caller, pan).await
}

async fn told(stage: &Stage) -> Vec<NoticeKind> {
    let page = notices::read(&stage.vault, 0, 100, 0).await.unwrap();
    page.items.into_iter().map(|notice| notice.kind).collect()
}

#[tokio::test]
async fn a_reversible_lock_is_passed_on_and_an_irreversible_one_is_set_here_too() {
    for stage in Stage::each().await {
        let card = stage.card(&stage.phone().await).await;
        let answered = lock(&stage, card.pan(), 7).await.unwrap();
        assert_eq!(
            (answered.outcome, answered.action_code),
            (OutsideOutcome::Done, Some(1002))
        );
        let standing = || stage.vault.card(&card.token).unwrap().card.record.standing;
        assert_eq!(standing(), Standing::Open);
        unlock(&stage, card.pan()).await.unwrap();
        assert_eq!(lock(&stage, card.pan(), 1).await.unwrap().action_code, Some(2008));
        assert_eq!(standing(), Standing::LockedFinally { code: 1 });
        let kept = lock(&stage, card.pan(), 2).await.unwrap();
        assert_eq!((kept.reason_code, kept.action_code), (Some(1), Some(2008)));
        assert!(matches!(
            unlock(&stage, card.pan()).await,
            Err(Error::Standing(_))
        ));
        assert_eq!(
            told(&stage).await,
            [
                NoticeKind::LockedOutside { code: 7 },
                NoticeKind::UnlockedOutside,
                NoticeKind::LockedOutside { code: 1 },
            ]
        );
        assert!(matches!(
            lock(&stage, card.pan(), 9).await,
            Err(Error::Validation { .. })
        ));
    }
}

#[tokio::test]
async fn numbers_of_others_are_answered_like_numbers_of_nobody_and_counted() {
    let stage = Stage::new().await;
    let card = stage.card(&stage.phone().await).await;
    let other = processor("other-processor");
    let foreign = lock_by(&stage, &other, card.pan(), 2).await.unwrap();
    assert_eq!(foreign.outcome, OutsideOutcome::NoMatch);
    assert!(foreign.action_code.is_none() && foreign.reason_code.is_none());
    assert_eq!(
        stage.vault.card(&card.token).unwrap().card.record.standing,
        Standing::Open
    );
    assert!(told(&stage).await.is_empty());

    let mut failed = stage.event(Operation::LockOutside);
    failed.caller = Some(processor("processor"));
    failed.outcome = Outcome::NoMatch;
    stage
        .vault
        .spend_budget_for_test(&failed, PROCESSOR_FAILURES_PER_HOUR);
    let refused = lock(&stage, card.pan(), 2).await;
    assert!(matches!(refused, Err(Error::Budget(_))), "else it is an oracle");
}

#[tokio::test]
async fn the_gateway_is_told_of_an_erasure_that_is_not_its_own() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    for (caller, notices) in [
        (Identity::Gateway, 0),
        ("spiffe://tessera/officer/anna".parse().unwrap(), 1),
    ] {
        let card = stage.card(&phone).await;
        for _ in 0..2 {
            let mut event = stage.event(Operation::Erase);
            event.caller = Some(caller.clone());
            erase::erase(&stage.vault, event, card.token.clone())
                .await
                .unwrap();
        }
        let told = told(&stage).await;
        assert_eq!(told.len(), notices, "{told:?}");
        assert!(told.iter().all(|kind| *kind == NoticeKind::Erased));
    }
}
