//! Cards that are asked for and made later, replaced, expired and renewed, as far as the vault is not needed: it is away.

use shared::vault_api::notices::{Notice, NoticeKind};
use time::Duration;

use super::*;
use crate::flows::cards::create_async::{create_async, status};
use crate::flows::cards::replace::{Replacement, replace};
use crate::flows::cards::{age, set_renewal};
use crate::flows::notices;
use crate::store::card_creations::CreationId;
use crate::store::cards as card_rows;

impl Desk {
    async fn events(&self, kind: &'static str) -> i64 {
        let mut read = self.services().db.read().await.unwrap();
        let counted = sqlx::query("SELECT count(*) FROM events WHERE kind = $1").bind(kind);
        counted.fetch_one(&mut *read).await.unwrap().get(0)
    }

    async fn ask(&self) -> Answer {
        let caller = self.caller(Party::Partner).await;
        let wish = CardWish {
            balance: self.balance,
            name: None,
            replaces: None,
        };
        create_async(self.services(), &caller, wish, &request("key", 1))
            .await
            .unwrap()
    }

    async fn asked_for(&self, request: i64) -> serde_json::Value {
        let caller = self.caller(Party::User).await;
        let status = status(self.services(), &caller, CreationId(request))
            .await
            .unwrap();
        serde_json::to_value(status).unwrap()
    }

    async fn replace(&self, card: &Card) -> Result<Answer, Error> {
        let caller = self.caller(Party::User).await;
        let new = Replacement {
            recipient: recipient(),
            proof: Ok(None),
        };
        replace(
            self.services(),
            &caller,
            card.id,
            new,
            &request("replace", 1),
            || Ok(()),
        )
        .await
    }

    /// What the vault tells by itself, in its order.
    async fn notice(&self, index: u64, card: &Card, kind: NoticeKind) {
        let notice = Notice {
            index,
            at: self.services().now(),
            kind,
            card: card.token.clone(),
            order: None,
        };
        assert!(notices::apply(self.services(), &notice).await.unwrap());
        assert!(
            !notices::apply(self.services(), &notice).await.unwrap(),
            "applied twice"
        );
    }
}

#[tokio::test]
async fn a_card_that_is_asked_for_waits_for_the_vault_and_is_asked_for_once() {
    for desk in desks().await {
        let answer = desk.ask().await;
        assert_eq!(answer.status, 202);
        assert_eq!(desk.ask().await, answer);
        assert_eq!(desk.count("card_requests").await, 1, "{}", desk.stage.engine);
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let shown = desk.asked_for(body["requestId"].as_i64().unwrap()).await;
        assert_eq!(shown["status"], "PENDING");
        assert!(
            shown.get("cardId").is_none() && shown.get("code").is_none(),
            "{shown}"
        );
        assert_eq!(desk.count("cards").await, 0);
    }
}

#[tokio::test]
async fn a_place_that_the_vault_did_not_fill_is_free_again() {
    for desk in desks().await {
        let card = desk.card().await;
        assert_eq!(code(desk.replace(&card).await), Code::NotReplaceable);
        desk.write(
            "UPDATE cards SET state = 'LOCKED', lock_code = 2, lock_placed_by = 'USER', lock_placed_at = 0, \
             lock_from = 'ACTIVE'",
        )
        .await;
        for _ in 0..2 {
            assert_eq!(code(desk.replace(&card).await), Code::VaultUnavailable);
        }
        desk.write("UPDATE cards SET replacement = 4711").await;
        assert_eq!(code(desk.replace(&card).await), Code::AlreadyReplaced);
    }
}

#[tokio::test]
async fn a_card_expires_once_and_at_once() {
    for desk in desks().await {
        let card = desk.card().await;
        desk.write("UPDATE cards SET exp = '2026-11-30'").await;
        assert_eq!(age::expire(desk.services()).await.unwrap(), 0);
        desk.stage.clock.advance(Duration::days(30));
        let expired = CardState::Expired { lock: None };
        assert_eq!(desk.state(&card).await, expired, "before the job has run");
        let locked = desk.lock(Party::User, &card, LockCode::CardLost, "key").await;
        assert_eq!(code(locked), Code::CardExpired);
        assert_eq!(age::expire(desk.services()).await.unwrap(), 1);
        assert_eq!(age::expire(desk.services()).await.unwrap(), 0);
        assert_eq!(desk.events("card.expired").await, 1, "{}", desk.stage.engine);
        assert_eq!(desk.state(&card).await, expired);
        let mut tx = desk.services().db.begin().await.unwrap();
        let row = card_rows::take(&mut tx, card.id).await.unwrap().unwrap();
        assert_eq!(row.standing.state, expired, "as it was written down");
    }
}

#[tokio::test]
async fn a_renewal_is_begun_once_and_only_where_it_is_wanted() {
    for desk in desks().await {
        let card = desk.card().await;
        assert_eq!(
            age::begin_renewals(desk.services()).await.unwrap(),
            0,
            "too early"
        );
        desk.write("UPDATE cards SET exp = '2026-11-30'").await;
        let caller = desk.caller(Party::User).await;
        set_renewal::set_renewal(desk.services(), &caller, card.id, false)
            .await
            .unwrap();
        assert_eq!(
            age::begin_renewals(desk.services()).await.unwrap(),
            0,
            "not wanted"
        );
        set_renewal::set_renewal(desk.services(), &caller, card.id, true)
            .await
            .unwrap();
        assert_eq!(age::begin_renewals(desk.services()).await.unwrap(), 1);
        assert_eq!(
            age::begin_renewals(desk.services()).await.unwrap(),
            0,
            "begun already"
        );
        assert_eq!(desk.count("card_requests").await, 1, "{}", desk.stage.engine);
    }
}

#[tokio::test]
async fn locks_from_outside_follow_the_rules_and_are_told_of() {
    for desk in desks().await {
        let card = desk.card().await;
        desk.lock(Party::User, &card, LockCode::PendingQuery, "key")
            .await
            .unwrap();
        desk.notice(1, &card, NoticeKind::LockedOutside { code: 6 }).await;
        let lock = desk.state(&card).await.lock().unwrap();
        assert_eq!(
            (lock.code, lock.placed_by),
            (LockCode::PinTriesExceeded, Party::Processor)
        );
        assert_eq!(code(desk.unlock(Party::Partner, &card).await), Code::LockNotYours);
        desk.notice(2, &card, NoticeKind::UnlockedOutside).await;
        assert_eq!(desk.state(&card).await, CardState::Active);
        assert_eq!(
            desk.count("card_requests").await,
            1,
            "the PIN tries begin again, by the job"
        );
        desk.notice(3, &card, NoticeKind::LockedOutside { code: 2 }).await;
        desk.notice(4, &card, NoticeKind::LockedOutside { code: 7 }).await;
        desk.notice(5, &card, NoticeKind::UnlockedOutside).await;
        assert_eq!(desk.state(&card).await.lock().unwrap().code, LockCode::CardStolen);
        desk.notice(6, &card, NoticeKind::Erased).await;
        desk.notice(7, &card, NoticeKind::Erased).await;
        assert_eq!(desk.state(&card).await, CardState::Removed);
        for (kind, times) in [("card.locked", 3), ("card.unlocked", 1), ("card.removed", 1)] {
            assert_eq!(desk.events(kind).await, times, "{kind} {}", desk.stage.engine);
        }
    }
}
