//! Invariant 3 for what partners are told: a gateway is killed while events flow, one of two dies. Every event that was committed
//! arrives, under one name, and the events of a card are numbered without a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use deploy::actors::{PartnerServer, ReceivedWebhook, WebhookServer, WebhookTls};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::pair::{Pair, engines, finished, report, run, scratch};
use crate::webhooks::{becomes, endpoint, listed_until_now, own_pair, post, under};

/// Kills of a gateway while events flow.
const KILLS: u64 = 4;
/// Partners' servers at once.
const WRITERS: usize = 3;

#[test]
fn killing_the_gateway_loses_no_event_and_tells_none_under_two_names() {
    run(async {
        let outcome = async {
            for database in engines("webhook_kills").await? {
                let server = WebhookServer::start(&scratch("endpoint")?, WebhookTls::Server)?;
                let mut pair = own_pair("webhook-kills", database, server.trusted()).await?;
                without_certificate(&pair.partner, &server).await?;
                kills(&mut pair, &server).await?;
                pair.stand.stop().await?;
            }
            anyhow::Ok(())
        };
        finished("each engine", outcome.await);
    });
}

/// An endpoint that asks for a client certificate is told nothing without one.
async fn without_certificate(partner: &PartnerServer, server: &WebhookServer) -> Result<()> {
    let strict = server.beside(WebhookTls::Mutual)?;
    let (path, _) = endpoint(partner, &json!({ "url": strict.url("/") })).await?;
    post(partner, &format!("{path}/test"), &json!({}))
        .await?
        .expect(202)?;
    // Whoever is turned away may find the connection closed before the alert is read.
    let failed = |page: &Value| {
        let error = page["items"][0]["lastError"].as_str().unwrap_or_default();
        ["TLS_FAILED", "BROKEN_OFF"].contains(&error)
    };
    becomes(partner, &format!("{path}/deliveries"), failed).await?;
    ensure!(strict.so_far().is_empty());
    partner
        .door()
        .call(Method::DELETE, &path)
        .send()
        .await?
        .expect(204)?;
    Ok(())
}

async fn kills(pair: &mut Pair, server: &WebhookServer) -> Result<()> {
    let (path, secret) = endpoint(&pair.partner, &json!({ "url": server.url("/") })).await?;
    server.take_its_time(Duration::from_millis(15));
    let mut accepted = BTreeSet::new();
    for kill in 0..KILLS {
        let after = Duration::from_millis(150 + 130 * kill);
        accepted.extend(load_and_kill(pair, after).await?);
    }
    ensure!(!accepted.is_empty(), "the kills never met the load");
    let events = listed_until_now(&pair.partner).await?;
    let told: BTreeSet<_> = events
        .iter()
        .filter(|event| event["type"] == "kyc.changed")
        .filter_map(|event| event["data"]["userId"].as_u64())
        .collect();
    ensure!(accepted.is_subset(&told), "an acknowledged user is in no event");
    let ids: Vec<_> = events.iter().filter_map(|event| event["id"].as_u64()).collect();
    ensure!(
        ids.windows(2).all(|two| two[1] == two[0] + 1),
        "ids have gaps: {ids:?}"
    );
    let wanted: Vec<_> = events
        .iter()
        .filter(|event| event["type"] != "webhook.test")
        .collect();
    let number = path.rsplit('/').next().context("no number")?.to_owned();
    for event in &wanted {
        let name = format!("evt_{}_{number}", event["id"]);
        let arrived = server.received(1, under(&name)).await?;
        for one in arrived {
            ensure!(one.body()? == **event, "{name} tells something else");
            one.verify(&secret)?;
        }
    }
    // What happened after the last of them has names of its own.
    let last = ids.last().copied().context("no events")?;
    let earlier = |one: &ReceivedWebhook| {
        one.body()
            .is_ok_and(|body| body["id"].as_u64().is_some_and(|id| id <= last))
    };
    let arrived: Vec<_> = server.so_far().into_iter().filter(earlier).collect();
    let names: BTreeSet<_> = arrived.iter().map(|one| one.id.clone()).collect();
    ensure!(
        names.len() == wanted.len(),
        "{} names of {} events",
        names.len(),
        wanted.len()
    );
    without_gaps(&wanted)?;
    let copies = arrived.len() - names.len();
    report(&format!(
        "gateway killed {KILLS} times: {} events arrived, {copies} of them twice under one name",
        names.len()
    ));
    Ok(())
}

/// Events of one card are numbered 1, 2, 3, …
fn without_gaps(events: &[&Value]) -> Result<()> {
    let mut cards: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for event in events {
        let (card, sequence) = (&event["data"]["cardId"], &event["data"]["cardSequence"]);
        ensure!(card.is_u64() == sequence.is_u64(), "{event}");
        if let (Some(card), Some(sequence)) = (card.as_u64(), sequence.as_u64()) {
            cards.entry(card).or_default().push(sequence);
        }
    }
    ensure!(!cards.is_empty(), "no event is about a card");
    for (card, sequences) in cards {
        let expected: Vec<_> = (1..=sequences.len() as u64).collect();
        ensure!(sequences == expected, "card {card}: {sequences:?}");
    }
    Ok(())
}

/// Users are accepted, and get cards that are locked, until the gateway dies; the users whose acceptance was acknowledged.
async fn load_and_kill(pair: &mut Pair, after: Duration) -> Result<BTreeSet<u64>> {
    let (dead, partner) = (Arc::new(AtomicBool::new(false)), Arc::new(pair.stand.partner()?));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (dead, partner) = (dead.clone(), partner.clone());
        writers.spawn(async move {
            let mut accepted = BTreeSet::new();
            while !dead.load(Ordering::Relaxed) {
                let Ok(user) = partner.accepted_user().await else {
                    break;
                };
                accepted.insert(user);
                if card(&partner, user).await.is_err() {
                    break;
                }
            }
            accepted
        });
    }
    sleep(after).await;
    pair.stand.kill_gateway().await?;
    dead.store(true, Ordering::Relaxed);
    let mut accepted = BTreeSet::new();
    while let Some(writer) = writers.join_next().await {
        accepted.extend(writer?);
    }
    pair.stand.start_gateway().await?;
    Ok(accepted)
}

/// A card that is locked and unlocked.
async fn card(partner: &PartnerServer, user: u64) -> Result<()> {
    let prefix = PartnerServer::prefix(user);
    let desk = partner.cards(&prefix);
    let card = desk.create(desk.first_balance().await?, "Told").await?;
    let id = card.content["id"].as_u64().context("no id")?;
    for (action, body) in [("lock", json!({ "reasonCode": 7 })), ("unlock", json!({}))] {
        let path = format!("{prefix}/cards/{id}/{action}");
        post(partner, &path, &body).await?.expect(200)?;
    }
    Ok(())
}

/// Two processes share what is to be delivered; when one dies, the other goes on with what it held.
#[test]
fn two_gateways_send_nothing_at_the_same_time_and_one_goes_on_for_the_other() {
    run(async {
        let outcome = async {
            let Some(database) = engines("webhook_two").await?.into_iter().nth(1) else {
                report("SKIPPED: two gateway processes need TESSERA_TEST_POSTGRES_URL");
                return Ok(());
            };
            let server = WebhookServer::start(&scratch("endpoint")?, WebhookTls::Server)?;
            let mut pair = own_pair("webhook-two", database, server.trusted()).await?;
            let (path, _) = endpoint(&pair.partner, &json!({ "url": server.url("/") })).await?;
            let second = pair.stand.second_gateway().await?;
            // Slow enough for a queue that both work on.
            server.take_its_time(Duration::from_millis(400));
            for _ in 0..30 {
                pair.partner.accepted_user().await?;
            }
            let events = listed_until_now(&pair.partner).await?;
            pair.stand.kill_gateway().await?;
            let number = path.rsplit('/').next().context("no number")?;
            for event in &events {
                server
                    .received(1, under(&format!("evt_{}_{number}", event["id"])))
                    .await?;
            }
            ensure!(server.met() == 0, "{} messages met themselves", server.met());
            second.kill().await?;
            pair.stand.stop_vault().await
        };
        finished("PostgreSQL", outcome.await);
    });
}
