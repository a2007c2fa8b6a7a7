//! Events over a real database: in which order they are handed out, and who is written to.

mod letters;

use serde_json::json;

use super::hand_out::hand_out;
use super::*;
use crate::domain::card::CardId;
use crate::domain::event::{Event, EventKind};
use crate::domain::user::UserId;
use crate::domain::webhook::{EventNumber, Kinds};
use crate::operator_key::Sealed;
use crate::services::Services;
use crate::store::tests::people::user;
use crate::store::{Tx, events, mails};
use crate::testing::stages;

async fn write(services: &Services, tx: &mut Tx, kind: EventKind, user: Option<UserId>) {
    let mut event = Event::new(kind, &"partner".parse().unwrap()).telling("placedBy", "PROCESSOR");
    event.user = user;
    events::write(tx, &event, services.now()).await.unwrap();
}

async fn told(services: &Services, after: i64) -> Vec<(i64, EventKind)> {
    let mut read = services.db.read().await.unwrap();
    let partner = "partner".parse().unwrap();
    let rows = events::list(&mut read, &partner, &Kinds::All, (after, 100)).await;
    rows.unwrap()
        .iter()
        .map(|told| (told.number.0, told.kind))
        .collect()
}

/// Mails that wait: Message-ID, recipient, subject, text.
async fn waiting(services: &Services) -> Vec<(String, String, String, String)> {
    let mut tx = services.db.begin().await.unwrap();
    let later = services.now() + time::Duration::days(1);
    let due = mails::take_due(&mut tx, later, 100).await.unwrap();
    let opened = due.into_iter().map(|mail| {
        let text = services
            .operator_key
            .open(Sealed::Mail, &mail.message_id, &mail.body);
        let text = String::from_utf8(text.unwrap().to_vec()).unwrap();
        (mail.message_id, mail.recipient, mail.subject, text)
    });
    opened.collect()
}

/// PostgreSQL's sequences do not wait for commits: what was drawn first may be seen last, and is not passed over.
#[tokio::test]
async fn what_commits_late_is_told_late_and_not_passed_over() {
    for stage in stages().await {
        let services = &stage.services;
        if stage.engine == "sqlite" {
            continue; // One writer at a time: the order of ids is that of the commits.
        }
        let mut slow = services.db.begin().await.unwrap();
        write(services, &mut slow, EventKind::UserCreated, None).await;
        let mut quick = services.db.begin().await.unwrap();
        write(services, &mut quick, EventKind::UserUpdated, None).await;
        quick.commit().await.unwrap();
        assert_eq!(hand_out(services).await.unwrap(), 1);
        assert_eq!(told(services, 0).await, [(1001, EventKind::UserUpdated)]);
        slow.commit().await.unwrap();
        assert_eq!(hand_out(services).await.unwrap(), 1);
        assert_eq!(told(services, 1001).await, [(1002, EventKind::UserCreated)]);
    }
}

#[tokio::test]
async fn what_is_rolled_back_is_told_to_nobody_and_numbers_have_no_gap() {
    for stage in stages().await {
        let services = &stage.services;
        for commits in [true, false, true] {
            let mut tx = services.db.begin().await.unwrap();
            write(services, &mut tx, EventKind::UserCreated, None).await;
            if commits {
                tx.commit().await.unwrap();
            }
        }
        let (one, other) = tokio::join!(hand_out(services), hand_out(services));
        assert_eq!(one.unwrap() + other.unwrap(), 2, "{}", stage.engine);
        let numbers: Vec<_> = told(services, 0)
            .await
            .iter()
            .map(|(number, _)| *number)
            .collect();
        assert_eq!(numbers, [1001, 1002], "{}", stage.engine);
        assert_eq!(hand_out(services).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_commit_wakes_whoever_hands_out() {
    for stage in stages().await {
        let services = &stage.services;
        let mut tx = services.db.begin().await.unwrap();
        write(services, &mut tx, EventKind::UserCreated, None).await;
        tx.commit().await.unwrap();
        services.db.event_written().await;
    }
}

#[tokio::test]
async fn a_cards_events_are_numbered_and_told_with_what_they_are_about() {
    for stage in stages().await {
        let services = &stage.services;
        for card in [1001, 1002, 1001] {
            let mut tx = services.db.begin().await.unwrap();
            let event = Event::new(EventKind::CardLocked, &"partner".parse().unwrap())
                .about_user(UserId(1007))
                .about_card(CardId(card))
                .telling("code", 7);
            events::write(&mut tx, &event, services.now()).await.unwrap();
            tx.commit().await.unwrap();
        }
        hand_out(services).await.unwrap();
        let mut read = services.db.read().await.unwrap();
        for (number, card, sequence) in [(1001, 1001, 1), (1002, 1002, 1), (1003, 1001, 2)] {
            let told = events::find(&mut read, EventNumber(number))
                .await
                .unwrap()
                .unwrap();
            let message = serde_json::to_value(message_of(&told)).unwrap();
            let expected = json!({
                "id": number, "type": "card.locked", "timestamp": "2026-11-23T12:00:00Z",
                "occurredAt": "2026-11-23T12:00:00Z",
                "data": { "userId": 1007, "cardId": card, "cardSequence": sequence, "code": 7 },
            });
            assert_eq!(message, expected, "{}", stage.engine);
        }
    }
}

#[tokio::test]
async fn users_are_written_to_once_under_a_name_of_the_event() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        let mut tx = services.db.begin().await.unwrap();
        for kind in [
            EventKind::UserCreated,
            EventKind::HolderKeyPending,
            EventKind::CardLocked,
        ] {
            write(services, &mut tx, kind, Some(ada)).await;
        }
        // Nobody's: a user who is not there any more.
        write(services, &mut tx, EventKind::HolderKeyPending, Some(UserId(9))).await;
        tx.commit().await.unwrap();
        hand_out(services).await.unwrap();
        let mails = waiting(services).await;
        let names: Vec<_> = mails
            .iter()
            .map(|mail| (mail.0.as_str(), mail.1.as_str()))
            .collect();
        let ada = "ada@mail.example";
        let expected = [
            ("<event-1002.user@tessera.example>", ada),
            ("<event-1003.user@tessera.example>", ada),
        ];
        assert_eq!(names, expected, "{}", stage.engine);
        assert!(mails.first().unwrap().3.contains("further key"));
        let personal = ["Ada", "Example", "+48600"];
        assert!(
            !personal
                .iter()
                .any(|word| mails.iter().any(|mail| mail.3.contains(word)))
        );
    }
}

#[tokio::test]
async fn what_waits_for_a_user_who_is_removed_is_not_sent() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        let mut tx = services.db.begin().await.unwrap();
        write(services, &mut tx, EventKind::HolderKeyPending, Some(ada)).await;
        tx.commit().await.unwrap();
        hand_out(services).await.unwrap();
        let mut tx = services.db.begin().await.unwrap();
        mails::forget_user(&mut tx, ada).await.unwrap();
        tx.commit().await.unwrap();
        assert!(waiting(services).await.is_empty(), "{}", stage.engine);
    }
}

#[tokio::test]
async fn a_partners_contact_is_written_to_where_there_is_one() {
    for stage in stages().await {
        let services = &stage.services;
        let mut tx = services.db.begin().await.unwrap();
        write(services, &mut tx, EventKind::PartnerBalanceLow, None).await;
        let other = Event::new(EventKind::PartnerBalanceLow, &"other".parse().unwrap());
        events::write(&mut tx, &other, services.now()).await.unwrap();
        tx.commit().await.unwrap();
        hand_out(services).await.unwrap();
        let mails = waiting(services).await;
        assert_eq!(mails.len(), 1, "{}", stage.engine);
        let (id, to, _, text) = mails.first().unwrap();
        assert_eq!(
            (id.as_str(), to.as_str()),
            ("<event-1001.partner@tessera.example>", "desk@bank.example")
        );
        assert!(text.contains("partner: partner"));
    }
}
