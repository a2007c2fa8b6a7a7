//! Several gateway processes on one PostgreSQL: whatever one has committed the other knows, and what both are asked for at
//! once is done once.

use anyhow::{Context as _, Result, ensure};
use deploy::actors::{Door, PartnerServer};
use deploy::answer::Answer;
use deploy::stand::{SecondGateway, StandOptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::pair::{Pair, engines, finished, report, run, scratch};

/// Reloads that each process is asked for at the same time.
const RELOADS: i64 = 20;

/// A pair on PostgreSQL, and a second gateway beside the first.
async fn two() -> Result<Option<(Pair, SecondGateway)>> {
    let Some(database) = engines("gateways").await?.into_iter().nth(1) else {
        report("SKIPPED: two gateway processes need TESSERA_TEST_POSTGRES_URL");
        return Ok(None);
    };
    let mut options = StandOptions::for_tests(&scratch("gateways")?)?;
    options.database = database;
    let pair = Pair::with(options).await?;
    let second = pair.stand.second_gateway().await?;
    Ok(Some((pair, second)))
}

#[test]
fn two_gateways_on_one_database_are_as_one() {
    run(async {
        let outcome = async {
            let Some((mut pair, second)) = two().await? else {
                return Ok(());
            };
            let there = second.ports().partner_url();
            let partner = pair.stand.certificates().partner.clone();
            let there = pair.stand.door(&there, Some(&partner))?;
            sessions_are_shared(&pair, &second).await?;
            one_key_is_one_effect(&pair, &there).await?;
            no_reload_is_lost(&pair, &there).await?;
            settings_reach_both(&pair, &there).await?;
            second.kill().await?;
            pair.stand.stop().await
        };
        finished("PostgreSQL", outcome.await);
    });
}

/// A phone that logged in here is known there; locked here, the card is locked there; logged out here, it is out there.
async fn sessions_are_shared(pair: &Pair, second: &SecondGateway) -> Result<()> {
    let holder = pair.holder().await?;
    let there = pair.stand.door(&second.ports().gateway_url(), None)?;
    let session = holder.phone.session().context("no session")?.to_owned();
    let at_second = async |method: Method, path: &str, body: Value| {
        let call = there.call(method, path).bearer(&session);
        call.json(&body).send().await
    };
    let card = format!("/customers/me/cards/{}", holder.card.id);
    holder.phone.cards().lock(&holder.card, 3).await?.expect(200)?;
    let reversed = at_second(Method::POST, &format!("{card}/unlock"), json!({})).await?;
    reversed.expect(200)?;
    let again = holder.phone.cards().unlock(&holder.card).await?;
    again.expect_refusal(409, "NOT_LOCKED")?;
    holder.phone.log_out().await?.expect(204)?;
    let out = there
        .call(Method::GET, "/customers/me")
        .bearer(&session)
        .send()
        .await?;
    out.expect_refusal(401, "SESSION_REQUIRED")?;
    Ok(())
}

/// The same request at both at once: one balance, and one answer for whoever asks again.
async fn one_key_is_one_effect(pair: &Pair, there: &Door) -> Result<()> {
    let user = pair.partner.accepted_user().await?;
    let path = format!("{}/balances", PartnerServer::prefix(user));
    let count = async || -> Result<usize> {
        let listed = pair.partner.door().get(&path).await?.expect(200)?.json()?;
        Ok(listed["items"].as_array().context("no items")?.len())
    };
    let before = count().await?;
    let ask = async |door: &Door| -> Result<Answer> {
        loop {
            let call = door
                .call(Method::POST, &path)
                .idempotency_key("one-balance-please");
            let answer = call.json(&json!({ "currency": "PLN" })).send().await?;
            if answer.code().as_deref() != Some("IDEMPOTENCY_IN_FLIGHT") {
                return answer.expect(201);
            }
            tokio::task::yield_now().await;
        }
    };
    let (here, over_there) = tokio::try_join!(ask(pair.partner.door()), ask(there))?;
    ensure!(here.body == over_there.body, "two answers to one key");
    ensure!(count().await? == before + 1, "two balances for one key");
    Ok(())
}

/// Both add to the same balance at the same time.
async fn no_reload_is_lost(pair: &Pair, there: &Door) -> Result<()> {
    let user = pair.partner.accepted_user().await?;
    let prefix = PartnerServer::prefix(user);
    let id = pair.partner.cards(&prefix).first_balance().await?;
    let path = format!("{prefix}/balances/{id}");
    let reloads = async |door: &Door, name: &str| -> Result<()> {
        for number in 0..RELOADS {
            let call = door.call(Method::POST, &format!("{path}/reload"));
            let call = call.idempotency_key(&format!("{name}-{user}-{number}"));
            let body = json!({ "amount": 1, "currency": "EUR" });
            call.json(&body).send().await?.expect(201)?;
        }
        Ok(())
    };
    tokio::try_join!(reloads(pair.partner.door(), "here"), reloads(there, "there"))?;
    let shown = there.get(&path).await?.expect(200)?.json()?;
    ensure!(shown["value"] == 2 * RELOADS, "{shown}");
    Ok(())
}

/// What operators decide at the one is in force at the other, within the second that settings are kept for.
async fn settings_reach_both(pair: &Pair, there: &Door) -> Result<()> {
    const PATH: &str = "/lifecycle/v1/public-key";
    const TRIES: u32 = 200;
    there.get(PATH).await?.expect(200)?;
    let admin = pair.operator("admin", Some("partner")).await?;
    let listed = admin.get("/admin/partners").await?.expect(200)?.json()?;
    let id = listed["items"][0]["id"].as_u64().context("no partner")?;
    let settings =
        json!({ "networks": ["192.0.2.0/24"], "rsaOaepSha1": true, "minimumRsaBits": 2048, "ecKeys": true });
    let path = format!("/admin/partners/{id}/settings");
    admin.put(&path, &settings).await?.expect(200)?;
    for _ in 0..TRIES {
        if there.get(PATH).await?.code().as_deref() == Some("ADDRESS_NOT_ALLOWED") {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("the other gateway still lets the partner in")
}
