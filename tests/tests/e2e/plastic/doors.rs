//! The bureau's door opens to the bureau of the program alone, and gives the same bytes twice.

use anyhow::{Context, Result, ensure};
use certs::{Ca, PairPaths, Profile};
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::vault_api::paths;

use super::{PROGRAM, line_of, order, refused, said, token_of};
use crate::pair::{Pair, scratch};

pub(super) async fn the_bureaus_door_is_the_bureaus(pair: &Pair) -> Result<()> {
    let bureau = pair.stand.bureau()?;
    let (_, phone) = pair.user().await?;
    let ordered = order(phone.cards(), "Ada").await?;
    let set = pair.stand.certificates();
    for pair_of_files in [&set.gateway_client, &set.processor] {
        let door = pair.stand.vault_door(pair_of_files)?;
        let call = door
            .call(Method::POST, paths::BATCHES)
            .idempotency_key("stranger");
        let answer = call.json(&json!({ "program": PROGRAM })).send().await?;
        refused(&answer, 403, "ROLE_FORBIDDEN")?;
    }
    let files = PairPaths::new(&scratch("bureau")?, "other-bureau");
    set.authority(Ca::Internal, &Clock::System)?
        .issue(&Profile::Bureau("other-bureau".parse()?))?
        .write(&files)?;
    let other = pair.stand.vault_door(&files)?;
    let ask = async |path: &str, body: &Value| {
        let call = other.call(Method::POST, path).idempotency_key("other");
        call.json(body).send().await
    };
    let body = json!({ "program": PROGRAM });
    refused(&ask(paths::BATCHES, &body).await?, 403, "PARTY_NOT_REGISTERED")?;
    pair.stand.register("bureau/other-bureau", &files).await?;
    refused(&ask(paths::BATCHES, &body).await?, 404, "NOT_FOUND")?;

    let answer = bureau.ask(PROGRAM, Some(1), "batch-1").await?.expect(201)?;
    let batch = answer.text_at("/batch")?;
    let again = bureau.ask(PROGRAM, Some(1), "batch-1").await?.expect(201)?;
    let fetched = bureau.fetch(&batch).await?.expect(200)?;
    ensure!(
        answer.body == again.body && answer.body == fetched.body,
        "other bytes"
    );
    let content = bureau.open(&fetched)?;
    let orders = content["orders"].as_array().context("no orders")?;
    let line = line_of(orders, &ordered.text("maskedCardNo")?)?;
    let token = token_of(line)?;
    let theirs = other.get(&format!("{}/{batch}", paths::BATCHES)).await?;
    refused(&theirs, 404, "NOT_FOUND")?;
    let confirm = format!("/v1/bureau/orders/{token}/confirm");
    refused(&ask(&confirm, &json!({})).await?, 404, "NOT_FOUND")?;
    let pan = line["cardNo"].as_str().context("no number")?;
    said(&bureau, token, "confirm", json!({})).await?;
    let leak = json!({ "trackingReference": format!("x {pan}") });
    refused(&bureau.say(token, "ship", &leak).await?, 422, "VALIDATION_FAILED")?;
    let key = "ship-1";
    let first = bureau
        .say_again(token, "ship", &json!({}), key)
        .await?
        .expect(200)?;
    let second = bureau
        .say_again(token, "ship", &json!({}), key)
        .await?
        .expect(200)?;
    ensure!(first.body == second.body, "a retry is another answer");
    Ok(())
}
