//! Cards with plastic that near their end, as far as the vault is not needed: it is away.

use shared::ids::OrderToken;
use shared::vault_api::cards::RenewalOrdered;
use shared::vault_api::notices::{Notice, NoticeKind};
use shared::vault_api::plastic::OrderKind as MadeOf;
use time::Duration;

use super::super::{activate, age, effect, plastic};
use super::*;
use crate::domain::card::Renewal;
use crate::flows::notices;
use crate::store::card_requests::{CardRequest, RenewalActivation};
use crate::store::cards as card_rows;

const ADDRESS: &str =
    r#"{"line1":"1 Harbour Street","city":"Vilnius","postalCode":"LT-01001","country":"LT"}"#;

/// The end of the cards here: within 45 days of [`NOON`].
const END: &str = "2026-12-31";
const NEXT: &str = "2029-12-31";

impl Desk {
    /// A card in use with plastic in its holder's hands.
    async fn with_plastic(&self, kind: &'static str) -> Card {
        let card = self.card().await;
        let mut tx = self.services().db.begin().await.unwrap();
        sqlx::query("UPDATE cards SET kind = $1, exp = $2 WHERE id = $3")
            .bind(kind)
            .bind(END)
            .bind(card.id.0)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        self.row(&card).await
    }

    async fn row(&self, card: &Card) -> Card {
        let mut read = self.services().db.read().await.unwrap();
        let found = card_rows::find(&mut read, self.user, card.id).await.unwrap();
        found.unwrap()
    }

    async fn has_address(&self) {
        let mut tx = self.services().db.begin().await.unwrap();
        sqlx::query("UPDATE users SET address = $1")
            .bind(ADDRESS)
            .execute(&mut *tx)
            .await
            .unwrap();
        card_rows::life::try_renewals_again(&mut tx, self.user)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn told(&self, kind: &'static str) -> i64 {
        let mut read = self.services().db.read().await.unwrap();
        let counted = sqlx::query("SELECT count(*) FROM events WHERE kind = $1").bind(kind);
        counted.fetch_one(&mut *read).await.unwrap().get(0)
    }

    /// The vault has placed the order, whose token is made of `number`: what follows here, twice.
    async fn ordered(&self, card: &Card, kind: MadeOf, number: u8) {
        let ordered = RenewalOrdered {
            card: card.token.clone(),
            exp: NEXT.parse().unwrap(),
            order: OrderToken::from_random(&[number; 16]).unwrap(),
            kind,
        };
        let mut tx = self.services().db.begin().await.unwrap();
        for _ in 0..2 {
            let effect = plastic::renewal(self.services(), &mut tx, card.id, ordered.clone());
            effect.await.unwrap().unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn bureau_says(&self, index: u64, card: &Card, number: u8, kind: NoticeKind) {
        let notice = Notice {
            index,
            at: self.services().now(),
            kind,
            card: card.token.clone(),
            order: Some(OrderToken::from_random(&[number; 16]).unwrap()),
        };
        assert!(notices::apply(self.services(), &notice).await.unwrap());
    }

    async fn activate(&self, card: &Card) -> Result<Answer, Error> {
        let caller = self.caller(Party::User).await;
        activate::activate(self.services(), &caller, card.id, &request("activate", 1)).await
    }

    /// Work that activates the next plastic, as a try leaves it that was cut short.
    async fn activation(&self, card: &Card) -> CardRequest {
        let call = shared::vault_api::cards::ActivateRenewal {
            ends: card.exp,
            actor: self.caller(Party::User).await.actor.clone(),
        };
        let task = RenewalActivation::new(card.token.clone(), Party::User, call);
        let (key, now) = (self.services().vault_key().unwrap(), self.services().now());
        let mut tx = self.services().db.begin().await.unwrap();
        let task = Task::ActivateRenewal(task);
        let work = card_requests::begin(&mut tx, card.id, None, key, task, None, now).await;
        tx.commit().await.unwrap();
        work.unwrap()
    }
}

fn made() -> NoticeKind {
    NoticeKind::OrderLinked { exp: None }
}

fn failed() -> NoticeKind {
    NoticeKind::OrderFailed {
        reason: "DAMAGED".to_owned(),
        card_closed: false,
        plastic_void: false,
    }
}

#[tokio::test]
async fn the_next_plastic_is_asked_for_once_and_only_to_an_address() {
    for desk in desks().await {
        let engine = desk.stage.engine;
        desk.write("UPDATE users SET address = NULL").await;
        desk.with_plastic("PHYSICAL").await;
        let begin = async || age::begin_renewals(desk.services()).await.unwrap();
        desk.stage.clock.advance(Duration::days(-10));
        assert_eq!(begin().await, 0, "{engine}: 48 days before its end");
        desk.stage.clock.advance(Duration::days(10));
        begin().await;
        begin().await;
        assert_eq!(desk.count("card_requests").await, 0, "{engine}: no address");
        assert_eq!(desk.told("card.not_renewed").await, 1, "{engine}: told once");
        desk.has_address().await;
        assert_eq!((begin().await, begin().await), (1, 0), "{engine}");
        assert_eq!(desk.count("card_requests").await, 1);
        let mut read = desk.services().db.read().await.unwrap();
        let task = sqlx::query("SELECT task FROM card_requests")
            .fetch_one(&mut *read)
            .await
            .unwrap();
        let task: serde_json::Value = serde_json::from_str(task.get(0)).unwrap();
        assert_eq!(task["operation"], "RENEW_PLASTIC");
        assert_eq!(task["call"]["ends"], END);
        assert_eq!(task["call"]["address"]["city"], "Vilnius");
        let name = task["call"]["embossedName"].as_str().unwrap();
        assert_eq!(name, name.to_ascii_uppercase());
    }
}

#[tokio::test]
async fn plastic_that_is_being_made_and_cards_that_are_told_not_to_are_left_alone() {
    for desk in desks().await {
        desk.has_address().await;
        let card = desk.with_plastic("DIGITAL_FIRST").await;
        let mut tx = desk.services().db.begin().await.unwrap();
        let order = OrderToken::from_random(&[1; 16]).unwrap();
        let kind = (crate::domain::order::OrderKind::Print, false);
        crate::store::orders::insert(&mut tx, &order, card.id, kind, NOON)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let begin = async || age::begin_renewals(desk.services()).await.unwrap();
        assert_eq!(begin().await, 0, "its first plastic is not made");
        desk.write("UPDATE orders SET state = 'SHIPPED'").await;
        desk.write("UPDATE cards SET automatic_renewal = 0").await;
        assert_eq!(begin().await, 0, "not wanted");
        desk.write("UPDATE cards SET automatic_renewal = 1, origin = 'FOREIGN'")
            .await;
        assert_eq!(begin().await, 0, "another issuer's");
        desk.write("UPDATE cards SET origin = 'ISSUED'").await;
        desk.write("UPDATE users SET standing = 'LOCKED'").await;
        assert_eq!(begin().await, 0, "a locked user's");
        desk.write("UPDATE users SET standing = 'OPEN'").await;
        assert_eq!(begin().await, 1, "{}", desk.stage.engine);
    }
}

#[tokio::test]
async fn a_physical_card_goes_on_when_its_holder_activates_the_next_plastic() {
    for desk in desks().await {
        let engine = desk.stage.engine;
        let card = desk.with_plastic("PHYSICAL").await;
        desk.ordered(&card, MadeOf::Physical, 1).await;
        assert_eq!(desk.told("card.renewal_ordered").await, 1, "{engine}: once");
        let (exp, next) = (END.parse().unwrap(), NEXT.parse().unwrap());
        let row = desk.row(&card).await;
        assert_eq!(row.standing.renewal, Some(Renewal::Ordered { exp: next }));
        assert!(row.delivery.is_some_and(|delivery| delivery.renewal));
        assert_eq!(code(desk.activate(&card).await), Code::AlreadyActive, "not made");
        desk.bureau_says(1, &card, 1, made()).await;
        let row = desk.row(&card).await;
        assert_eq!(
            (row.exp, row.standing.renewal),
            (exp, Some(Renewal::Made { exp: next }))
        );
        let returned = NoticeKind::OrderReturned {
            reason: "REFUSED".to_owned(),
        };
        desk.bureau_says(2, &card, 1, returned).await;
        assert_eq!(code(desk.activate(&card).await), Code::CardReturned);
        let shipped = NoticeKind::OrderShipped {
            carrier: None,
            tracking_reference: None,
        };
        desk.bureau_says(3, &card, 1, shipped).await;
        // The vault knows the end and the code that are to hold: without it nothing happens.
        assert_eq!(code(desk.activate(&card).await), Code::VaultUnavailable);
        assert_eq!(desk.row(&card).await.exp, exp, "{engine}");

        // Its old end passes meanwhile.
        desk.stage.clock.advance(Duration::days(60));
        age::expire(desk.services()).await.unwrap();
        assert_eq!(desk.state(&card).await, CardState::Expired { lock: None });
        let work = desk.activation(&card).await;
        for _ in 0..2 {
            let mut tx = desk.services().db.begin().await.unwrap();
            let effect = effect::renewal_activated(desk.services(), &mut tx, &work, Party::User, (exp, next));
            let answer = effect.await.unwrap().unwrap();
            let shown: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!((&shown["state"], &shown["exp"]), (&"ACTIVE".into(), &NEXT.into()));
            assert!(shown.get("nextExp").is_none(), "{shown}");
            tx.commit().await.unwrap();
        }
        let row = desk.row(&card).await;
        assert_eq!((row.exp, row.standing.renewal), (next, None));
        assert_eq!(desk.state(&card).await, CardState::Active);
        for (kind, times) in [
            ("card.linked", 1),
            ("card.renewed", 1),
            ("card.activated", 1),
            ("card.expired", 1),
        ] {
            assert_eq!(desk.told(kind).await, times, "{kind} {engine}");
        }
    }
}

#[tokio::test]
async fn plastic_without_activation_takes_over_when_the_vault_says_so() {
    for desk in desks().await {
        let card = desk.with_plastic("DIGITAL_FIRST").await;
        // The vault's word is here before the order is.
        let linked = NoticeKind::OrderLinked {
            exp: Some(NEXT.parse().unwrap()),
        };
        desk.bureau_says(1, &card, 1, linked).await;
        assert_eq!(desk.row(&card).await.exp, card.exp);
        desk.ordered(&card, MadeOf::Print, 1).await;
        let row = desk.row(&card).await;
        assert_eq!((row.exp, row.standing.renewal), (NEXT.parse().unwrap(), None));
        desk.bureau_says(2, &card, 1, failed()).await;
        assert_eq!(desk.row(&card).await.standing, row.standing, "its holder has it");
        let told = (desk.told("card.renewed").await, desk.told("card.linked").await);
        assert_eq!(told, (1, 0), "{}", desk.stage.engine);
    }
}

#[tokio::test]
async fn what_will_not_come_ends_the_renewal_and_a_new_address_begins_another() {
    for desk in desks().await {
        for (number, kind) in [(1, "PHYSICAL"), (2, "DIGITAL_FIRST")] {
            let card = desk.with_plastic(kind).await;
            desk.write("UPDATE cards SET renewal_of = exp").await;
            let made_of = if number == 1 {
                MadeOf::Physical
            } else {
                MadeOf::Print
            };
            desk.ordered(&card, made_of, number).await;
            desk.bureau_says(number.into(), &card, number, failed()).await;
            let row = desk.row(&card).await;
            assert_eq!((row.exp, row.standing), (card.exp, card.standing), "as it was");
        }
        let begin = async || age::begin_renewals(desk.services()).await.unwrap();
        assert_eq!(begin().await, 0, "not by itself");
        desk.has_address().await;
        assert_eq!(begin().await, 2, "{}", desk.stage.engine);
    }
}

#[tokio::test]
async fn a_card_that_is_locked_for_good_or_removed_does_not_go_on() {
    for desk in desks().await {
        for (number, end) in [
            (1, "state = 'REMOVED'"),
            (
                2,
                "state = 'LOCKED', lock_code = 1, lock_placed_by = 'USER', lock_placed_at = 0, lock_from = 'ACTIVE'",
            ),
        ] {
            let card = desk.with_plastic("PHYSICAL").await;
            desk.ordered(&card, MadeOf::Physical, number).await;
            let mut tx = desk.services().db.begin().await.unwrap();
            let statement = format!("UPDATE cards SET {end} WHERE id = {}", card.id.0);
            sqlx::query(sqlx::AssertSqlSafe(statement))
                .execute(&mut *tx)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            desk.bureau_says(number.into(), &card, number, made()).await;
            let row = desk.row(&card).await;
            assert_eq!((row.exp, row.standing.renewal), (card.exp, None));
            let refused = code(desk.activate(&card).await);
            assert!(
                matches!(refused, Code::CardRemoved | Code::LockIrreversible),
                "{refused:?}"
            );
        }
    }
}
