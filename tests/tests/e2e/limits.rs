//! Bad input and too much of it: each is cut off with an error of its own, and none echoes what was sent.

use anyhow::{Context, Result, ensure};
use deploy::stand::{Limits, StandOptions};
use reqwest::Method;
use serde_json::json;

use crate::pair::{Pair, finished, on_each_engine, run, scratch};
use crate::raw::RawConnection;

#[test]
fn malformed_bodies_get_their_own_errors() {
    on_each_engine(async |pair| {
        let door = pair.partner.door();
        let path = "/lifecycle/v1/users";
        let post = |content_type: &str, body: Vec<u8>| {
            door.call(Method::POST, path)
                .idempotency_key("bad-input")
                .body(content_type, body)
                .send()
        };
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)).into_bytes();
        let twice = br#"{"email":"a@mail.example","email":"b@mail.example"}"#.to_vec();
        for body in [b"{".to_vec(), b"\xff\xfe".to_vec(), deep, twice] {
            let start =
                String::from_utf8_lossy(body.get(..body.len().min(20)).unwrap_or_default()).into_owned();
            post("application/json", body)
                .await?
                .expect_refusal(400, "MALFORMED_JSON")
                .context(start)?;
        }
        post("application/json", b"[]".to_vec())
            .await
            .and_then(|answer| {
                ensure!((400..500).contains(&answer.status), "{answer}");
                Ok(())
            })?;
        post("text/plain", b"{}".to_vec())
            .await?
            .expect_refusal(415, "UNSUPPORTED_MEDIA_TYPE")?;
        post("application/json", vec![b' '; 1 << 20])
            .await?
            .expect_refusal(413, "BODY_TOO_LARGE")?;
        Ok(())
    });
}

#[test]
fn unknown_paths_methods_and_ids_are_told_apart() {
    on_each_engine(async |pair| {
        let (_, phone) = pair.user().await?;
        let desk = phone.cards();
        pair.partner
            .door()
            .get("/no/such/path")
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        let wrong_method = pair
            .partner
            .door()
            .call(Method::DELETE, "/lifecycle/v1/users")
            .send()
            .await?;
        wrong_method.expect_refusal(405, "METHOD_NOT_ALLOWED")?;
        for id in [
            "0",
            "-1",
            "999999999999999999999999",
            "1e3",
            "abc",
            "1099511627776",
            "%2e%2e",
        ] {
            desk.call(Method::GET, &format!("/cards/{id}"))
                .enc(desk.receiving())
                .send()
                .await?
                .expect_refusal(404, "NOT_FOUND")?;
        }
        Ok(())
    });
}

#[test]
fn a_broken_cursor_is_an_error_and_a_good_one_pages() {
    on_each_engine(async |pair| {
        let (_, phone) = pair.user().await?;
        let desk = phone.cards();
        let balance = desk.first_balance().await?;
        for _ in 0..3 {
            desk.create(balance, "Page").await?;
        }
        desk.call(Method::GET, "/cards?cursor=%00%ff")
            .send()
            .await?
            .expect_refusal(422, "VALIDATION_FAILED")?;
        let first = desk
            .call(Method::GET, "/cards?limit=2")
            .send()
            .await?
            .expect(200)?;
        let cursor = first.text_at("/nextCursor")?;
        let second = desk
            .call(Method::GET, &format!("/cards?limit=2&cursor={cursor}"))
            .send()
            .await?
            .expect(200)?
            .json()?;
        ensure!(first.json()?["items"].as_array().map(Vec::len) == Some(2));
        ensure!(
            second["items"].as_array().map(Vec::len) == Some(1) && second["nextCursor"].is_null(),
            "{second}"
        );
        Ok(())
    });
}

#[test]
fn every_error_is_a_problem_with_a_trace() {
    on_each_engine(async |pair| {
        let answer = pair.partner.door().get("/no/such/path").await?;
        ensure!(
            answer.header("Content-Type") == Some("application/problem+json"),
            "{:?}",
            answer.headers
        );
        let body = answer.json()?;
        for member in ["type", "title", "detail", "code", "traceId"] {
            ensure!(
                body[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member} is missing: {body}"
            );
        }
        ensure!(body["status"] == 404);
        Ok(())
    });
}

#[test]
fn the_documented_rates_hold_and_slow_bodies_are_cut_off() {
    run(async {
        let outcome = async {
            let mut options = StandOptions::for_tests(&scratch("limits")?)?;
            options.limits = Limits::Default;
            options.gateway_extra = "\n[limits]\nbody_seconds = 1\n".to_owned();
            options.program.budgets.emissions_per_card = 3;
            options.program.budgets.pin_sets_per_card = 1;
            let mut pair = Pair::with(options).await?;
            too_slow(&pair).await?;
            too_often_from_the_vault(&pair).await?;
            too_many_pairings(&pair).await?;
            pair.stand.stop().await
        };
        finished("SQLite", outcome.await);
    });
}

async fn too_slow(pair: &Pair) -> Result<()> {
    let port = pair.stand.ports().gateway;
    let answer = tokio::task::block_in_place(|| {
        let mut connection = RawConnection::open(&pair.stand, port, None)?;
        let head = "POST /customers/pair HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
        connection.write(head.as_bytes())?;
        connection.answer()
    })?;
    let (status, body) = answer.context("closed without a word")?;
    ensure!(status == 408 && body.contains("BODY_TOO_SLOW"), "{status} {body}");
    let closed = tokio::task::block_in_place(|| {
        let mut connection = RawConnection::open(&pair.stand, port, None)?;
        connection.write(b"GET /health/live HTTP/1.1\r\nHost: loc")?;
        connection.answer()
    })?;
    ensure!(
        closed.is_none_or(|(status, _)| status == 408),
        "half a head was answered"
    );
    Ok(())
}

async fn too_often_from_the_vault(pair: &Pair) -> Result<()> {
    let holder = pair.holder().await?;
    let desk = holder.phone.cards();
    for _ in 0..3 {
        desk.reveal(&holder.card).await?;
    }
    let proof = desk.proof("reveal", &holder.card).await?.sign(desk.signer())?;
    let refused = desk
        .reveal_with(&holder.card, Some(&proof))
        .await?
        .expect_refusal(429, "TOO_MANY_REQUESTS")?;
    ensure!(refused.header("Retry-After").is_some());
    // The budget is the vault's own: the gateway's certificate does not get around it.
    let proof = desk.proof("reveal", &holder.card).await?.sign(desk.signer())?;
    let raw = pair
        .stand
        .raw_gateway()?
        .reveal(&holder.card.token, desk.receiving(), Some(&proof))
        .await?;
    raw.expect_refusal(429, "TOO_MANY_REQUESTS")?;
    desk.print(&holder.card).await?;
    desk.set_pin(&holder.card, "4829").await?;
    let payload = desk.vault_key().await?.seal(&json!({ "pin": "4829" }))?;
    let proof = desk
        .proof("set-pin", &holder.card)
        .await?
        .over(&payload)
        .sign(desk.signer())?;
    desk.set_pin_with(&holder.card, &payload, Some(&proof))
        .await?
        .expect_refusal(429, "TOO_MANY_REQUESTS")?;
    Ok(())
}

async fn too_many_pairings(pair: &Pair) -> Result<()> {
    let phone = pair.stand.phone()?;
    let body = phone.pairing("no-such-code")?;
    let mut refused = None;
    for attempt in 0..40 {
        let call = phone
            .door()
            .call(Method::POST, "/customers/pair")
            .idempotency_key(&format!("attempt-{attempt}"));
        let answer = call.json(&body).send().await?;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        ensure!(matches!(answer.status, 401 | 422), "{answer}");
    }
    let refused = refused.context("forty attempts to pair from one address were let through")?;
    ensure!(refused.header("Retry-After").is_some());
    Ok(())
}
