//! Endpoints that the configuration keeps: made once, moved, taken away; what they are told, and what is left to their partner.

use std::sync::Arc;

use shared::ids::ProgramName;

use super::*;
use crate::config::Program;
use crate::domain::user::UserId;
use crate::flows::webhooks::change::{change, delete};
use crate::flows::webhooks::keep_remote_urls::keep_remote_urls;
use crate::store::tests::people::user_in;
use crate::store::webhooks::remote_urls;
use crate::testing::Stage;

const EUR: &str = "http://127.0.0.1:1/eur";
const PLN: &str = "http://127.0.0.1:1/pln";

fn program<'a>(stage: &'a mut Stage, name: &str) -> &'a mut Program {
    let services = Arc::get_mut(&mut stage.services).unwrap();
    let mut programs = services.config.programs.iter_mut();
    programs.find(|program| program.name.as_str() == name).unwrap()
}

/// Starts the gateway anew under a configuration with these remote URLs of the two programs, and gives their endpoints.
async fn started_with(stage: &mut Stage, urls: [Option<&str>; 2]) -> Vec<Endpoint> {
    for (name, url) in ["demo-eur", "demo-pln"].into_iter().zip(urls) {
        program(stage, name).remote_url = url.map(|url| WebhookUrl::parse(url).unwrap());
    }
    keep_remote_urls(&stage.services).await.unwrap();
    there(&stage.services).await
}

async fn there(services: &Services) -> Vec<Endpoint> {
    let mut read = services.db.read().await.unwrap();
    remote_urls::list(&mut read).await.unwrap()
}

fn names(endpoints: &[Endpoint]) -> Vec<(&str, &str)> {
    endpoints
        .iter()
        .map(|endpoint| (endpoint.program.as_ref().unwrap().as_str(), endpoint.url.as_str()))
        .collect()
}

async fn disable(services: &Services, id: EndpointId, by: DisabledBy) {
    let mut tx = services.db.begin().await.unwrap();
    webhooks::set_disabled(&mut tx, id, Some(by)).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_endpoint_comes_moves_and_goes_with_the_setting() {
    for mut stage in stages().await {
        let made = started_with(&mut stage, [Some(EUR), None]).await;
        assert_eq!(names(&made), [("demo-eur", EUR)], "{}", stage.engine);
        let first = made.first().unwrap().clone();
        assert_eq!((&first.kinds, first.disabled_by), (&Kinds::All, None));
        let sealed = {
            let mut read = stage.services.db.read().await.unwrap();
            webhooks::secrets(&mut read, first.id)
                .await
                .unwrap()
                .unwrap()
                .current
        };
        assert!(sealed.len() > 50 && !sealed.windows(6).any(|window| window == b"whsec_"));
        assert_eq!(started_with(&mut stage, [Some(EUR), None]).await, made);

        // What was found out about an address ends with it; what an operator has decided does not.
        for (by, afterwards) in [
            (DisabledBy::Gone, None),
            (DisabledBy::Operator, Some(DisabledBy::Operator)),
        ] {
            let url = format!("{EUR}/{}", by.as_str());
            disable(&stage.services, first.id, by).await;
            let moved = started_with(&mut stage, [Some(&url), Some(PLN)]).await;
            assert_eq!(names(&moved), [("demo-eur", url.as_str()), ("demo-pln", PLN)]);
            let moved = moved.first().unwrap();
            assert_eq!(
                (moved.id, moved.disabled_by),
                (first.id, afterwards),
                "{}",
                stage.engine
            );
        }

        let left = started_with(&mut stage, [None, Some(PLN)]).await;
        assert_eq!(names(&left), [("demo-pln", PLN)], "{}", stage.engine);
        let mut read = stage.services.db.read().await.unwrap();
        assert!(webhooks::find(&mut read, first.id).await.unwrap().is_none());
        drop(read);
        let again = started_with(&mut stage, [Some(EUR), Some(PLN)]).await;
        assert!(again.iter().all(|endpoint| endpoint.id != first.id));

        program(&mut stage, "demo-eur").partner = "other".parse().unwrap();
        let changed_hands = started_with(&mut stage, [Some(EUR), Some(PLN)]).await;
        let partners: Vec<_> = changed_hands
            .iter()
            .map(|endpoint| endpoint.partner.as_str())
            .collect();
        assert_eq!(partners, ["partner", "other"], "{}", stage.engine);
    }
}

#[tokio::test]
async fn processes_that_start_at_once_make_one() {
    for mut stage in stages().await {
        for (name, url) in [("demo-eur", EUR), ("demo-pln", PLN)] {
            program(&mut stage, name).remote_url = Some(WebhookUrl::parse(url).unwrap());
        }
        let services = &stage.services;
        let (one, two, three) = tokio::join!(
            keep_remote_urls(services),
            keep_remote_urls(services),
            keep_remote_urls(services)
        );
        for kept in [one, two, three] {
            kept.unwrap();
        }
        let there = there(services).await;
        assert_eq!(
            names(&there),
            [("demo-eur", EUR), ("demo-pln", PLN)],
            "{}",
            stage.engine
        );
    }
}

/// The other process, which read before this one wrote, waits for it and finds what it made.
#[tokio::test]
async fn the_second_to_make_one_finds_the_first() {
    for mut stage in stages().await {
        let made = started_with(&mut stage, [Some(EUR), None]).await.remove(0);
        let mut tx = stage.services.db.begin().await.unwrap();
        let another = Endpoint {
            id: webhooks::next_id(&mut tx).await.unwrap(),
            ..made.clone()
        };
        assert!(
            !webhooks::insert(&mut tx, &another, b"sealed").await.unwrap(),
            "{}",
            stage.engine
        );
        let found = remote_urls::take(&mut tx, &made.partner, made.program.as_ref().unwrap()).await;
        assert_eq!(found.unwrap(), Some(made), "{}", stage.engine);
    }
}

/// An event about a user, about a program, or about neither.
async fn tell(services: &Services, user: Option<UserId>, program: Option<&ProgramName>) {
    let mut tx = services.db.begin().await.unwrap();
    let mut event = Event::new(EventKind::UserUpdated, &"partner".parse().unwrap());
    (event.user, event.program) = (user, program.cloned());
    events::write(&mut tx, &event, services.now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn delivered(services: &Services, id: EndpointId) -> Vec<i64> {
    all(services, id)
        .await
        .iter()
        .map(|delivery| delivery.event.0)
        .collect()
}

#[tokio::test]
async fn each_is_told_of_its_program_and_of_the_partner_as_a_whole() {
    for mut stage in stages().await {
        let bound = started_with(&mut stage, [Some(EUR), Some(PLN)]).await;
        let services = &stage.services;
        let own_endpoint = endpoint(services, DEAD, Kinds::All).await;
        let ada = user_in(&services.db, ("partner", "demo-eur"), 1).await;
        let bob = user_in(&services.db, ("partner", "demo-pln"), 2).await;
        let pln = "demo-pln".parse().unwrap();
        tell(services, Some(ada), None).await; // 1001
        tell(services, Some(bob), None).await; // 1002
        tell(services, None, Some(&pln)).await; // 1003
        tell(services, None, None).await; // 1004
        hand_out(services).await.unwrap();
        let [of_eur, of_pln] = [0, 1].map(|index: usize| bound.get(index).unwrap().id);
        let wanted: [(EndpointId, &[i64]); 3] = [
            (of_eur, &[1001, 1004]),
            (of_pln, &[1002, 1003, 1004]),
            (own_endpoint, &[1001, 1002, 1003, 1004]),
        ];
        for (id, events) in wanted {
            assert_eq!(delivered(services, id).await, events, "{} {id:?}", stage.engine);
            let which = Replay::Between(services.now() - Duration::days(1), services.now());
            let mut count = 0;
            let shown = |replayed: Replayed| {
                count = replayed.events;
                Ok(answer(""))
            };
            let about = (&partner(), id);
            replay(services, &request(None), about, (&which, None), shown)
                .await
                .unwrap();
            assert_eq!(count, events.len() as u64, "{} {id:?}", stage.engine);
            let one = Replay::Events(vec![EventNumber(1002)]);
            let replayed = replay(services, &request(None), about, (&one, None), |_| Ok(answer(""))).await;
            let refused = replayed.err().map(|error| error.code());
            let is_told = events.contains(&1002);
            assert_eq!(
                refused,
                (!is_told).then_some(Code::NotFound),
                "{} {id:?}",
                stage.engine
            );
        }
    }
}

#[tokio::test]
async fn a_partner_decides_all_but_address_and_end() {
    for mut stage in stages().await {
        let id = started_with(&mut stage, [Some(EUR), None]).await.remove(0).id;
        Arc::get_mut(&mut stage.services)
            .unwrap()
            .config
            .webhooks
            .endpoints_per_partner = 1;
        let services = &stage.services;
        let wish = |url: &str| Wish {
            url: WebhookUrl::parse(url).unwrap(),
            kinds: Kinds::Some(vec![EventKind::CardLocked]),
            description: Some("Core".to_owned()),
        };
        let scope = partner();
        let moved = change(services, (&scope, id), wish(PLN), true).await;
        assert_eq!(moved.unwrap_err().code(), Code::RemoteUrlConfigured);
        let deleted = delete(services, (&scope, id)).await;
        assert_eq!(deleted.unwrap_err().code(), Code::RemoteUrlConfigured);
        let chosen = change(services, (&scope, id), wish(EUR), false).await.unwrap();
        assert_eq!(chosen.disabled_by, Some(DisabledBy::Partner));
        assert_eq!(found(services, id).await, chosen, "{}", stage.engine);
        change(services, (&scope, id), wish(EUR), true).await.unwrap();
        let name = "partner".parse().unwrap();
        let make = async || create(services, &request(None), &name, wish(DEAD), |_, _| Ok(answer(""))).await;
        make().await.unwrap();
        assert_eq!(make().await.unwrap_err().code(), Code::TooManyWebhooks);
        // A start changes nothing of what the partner has chosen.
        let kept = started_with(&mut stage, [Some(EUR), None]).await.remove(0);
        assert_eq!(kept.description.as_deref(), Some("Core"), "{}", stage.engine);
    }
}
