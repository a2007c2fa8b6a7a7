//! The vault's notices on both engines: each applied once, in order, with what follows for the card.

use shared::ids::OrderToken;
use shared::vault_api::notices::{Notice, NoticeKind};
use sqlx::Row as _;
use time::Duration;

use super::*;
use crate::domain::card::{Card, CardState, CardType, Standing, Unlocked};
use crate::domain::operator::Scope;
use crate::domain::order::{OrderKind, OrderState};
use crate::flows::flag_late_orders::flag_late_orders;
use crate::store::cards::tests::{a_card, user_with_balance};
use crate::store::{cards, orders};
use crate::testing::{Stage, stages};

pub(in crate::flows) fn token(number: u8) -> OrderToken {
    OrderToken::from_random(&[number; 16]).unwrap()
}

pub(in crate::flows) fn notice(
    stage: &Stage,
    index: u64,
    kind: NoticeKind,
    card: &Card,
    order: &OrderToken,
) -> Notice {
    Notice {
        index,
        at: stage.services.now(),
        kind,
        card: card.token.clone(),
        order: Some(order.clone()),
    }
}

/// A physical card that is ordered, or a virtual one whose plastic is.
pub(in crate::flows) async fn ordered(stage: &Stage, kind: OrderKind, order: &OrderToken) -> Card {
    let services = &stage.services;
    let (user, balance) = user_with_balance(&services.db).await;
    let card = a_card(&services.db, user, balance).await;
    let standing = match kind {
        OrderKind::Physical => Standing {
            kind: CardType::Physical,
            state: CardState::Ordered { lock: None },
            ..card.standing
        },
        OrderKind::Print => Standing {
            kind: CardType::DigitalFirst,
            ..card.standing
        },
    };
    let mut tx = services.db.begin().await.unwrap();
    cards::set_standing(&mut tx, card.id, standing).await.unwrap();
    orders::insert(&mut tx, order, card.id, (kind, false), services.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    card
}

async fn now_at(stage: &Stage, card: &Card) -> (Standing, OrderState) {
    let mut read = stage.services.db.read().await.unwrap();
    let card = cards::find(&mut read, card.user, card.id).await.unwrap().unwrap();
    let order = orders::of_card(&mut read, card.id).await.unwrap().unwrap();
    (card.standing, order.state)
}

async fn told(stage: &Stage, card: &Card) -> Vec<String> {
    let mut read = stage.services.db.read().await.unwrap();
    let rows = sqlx::query("SELECT kind FROM events WHERE card_id = $1 ORDER BY card_sequence")
        .bind(card.id.0)
        .fetch_all(&mut *read)
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

pub(in crate::flows) fn failed(card_closed: bool, plastic_void: bool) -> NoticeKind {
    NoticeKind::OrderFailed {
        reason: "DAMAGED".to_owned(),
        card_closed,
        plastic_void,
    }
}

pub(in crate::flows) fn shipped() -> NoticeKind {
    NoticeKind::OrderShipped {
        carrier: Some("Post".to_owned()),
        tracking_reference: Some("A-1".to_owned()),
    }
}

#[tokio::test]
async fn a_physical_card_is_linked_once_and_followed_to_its_holder() {
    for stage in stages().await {
        let services = &stage.services;
        let card = ordered(&stage, OrderKind::Physical, &token(1)).await;
        let returned = NoticeKind::OrderReturned {
            reason: "UNDELIVERABLE".to_owned(),
        };
        let life = [
            NoticeKind::OrderInProduction,
            NoticeKind::OrderLinked { exp: None },
            shipped(),
            returned,
        ];
        for (index, kind) in (1..).zip(life) {
            let notice = notice(&stage, index, kind, &card, &token(1));
            assert!(apply(services, &notice).await.unwrap());
            assert!(!apply(services, &notice).await.unwrap(), "{}: once", stage.engine);
        }
        let (standing, order) = now_at(&stage, &card).await;
        assert_eq!(standing.state, CardState::Inactive, "{}", stage.engine);
        assert!(matches!(order, OrderState::Returned { .. }), "{order:?}");
        assert_eq!(
            told(&stage, &card).await,
            ["card.linked", "card.shipped", "card.returned"]
        );
    }
}

#[tokio::test]
async fn a_lock_outside_waits_for_the_plastic_and_can_be_lifted_before_it() {
    for stage in stages().await {
        let services = &stage.services;
        let (kept, lifted) = (
            ordered(&stage, OrderKind::Physical, &token(1)).await,
            ordered(&stage, OrderKind::Physical, &token(2)).await,
        );
        let lock = || NoticeKind::LockedOutside { code: 7 };
        let notices = [
            notice(&stage, 1, lock(), &kept, &token(1)),
            notice(&stage, 2, lock(), &lifted, &token(2)),
            notice(&stage, 3, NoticeKind::UnlockedOutside, &lifted, &token(2)),
        ];
        for notice in &notices {
            apply(services, notice).await.unwrap();
        }
        let (standing, _) = now_at(&stage, &kept).await;
        assert!(
            matches!(standing.state, CardState::Ordered { lock: Some(_) }),
            "{}: {standing:?}",
            stage.engine
        );
        for (index, (card, order)) in (4..).zip([(&kept, token(1)), (&lifted, token(2))]) {
            let linked = notice(&stage, index, NoticeKind::OrderLinked { exp: None }, card, &order);
            apply(services, &linked).await.unwrap();
        }
        let (standing, _) = now_at(&stage, &kept).await;
        let CardState::Locked { lock, from } = standing.state else {
            panic!("{}: {standing:?}", stage.engine);
        };
        assert_eq!((lock.code.number(), from), (7, Unlocked::Inactive));
        assert_eq!(now_at(&stage, &lifted).await.0.state, CardState::Inactive);
        assert_eq!(told(&stage, &kept).await, ["card.locked", "card.linked"]);
        assert_eq!(
            told(&stage, &lifted).await,
            ["card.locked", "card.unlocked", "card.linked"]
        );
    }
}

#[tokio::test]
async fn what_failed_before_it_was_made_leaves_nothing_behind() {
    for stage in stages().await {
        let services = &stage.services;
        let physical = ordered(&stage, OrderKind::Physical, &token(1)).await;
        let print = ordered(&stage, OrderKind::Print, &token(2)).await;
        let notices = [
            notice(&stage, 1, failed(true, true), &physical, &token(1)),
            notice(&stage, 2, failed(false, true), &print, &token(2)),
        ];
        for notice in &notices {
            apply(services, notice).await.unwrap();
        }
        let (standing, order) = now_at(&stage, &physical).await;
        assert_eq!(standing.state, CardState::Removed, "{}", stage.engine);
        assert!(matches!(order, OrderState::Failed { .. }));
        let (standing, _) = now_at(&stage, &print).await;
        let virtual_again = Standing {
            kind: CardType::Virtual,
            ..print.standing
        };
        assert_eq!(standing, virtual_again, "{}: to be ordered anew", stage.engine);
    }
}

#[tokio::test]
async fn what_failed_later_takes_no_card_from_its_holder() {
    for stage in stages().await {
        let services = &stage.services;
        let card = ordered(&stage, OrderKind::Physical, &token(1)).await;
        for (index, kind) in (1..).zip([NoticeKind::OrderLinked { exp: None }, failed(false, false)]) {
            apply(services, &notice(&stage, index, kind, &card, &token(1)))
                .await
                .unwrap();
        }
        assert_eq!(now_at(&stage, &card).await.0.state, CardState::Inactive);
    }
}

#[tokio::test]
async fn a_notice_that_is_faster_than_our_own_row_waits_for_it() {
    for stage in stages().await {
        let services = &stage.services;
        let other = ordered(&stage, OrderKind::Physical, &token(1)).await;
        for (index, kind) in (1..).zip([
            NoticeKind::OrderInProduction,
            NoticeKind::OrderLinked { exp: None },
        ]) {
            apply(services, &notice(&stage, index, kind, &other, &token(9)))
                .await
                .unwrap();
        }
        let card = ordered(&stage, OrderKind::Physical, &token(9)).await;
        let mut tx = services.db.begin().await.unwrap();
        catch_up(services, &mut tx, &token(9)).await.unwrap();
        catch_up(services, &mut tx, &token(9)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            now_at(&stage, &card).await.0.state,
            CardState::Inactive,
            "{}",
            stage.engine
        );
        assert_eq!(told(&stage, &card).await, ["card.linked"]);
        assert_eq!(
            now_at(&stage, &other).await.0.state,
            CardState::Ordered { lock: None }
        );
    }
}

#[tokio::test]
async fn a_gap_stops_the_feed_and_two_processes_apply_each_notice_once() {
    for stage in stages().await {
        let services = &stage.services;
        let card = ordered(&stage, OrderKind::Physical, &token(1)).await;
        let linked = notice(
            &stage,
            41,
            NoticeKind::OrderLinked { exp: None },
            &card,
            &token(1),
        );
        let (one, two) = tokio::join!(apply(services, &linked), apply(services, &linked));
        assert_ne!(one.unwrap(), two.unwrap(), "{}", stage.engine);
        let later = notice(&stage, 43, shipped(), &card, &token(1));
        assert!(apply(services, &later).await.is_err(), "42 is missing");
        assert_eq!(told(&stage, &card).await, ["card.linked"]);
    }
}

#[tokio::test]
async fn the_bureau_is_late_once_and_a_late_confirmation_still_links() {
    for stage in stages().await {
        let services = &stage.services;
        let card = ordered(&stage, OrderKind::Physical, &token(1)).await;
        let late = async || flag_late_orders(services).await.unwrap();
        assert_eq!(late().await, 0);
        stage.clock.advance(Duration::hours(48));
        assert_eq!((late().await, late().await), (1, 0), "{}", stage.engine);
        let listed = async |scope: &Scope| {
            let mut read = services.db.read().await.unwrap();
            orders::overdue(&mut read, scope, 0, 10).await.unwrap().len()
        };
        let of = |partner: &str| Scope::Partner(partner.parse().unwrap());
        assert_eq!(listed(&Scope::Platform).await, 1, "{}", stage.engine);
        assert_eq!((listed(&of("partner")).await, listed(&of("other")).await), (1, 0));
        let linked = notice(&stage, 1, NoticeKind::OrderLinked { exp: None }, &card, &token(1));
        apply(services, &linked).await.unwrap();
        assert_eq!(now_at(&stage, &card).await.0.state, CardState::Inactive);
        assert_eq!(listed(&Scope::Platform).await, 0, "it is late no more");
        assert_eq!(told(&stage, &card).await, ["card.overdue", "card.linked"]);
    }
}
