//! The remote URL of a program: what happens in it is told there, to a partner that has called no API for it.

use anyhow::{Context, Result, ensure};
use deploy::actors::{PartnerServer, ReceivedWebhook, WebhookServer, WebhookTls};
use deploy::stand::{Database, StandOptions};
use reqwest::Method;
use serde_json::{Value, json};
use shared::vault_api::governance::Proposal;

use crate::pair::{Pair, engines, finished, run, scratch};
use crate::webhooks::{WEBHOOKS, endpoint, post, under};

const FIRST: &str = "demo-eur";
const SECOND: &str = "second-eur";

/// Two programs of the partner, the first of which is that of new users, and their remote URLs.
type Programs<'a> = [(&'a str, Option<String>); 2];

fn configure(options: &mut StandOptions, [new_users, other]: Programs<'_>) {
    let remote_url = |url: Option<String>| {
        url.map(|url| format!("remote_url = \"{url}\"\n"))
            .unwrap_or_default()
    };
    if let Ok(name) = new_users.0.parse() {
        options.program.name = name;
    }
    // Lines of the stand's program first, then a program of its own.
    options.gateway_extra = format!(
        "{}\n[[programs]]\nname = \"{}\"\npartner = \"partner\"\ncurrency = \"EUR\"\n{}",
        remote_url(new_users.1),
        other.0,
        remote_url(other.1)
    );
}

#[test]
fn what_happens_in_a_program_is_told_at_its_remote_url() {
    run(async {
        let outcome = async {
            for database in engines("remote_urls").await? {
                let has_many_processes = matches!(database, Database::Postgres(_));
                let server = WebhookServer::start(&scratch("endpoint")?, WebhookTls::Server)?;
                let mut options = StandOptions::for_tests(&scratch("remote-urls")?)?;
                options.database = database;
                options.webhooks = server.trusted();
                let (eur, second) = (Some(server.url("/eur")), Some(server.url("/second")));
                configure(&mut options, [(FIRST, eur), (SECOND, second)]);
                let mut pair = Pair::with(options).await?;
                let mut program = deploy::stand::demo_program()?;
                (program.name, program.bin) = (SECOND.parse()?, "999902".to_owned());
                pair.stand.carry_through(&Proposal::SetProgram(program)).await?;
                told_apart(&mut pair, &server).await?;
                told_both(&pair, &server).await?;
                let secret = chosen(&pair, &server).await?;
                moves_and_goes(&mut pair, &server, &secret).await?;
                if has_many_processes {
                    made_once(&mut pair, &server).await?;
                }
                pair.stand.stop().await?;
            }
            anyhow::Ok(())
        };
        finished("each engine", outcome.await);
    });
}

/// The path and what is shown of the remote URL of each program.
async fn remote_urls(partner: &PartnerServer) -> Result<Vec<(String, Value)>> {
    let listed = partner.door().get(WEBHOOKS).await?.expect(200)?.json()?;
    let items = listed["items"].as_array().context("no items")?.iter();
    let bound = items.filter(|item| item["program"].is_string());
    Ok(bound
        .map(|item| (format!("{WEBHOOKS}/{}", item["id"]), item.clone()))
        .collect())
}

async fn remote_url(partner: &PartnerServer, program: &str) -> Result<(String, Value)> {
    let all = remote_urls(partner).await?;
    let mut of_program = all.into_iter().filter(|(_, shown)| shown["program"] == program);
    of_program
        .next()
        .with_context(|| format!("no remote URL of {program}"))
}

fn accepted(user: u64, path: &str) -> impl Fn(&ReceivedWebhook) -> bool {
    move |one| {
        let body = one.body().unwrap_or_default();
        one.path == path && body["type"] == "kyc.changed" && body["data"]["userId"] == user
    }
}

/// A new user's event comes to `path`, and is not to go to the endpoint of the other program: deliveries of an event are written
/// at the same moment.
async fn told_at(pair: &Pair, server: &WebhookServer, path: &str, not_of: &str) -> Result<ReceivedWebhook> {
    let user = pair.partner.accepted_user().await?;
    let told = server.received(1, accepted(user, path)).await?.remove(0);
    let event = told.body()?["id"].clone();
    let (other, _) = remote_url(&pair.partner, not_of).await?;
    let page = pair
        .partner
        .door()
        .get(&format!("{other}/deliveries?limit=100"))
        .await?;
    let page = page.expect(200)?.json()?;
    let deliveries = page["items"].as_array().context("no items")?;
    ensure!(page["nextCursor"].is_null(), "more than a page");
    ensure!(
        deliveries.iter().all(|delivery| delivery["eventId"] != event),
        "{not_of} is told of {told:?}"
    );
    Ok(told)
}

async fn told_apart(pair: &mut Pair, server: &WebhookServer) -> Result<()> {
    let told = told_at(pair, server, "/eur", SECOND).await?;
    ensure!(!told.signature.is_empty());
    // From now on new users are the other program's. The endpoints stay as they are.
    let before = remote_urls(&pair.partner).await?;
    let (eur, second) = (Some(server.url("/eur")), Some(server.url("/second")));
    pair.stand
        .restart_gateway(|options| configure(options, [(SECOND, second), (FIRST, eur)]))
        .await?;
    ensure!(
        remote_urls(&pair.partner).await? == before,
        "a start has changed something"
    );
    told_at(pair, server, "/second", FIRST).await?;
    Ok(())
}

/// What is the partner's as a whole concerns each of its programs.
async fn told_both(pair: &Pair, server: &WebhookServer) -> Result<()> {
    let gone = server.beside(WebhookTls::Server)?;
    let (path, _) = endpoint(&pair.partner, &json!({ "url": gone.url("/") })).await?;
    gone.answer_next(&[410]);
    post(&pair.partner, &format!("{path}/test"), &json!({}))
        .await?
        .expect(202)?;
    for at in ["/eur", "/second"] {
        let disabled = |one: &ReceivedWebhook| {
            one.path == at && one.body().is_ok_and(|body| body["type"] == "webhook.disabled")
        };
        server.received(1, disabled).await?;
    }
    Ok(())
}

/// Kinds, words and secret are the partner's, address and end the configuration's. Gives the secret.
async fn chosen(pair: &Pair, server: &WebhookServer) -> Result<String> {
    let (path, shown) = remote_url(&pair.partner, FIRST).await?;
    ensure!(
        shown["url"] == server.url("/eur") && shown["secret"].is_null(),
        "{shown}"
    );
    let put = async |body: Value| {
        pair.partner
            .door()
            .call(Method::PUT, &path)
            .json(&body)
            .send()
            .await
    };
    let elsewhere = json!({ "url": server.url("/elsewhere"), "enabled": true });
    put(elsewhere)
        .await?
        .expect_refusal(409, "REMOTE_URL_CONFIGURED")?;
    let deleted = pair.partner.door().call(Method::DELETE, &path).send().await?;
    deleted.expect_refusal(409, "REMOTE_URL_CONFIGURED")?;
    let kinds =
        json!({ "url": shown["url"], "kinds": ["kyc.changed"], "description": "Core", "enabled": true });
    let put = put(kinds).await?.expect(200)?.json()?;
    ensure!(
        put["program"] == FIRST && put["kinds"] == json!(["kyc.changed"]),
        "{put}"
    );
    let rotated = post(&pair.partner, &format!("{path}/secret/rotate"), &json!({})).await?;
    let secret = rotated.expect(200)?.text_at("/secret")?;
    let test = post(&pair.partner, &format!("{path}/test"), &json!({}))
        .await?
        .expect(202)?;
    let arrived = server.received(1, under(&test.text_at("/messageId")?)).await?;
    arrived[0].verify(&secret)?;

    let admin = pair.operator("admin", Some("partner")).await?;
    let id = path.rsplit('/').next().context("no number")?;
    let seen = admin
        .get(&format!("/admin/webhooks/{id}"))
        .await?
        .expect(200)?
        .json()?;
    ensure!(
        seen["program"] == FIRST && seen["description"] == "Core",
        "{seen}"
    );
    let programs = admin.get("/admin/programs").await?.expect(200)?.json()?;
    let programs = programs["items"].as_array().context("no items")?;
    let first = programs.iter().find(|program| program["name"] == FIRST);
    ensure!(
        first.context("no program")?["remoteUrl"] == server.url("/eur"),
        "{programs:?}"
    );
    Ok(secret)
}

async fn moves_and_goes(pair: &mut Pair, server: &WebhookServer, secret: &str) -> Result<()> {
    let (path, _) = remote_url(&pair.partner, FIRST).await?;
    let (moved, second) = (Some(server.url("/moved")), Some(server.url("/second")));
    pair.stand
        .restart_gateway(|options| configure(options, [(FIRST, moved), (SECOND, second)]))
        .await?;
    let (same, shown) = remote_url(&pair.partner, FIRST).await?;
    ensure!(
        same == path && shown["kinds"] == json!(["kyc.changed"]),
        "{shown}"
    );
    told_at(pair, server, "/moved", SECOND).await?.verify(secret)?;
    pair.stand
        .restart_gateway(|options| configure(options, [(FIRST, None), (SECOND, None)]))
        .await?;
    pair.partner
        .door()
        .get(&path)
        .await?
        .expect_refusal(404, "NOT_FOUND")?;
    ensure!(remote_urls(&pair.partner).await?.is_empty());
    Ok(())
}

/// Two processes that start at the same time on one database, and a third one after them.
async fn made_once(pair: &mut Pair, server: &WebhookServer) -> Result<()> {
    pair.stand.stop_gateway().await?;
    let (eur, second) = (Some(server.url("/once")), Some(server.url("/second-once")));
    pair.stand
        .configure(|options| configure(options, [(FIRST, eur), (SECOND, second)]))?;
    let both = tokio::try_join!(pair.stand.second_gateway(), pair.stand.second_gateway())?;
    pair.stand.start_gateway().await?;
    let made = remote_urls(&pair.partner).await?;
    let programs: Vec<_> = made.iter().map(|(_, shown)| shown["program"].clone()).collect();
    ensure!(
        programs.len() == 2 && programs.contains(&json!(FIRST)) && programs.contains(&json!(SECOND)),
        "{made:?}"
    );
    let user = pair.partner.accepted_user().await?;
    server.received(1, accepted(user, "/once")).await?;
    drop(both);
    Ok(())
}
