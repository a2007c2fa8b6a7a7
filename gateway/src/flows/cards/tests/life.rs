//! Cards that are asked for and made later, replaced, expired and renewed, as far as the vault is not needed: it is away.

use shared::ids::{CardToken, OrderToken};
use shared::vault_api::PublicMembers;
use shared::vault_api::cards::Recipient;
use shared::vault_api::notices::{Notice, NoticeKind};
use shared::vault_api::plastic::{OrderCard, OrderedCard};
use time::Duration;

use super::*;
use crate::flows::attempt::Attempt;
use crate::flows::cards::create_async::{create_async, status};
use crate::flows::cards::replace::{Replacement, replace};
use crate::flows::cards::{age, set_renewal};
use crate::flows::notices;
use crate::store::card_creations::CreationId;
use crate::store::card_requests::{CardRequest, Order};
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

/// Work that orders plastic in the place of `old`, as a try leaves it that was cut short before the vault was asked.
async fn ordered_in_place_of(desk: &Desk, old: &Card) -> CardRequest {
    let caller = desk.caller(Party::User).await;
    let mut tx = desk.services().db.begin().await.unwrap();
    let id = CardId(tx.next_number(Sequence::Cards).await.unwrap());
    let card = NewCard {
        id,
        user: desk.user,
        balance: old.balance,
        name: old.name.clone(),
        created_at: NOON,
        replaces: Some(old.id),
    };
    let call = OrderCard {
        recipient: Recipient {
            public_key: recipient(),
            members: PublicMembers::new(),
        },
        payload: "a.b.c.d.e".to_owned(),
        holder_proof: None,
        order_key: None,
        actor: caller.actor.clone(),
    };
    card_rows::life::reserve(&mut tx, old.id, id).await.unwrap();
    let task = Task::Order(Order::new(caller.user.holder.clone(), &card, call));
    let (entry, key, now) = (Some(id.0), format!("key-{}", id.0), desk.services().now());
    card_requests::begin(&mut tx, id, entry, key.parse().unwrap(), task, None, now)
        .await
        .unwrap();
    let work = card_requests::resume(&mut tx, entry, None, now).await.unwrap();
    tx.commit().await.unwrap();
    work.unwrap()
}

/// The vault has taken the order, whose token is made of `number`: what follows here.
async fn taken_by_vault(desk: &Desk, work: &CardRequest, number: u8) -> Card {
    let Task::Order(order) = &work.task else {
        panic!("no order")
    };
    let token = CardToken::from_random(&[number; 16]).unwrap();
    let ordered = OrderedCard {
        card: token.clone(),
        masked_card_no: "999900******0025".parse().unwrap(),
        exp: "2029-11-30".parse().unwrap(),
        order: OrderToken::from_random(&[number; 16]).unwrap(),
        payload: "sealed".to_owned(),
        vault_proof: None,
        audit_index: 1,
    };
    let mut tx = desk.services().db.begin().await.unwrap();
    for _ in 0..2 {
        let card = order.card(work.card).unwrap();
        let effect = super::super::plastic::ordered(desk.services(), &mut tx, card, ordered.clone());
        effect.await.unwrap().unwrap();
    }
    card_requests::strike(&mut tx, work.id).await.unwrap();
    let card = card_rows::find_by_token(&mut tx, &token).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    card
}

async fn row(desk: &Desk, card: &Card) -> Card {
    let mut read = desk.services().db.read().await.unwrap();
    let found = card_rows::find(&mut read, desk.user, card.id).await.unwrap();
    found.unwrap()
}

#[tokio::test]
async fn plastic_takes_the_place_of_plastic_and_gives_it_back_unless_it_is_made() {
    for desk in desks().await {
        let services = desk.services();
        let old = desk.card().await;
        desk.write(
            "UPDATE cards SET kind = 'PHYSICAL', state = 'LOCKED', lock_code = 1, lock_placed_by = 'USER', \
             lock_placed_at = 0, lock_from = 'ACTIVE'",
        )
        .await;
        let failed = |index: u64, number: u8| Notice {
            index,
            at: services.now(),
            kind: NoticeKind::OrderFailed {
                reason: "MATERIAL".to_owned(),
                card_closed: true,
                plastic_void: true,
            },
            card: CardToken::from_random(&[number; 16]).unwrap(),
            order: Some(OrderToken::from_random(&[number; 16]).unwrap()),
        };
        // The vault is away: nothing was ordered.
        let work = ordered_in_place_of(&desk, &old).await;
        assert!(row(&desk, &old).await.standing.replaced);
        let tried = super::super::carry_out::carry_out(services, &work, Attempt::First).await;
        assert_eq!(code(tried), Code::VaultUnavailable);
        assert!(!row(&desk, &old).await.standing.replaced, "{}", desk.stage.engine);

        // Ordered, and then not made.
        let work = ordered_in_place_of(&desk, &old).await;
        let first = taken_by_vault(&desk, &work, 1).await;
        let replaced = row(&desk, &old).await;
        assert_eq!(
            (first.replaces, replaced.replaced_by),
            (Some(old.id), Some(first.id))
        );
        assert!(notices::apply(services, &failed(1, 1)).await.unwrap());
        let free = row(&desk, &old).await;
        assert!(!free.standing.replaced && free.replaced_by.is_none());
        assert_eq!(row(&desk, &first).await.standing.state, CardState::Removed);

        // The failure is here before the order is.
        let work = ordered_in_place_of(&desk, &old).await;
        assert!(notices::apply(services, &failed(2, 2)).await.unwrap());
        let second = taken_by_vault(&desk, &work, 2).await;
        assert_eq!(second.standing.state, CardState::Removed);
        assert!(!row(&desk, &old).await.standing.replaced, "{}", desk.stage.engine);

        // A former successor's end takes the place from no other; an officer's erasure of the successor does.
        let work = ordered_in_place_of(&desk, &old).await;
        let third = taken_by_vault(&desk, &work, 3).await;
        desk.notice(3, &first, NoticeKind::Erased).await;
        assert_eq!(row(&desk, &old).await.replaced_by, Some(third.id));
        desk.notice(4, &third, NoticeKind::Erased).await;
        assert!(!row(&desk, &old).await.standing.replaced);
        assert_eq!(desk.events("card.replaced").await, 3, "{}", desk.stage.engine);
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
