//! Webhooks over a real database, with a clock that tests turn and endpoints on this machine.

mod remote_urls;

use std::sync::atomic::{AtomicUsize, Ordering};

use time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::create::{Wish, create};
use super::deliver::deliver;
use super::replay::{Replayed, replay};
use super::rotate::rotate;
use super::test_endpoint::test_endpoint;
use super::*;
use crate::domain::event::{Event, EventKind};
use crate::domain::webhook::{DeliveryState, DisabledBy, EventNumber, Kinds, WebhookUrl};
use crate::flows::events::hand_out::hand_out;
use crate::services::Services;
use crate::store::idempotency::{Answer, Request};
use crate::store::webhooks::deliveries::{self, Delivery, LEASE, Replay};
use crate::store::{events, mails};
use crate::testing::stages;

/// Nobody listens there.
pub(in crate::flows) const DEAD: &str = "http://127.0.0.1:1/hook";

fn request(key: Option<&str>) -> Request {
    Request {
        scope: "partner:partner POST /x".to_owned(),
        key: key.map(str::to_owned),
        fingerprint: [7; 32],
    }
}

fn answer(body: &str) -> Answer {
    Answer {
        status: 201,
        vault_proof: None,
        audit_index: None,
        body: body.as_bytes().to_vec(),
    }
}

pub(in crate::flows) async fn endpoint(services: &Services, url: &str, kinds: Kinds) -> EndpointId {
    let wish = Wish {
        url: WebhookUrl::parse(url).unwrap(),
        kinds,
        description: None,
    };
    let mut id = EndpointId(0);
    let partner = "partner".parse().unwrap();
    create(services, &request(None), &partner, wish, |endpoint, _| {
        id = endpoint.id;
        Ok(answer(""))
    })
    .await
    .unwrap();
    id
}

pub(in crate::flows) async fn happen(services: &Services, kind: EventKind) {
    let mut tx = services.db.begin().await.unwrap();
    let event = Event::new(kind, &"partner".parse().unwrap());
    events::write(&mut tx, &event, services.now()).await.unwrap();
    tx.commit().await.unwrap();
    hand_out(services).await.unwrap();
}

/// Tries what is due, once; how many deliveries that were.
pub(in crate::flows) async fn try_due(services: &Services, endpoint: EndpointId) -> usize {
    let mut tx = services.db.begin().await.unwrap();
    let due = deliveries::take_due(&mut tx, endpoint, services.now(), 100)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for one in &due {
        deliver(services, one).await.unwrap();
    }
    due.len()
}

async fn all(services: &Services, endpoint: EndpointId) -> Vec<Delivery> {
    let mut read = services.db.read().await.unwrap();
    deliveries::list(&mut read, endpoint, None, (0, 100))
        .await
        .unwrap()
}

async fn found(services: &Services, id: EndpointId) -> Endpoint {
    let mut read = services.db.read().await.unwrap();
    webhooks::find(&mut read, id).await.unwrap().unwrap()
}

fn partner() -> Scope {
    own(&"partner".parse().unwrap())
}

/// An endpoint that answers each request with the next of these statuses, and with the last one from then on; and how often it
/// was asked.
async fn answering(statuses: &'static [u16]) -> (String, std::sync::Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 16 * 1024];
            let _ = stream.read(&mut head).await;
            let turn = count.fetch_add(1, Ordering::SeqCst).min(statuses.len() - 1);
            let status = statuses.get(turn).unwrap();
            let answer = format!(
                "HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn the_secret_is_shown_once_and_lies_nowhere_in_clear() {
    for stage in stages().await {
        let services = &stage.services;
        let wish = || Wish {
            url: WebhookUrl::parse(DEAD).unwrap(),
            kinds: Kinds::All,
            description: None,
        };
        let name = "partner".parse().unwrap();
        let shown =
            |_: &Endpoint, secret: &crate::domain::webhook::WebhookSecret| Ok(answer(secret.expose()));
        let first = create(services, &request(Some("k")), &name, wish(), shown)
            .await
            .unwrap();
        assert!(first.body.starts_with(b"whsec_") && first.body.len() == 50);
        let again = create(services, &request(Some("k")), &name, wish(), shown)
            .await
            .unwrap();
        assert_eq!(first, again, "{}", stage.engine);
        let mut read = services.db.read().await.unwrap();
        let listed = webhooks::list(&mut read, &partner(), (0, 9)).await.unwrap();
        assert_eq!(listed.len(), 1, "a retry made a second endpoint");
        let secrets = webhooks::secrets(&mut read, listed.first().unwrap().id)
            .await
            .unwrap()
            .unwrap();
        let remembered = {
            let mut tx = services.db.begin().await.unwrap();
            match services
                .claims
                .claim(&mut tx, &request(Some("k")), services.now())
                .await
                .unwrap()
            {
                crate::store::idempotency::Claimed::Replay(answer) => answer.body,
                _ => panic!("nothing is remembered"),
            }
        };
        for kept in [&secrets.current, &remembered] {
            assert!(
                !kept.windows(6).any(|window| window == b"whsec_"),
                "{}",
                stage.engine
            );
        }
    }
}

#[tokio::test]
async fn each_endpoint_gets_what_it_wants_and_a_disabled_one_nothing() {
    for stage in stages().await {
        let services = &stage.services;
        let every = endpoint(services, DEAD, Kinds::All).await;
        let some = endpoint(services, DEAD, Kinds::Some(vec![EventKind::CardLocked])).await;
        let off = endpoint(services, DEAD, Kinds::All).await;
        let mut tx = services.db.begin().await.unwrap();
        webhooks::set_disabled(&mut tx, off, Some(DisabledBy::Partner))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        for kind in [EventKind::UserCreated, EventKind::CardLocked] {
            happen(services, kind).await;
        }
        for (id, count) in [(every, 2), (some, 1), (off, 0)] {
            assert_eq!(all(services, id).await.len(), count, "{} {id:?}", stage.engine);
        }
        let told = test_endpoint(services, &request(None), (&partner(), some), |_| Ok(answer(""))).await;
        told.unwrap();
        assert_eq!(all(services, some).await.len(), 2);
        assert_eq!(all(services, every).await.len(), 2, "a test went elsewhere");
        let refused = test_endpoint(services, &request(None), (&partner(), off), |_| Ok(answer(""))).await;
        assert_eq!(refused.unwrap_err().code(), Code::WebhookDisabled);
        let other = own(&"other".parse().unwrap());
        let hidden = test_endpoint(services, &request(None), (&other, some), |_| Ok(answer(""))).await;
        assert_eq!(hidden.unwrap_err().code(), Code::NotFound);
    }
}

#[tokio::test]
async fn what_fails_is_tried_by_the_schedule_and_then_given_up_and_replayed_anew() {
    for stage in stages().await {
        let services = &stage.services;
        let id = endpoint(services, DEAD, Kinds::All).await;
        happen(services, EventKind::UserCreated).await;
        for tries in 1..=10 {
            assert_eq!(try_due(services, id).await, 1, "{} {tries}", stage.engine);
            assert_eq!(try_due(services, id).await, 0, "tried again at once");
            let delivery = all(services, id).await.remove(0);
            assert_eq!(delivery.tries, tries);
            assert_eq!(delivery.last_failure.as_deref(), Some("NOT_REACHED"));
            let given_up = tries == 10;
            assert_eq!(delivery.state == DeliveryState::Failed, given_up, "{tries}");
            stage.clock.advance(delivery.next_try_at - services.now());
        }
        assert_eq!(found(services, id).await.disabled_by, None);
        let (again, all_of_it) = (
            Replay::Events(vec![EventNumber(1001)]),
            Replay::Between(services.now() - Duration::days(9), services.now()),
        );
        for which in [again, all_of_it] {
            let mut replayed = None;
            replay(
                services,
                &request(None),
                (&partner(), id),
                (&which, None),
                |told| {
                    replayed = Some(told);
                    Ok(answer(""))
                },
            )
            .await
            .unwrap();
            assert_eq!(
                replayed,
                Some(Replayed {
                    events: 1,
                    more: false
                })
            );
        }
        let delivery = all(services, id).await.remove(0);
        assert_eq!((delivery.state, delivery.tries), (DeliveryState::Pending, 0));
        let unknown = Replay::Events(vec![EventNumber(1001), EventNumber(9999)]);
        let refused = replay(
            services,
            &request(None),
            (&partner(), id),
            (&unknown, None),
            |_| Ok(answer("")),
        )
        .await;
        assert_eq!(refused.unwrap_err().code(), Code::NotFound);
    }
}

#[tokio::test]
async fn an_endpoint_that_fails_for_days_is_disabled_and_the_partner_is_told() {
    for stage in stages().await {
        let services = &stage.services;
        let id = endpoint(services, DEAD, Kinds::All).await;
        happen(services, EventKind::UserCreated).await;
        try_due(services, id).await;
        assert!(found(services, id).await.failing_since.is_some());
        stage.clock.advance(Duration::hours(121));
        try_due(services, id).await;
        assert_eq!(
            found(services, id).await.disabled_by,
            Some(DisabledBy::Failing),
            "{}",
            stage.engine
        );
        hand_out(services).await.unwrap();
        let mut tx = services.db.begin().await.unwrap();
        let mails = mails::take_due(&mut tx, services.now(), 9).await.unwrap();
        assert_eq!(mails.len(), 1);
        assert_eq!(mails.first().unwrap().recipient, "desk@bank.example");
        let told = events::find(&mut tx, EventNumber(1002)).await.unwrap().unwrap();
        assert_eq!(told.kind, EventKind::WebhookDisabled);
        // What waits goes on once it is enabled.
        let waits = all(services, id).await.remove(0);
        assert_eq!(waits.state, DeliveryState::Pending);
        assert!(
            deliveries::due_endpoints(&mut tx, services.now() + Duration::days(2))
                .await
                .unwrap()
                .is_empty()
        );
        webhooks::set_disabled(&mut tx, id, None).await.unwrap();
        tx.commit().await.unwrap();
        stage.clock.advance(Duration::days(2));
        assert_eq!(try_due(services, id).await, 1);
        assert_eq!(
            found(services, id).await.disabled_by,
            None,
            "it starts with a clean slate"
        );
    }
}

#[tokio::test]
async fn answers_are_judged_by_their_status_and_redirects_are_not_followed() {
    for stage in stages().await {
        let services = &stage.services;
        let (url, asked) = answering(&[500, 302, 204, 410]).await;
        let id = endpoint(services, &url, Kinds::All).await;
        happen(services, EventKind::UserCreated).await;
        for expected in [500, 302] {
            try_due(services, id).await;
            let delivery = all(services, id).await.remove(0);
            assert_eq!(delivery.last_status, Some(expected), "{}", stage.engine);
            assert_eq!(delivery.last_failure.as_deref(), Some("STATUS"));
            stage.clock.advance(Duration::hours(1));
        }
        try_due(services, id).await;
        let delivery = all(services, id).await.remove(0);
        assert_eq!(
            (delivery.state, delivery.last_status),
            (DeliveryState::Delivered, Some(204))
        );
        assert_eq!(found(services, id).await.failing_since, None);
        happen(services, EventKind::UserCreated).await;
        try_due(services, id).await;
        assert_eq!(found(services, id).await.disabled_by, Some(DisabledBy::Gone));
        assert_eq!(
            all(services, id).await.pop().unwrap().state,
            DeliveryState::Failed
        );
        assert_eq!(asked.load(Ordering::SeqCst), 4);
    }
}

#[tokio::test]
async fn a_lease_keeps_others_off_and_ends_with_a_process_that_died() {
    for stage in stages().await {
        let services = &stage.services;
        let (url, _) = answering(&[500]).await;
        let id = endpoint(services, &url, Kinds::All).await;
        happen(services, EventKind::UserCreated).await;
        let mut tx = services.db.begin().await.unwrap();
        let dead = deliveries::take_due(&mut tx, id, services.now(), 9)
            .await
            .unwrap()
            .remove(0);
        tx.commit().await.unwrap();
        // A replay does not give what is tried to somebody else.
        let which = Replay::Events(vec![EventNumber(1001)]);
        replay(services, &request(None), (&partner(), id), (&which, None), |_| {
            Ok(answer(""))
        })
        .await
        .unwrap();
        assert_eq!(try_due(services, id).await, 0, "{}", stage.engine);
        stage.clock.advance(LEASE);
        assert_eq!(try_due(services, id).await, 1);
        let waits = all(services, id).await.remove(0);
        // The dead one speaks after all: its failure is no news, an arrival would be.
        deliver(services, &dead).await.unwrap();
        assert_eq!(all(services, id).await.remove(0).next_try_at, waits.next_try_at);
        let mut tx = services.db.begin().await.unwrap();
        deliveries::arrived(&mut tx, &dead, 200, services.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(all(services, id).await.remove(0).state, DeliveryState::Delivered);
    }
}

#[tokio::test]
async fn what_is_replayed_while_it_is_on_its_way_goes_once_more() {
    for stage in stages().await {
        let services = &stage.services;
        let (url, asked) = answering(&[200]).await;
        let id = endpoint(services, &url, Kinds::All).await;
        happen(services, EventKind::UserCreated).await;
        let mut tx = services.db.begin().await.unwrap();
        let due = deliveries::take_due(&mut tx, id, services.now(), 9)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        stage.clock.advance(Duration::milliseconds(5));
        let which = Replay::Events(vec![EventNumber(1001)]);
        let shown = |_: Replayed| Ok(answer(""));
        replay(services, &request(None), (&partner(), id), (&which, None), shown)
            .await
            .unwrap();
        deliver(services, due.first().unwrap()).await.unwrap();
        assert_eq!(try_due(services, id).await, 1, "{}", stage.engine);
        assert_eq!(try_due(services, id).await, 0, "{}", stage.engine);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert_eq!(all(services, id).await.remove(0).state, DeliveryState::Delivered);
    }
}

#[tokio::test]
async fn two_processes_take_different_deliveries() {
    for stage in stages().await {
        let services = &stage.services;
        let id = endpoint(services, DEAD, Kinds::All).await;
        for _ in 0..20 {
            happen(services, EventKind::UserCreated).await;
        }
        let take = async || {
            let mut tx = services.db.begin().await.unwrap();
            let due = deliveries::take_due(&mut tx, id, services.now(), 15)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            due.into_iter().map(|due| due.event.number).collect::<Vec<_>>()
        };
        let (one, other) = tokio::join!(take(), take());
        let mut taken = [one, other].concat();
        let count = taken.len();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), count, "{}: taken twice", stage.engine);
        assert!(count >= 15, "{}", stage.engine);
    }
}

#[tokio::test]
async fn for_a_day_both_secrets_sign() {
    for stage in stages().await {
        let services = &stage.services;
        let id = endpoint(services, DEAD, Kinds::All).await;
        let mut read = services.db.read().await.unwrap();
        let first = webhooks::secrets(&mut read, id).await.unwrap().unwrap().current;
        let shown =
            |_: &Endpoint, secret: &crate::domain::webhook::WebhookSecret| Ok(answer(secret.expose()));
        let new = rotate(services, &request(Some("r")), (&partner(), id), shown)
            .await
            .unwrap();
        let again = rotate(services, &request(Some("r")), (&partner(), id), shown)
            .await
            .unwrap();
        assert_eq!(new, again, "{}: a retry rotated twice", stage.engine);
        let secrets = webhooks::secrets(&mut read, id).await.unwrap().unwrap();
        let (old, until) = secrets.old.unwrap();
        assert_eq!(old, first);
        assert_eq!(until, services.now() + Duration::hours(24));
        let mut tx = services.db.begin().await.unwrap();
        webhooks::sweep(&mut tx, until + Duration::seconds(1))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert!(
            webhooks::secrets(&mut read, id)
                .await
                .unwrap()
                .unwrap()
                .old
                .is_none()
        );
    }
}

#[tokio::test]
async fn what_is_old_goes_but_nothing_that_is_still_tried() {
    for stage in stages().await {
        let services = &stage.services;
        let (url, _) = answering(&[200]).await;
        let (well, dead) = (
            endpoint(services, &url, Kinds::Some(vec![EventKind::UserCreated])).await,
            endpoint(services, DEAD, Kinds::Some(vec![EventKind::CardLocked])).await,
        );
        happen(services, EventKind::UserCreated).await;
        happen(services, EventKind::CardLocked).await;
        try_due(services, well).await;
        let sweep = async |before| {
            let mut tx = services.db.begin().await.unwrap();
            deliveries::sweep(&mut tx, before, 100).await.unwrap();
            events::sweep(&mut tx, before, 100).await.unwrap();
            webhooks::sweep(&mut tx, services.now()).await.unwrap();
            tx.commit().await.unwrap();
        };
        let there = async |number| {
            let mut read = services.db.read().await.unwrap();
            events::find(&mut read, EventNumber(number))
                .await
                .unwrap()
                .is_some()
        };
        sweep(services.now()).await;
        assert!(there(1001).await && there(1002).await, "{}", stage.engine);
        sweep(services.now() + Duration::seconds(1)).await;
        assert!(!there(1001).await && there(1002).await, "{}", stage.engine);
        change::delete(services, (&partner(), dead)).await.unwrap();
        sweep(services.now() + Duration::seconds(1)).await;
        sweep(services.now() + Duration::seconds(1)).await;
        assert!(!there(1002).await, "{}", stage.engine);
        let mut read = services.db.read().await.unwrap();
        assert!(webhooks::find(&mut read, dead).await.unwrap().is_none());
        assert!(find(&mut read, &partner(), dead).await.is_err());
    }
}
