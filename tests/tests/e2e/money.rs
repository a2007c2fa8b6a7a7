//! Money over the public doors: reloads, states of balances, transactions.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, ensure};
use deploy::actors::PartnerServer;
use deploy::answer::Answer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::trail;
use crate::pair::{Pair, on_each_engine};

/// A `POST` of a partner's server.
pub(crate) async fn post(partner: &PartnerServer, path: &str, key: &str, body: &Value) -> Result<Answer> {
    let call = partner.door().call(Method::POST, path).idempotency_key(key);
    call.json(body).send().await
}

/// A name that no other request has.
pub(crate) fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "{name}-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A user of the partner with a balance in euro: the balance's path, and its number.
pub(crate) async fn balance(pair: &Pair) -> Result<(u64, String, u64)> {
    let user = pair.partner.accepted_user().await?;
    let prefix = PartnerServer::prefix(user);
    let id = pair.partner.cards(&prefix).first_balance().await?;
    Ok((user, format!("{prefix}/balances/{id}"), id))
}

/// A reload of so many cents.
pub(crate) fn euro(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "EUR", "reference": "salary" })
}

#[test]
fn a_reload_is_there_once_and_shows_in_balance_and_history() {
    on_each_engine(async |pair| {
        let (user, path, id) = balance(pair).await?;
        let (reload, key) = (format!("{path}/reload"), unique("reload"));
        let first = post(&pair.partner, &reload, &key, &euro(12_500))
            .await?
            .expect(201)?;
        let again = post(&pair.partner, &reload, &key, &euro(12_500))
            .await?
            .expect(201)?;
        ensure!(first.body == again.body, "another answer");
        let other = post(&pair.partner, &reload, &key, &euro(12_501)).await?;
        other.expect_refusal(422, "IDEMPOTENCY_KEY_REUSED")?;
        let told = first.json()?;
        ensure!(
            told["balance"]["value"] == 12_500 && told["balance"]["available"] == 12_500,
            "{told}"
        );
        ensure!(
            told["transfer"]["kind"] == "RELOAD" && told["transfer"]["state"] == "POSTED",
            "{told}"
        );
        let shown = pair.partner.door().get(&path).await?.expect(200)?.json()?;
        ensure!(shown["value"] == 12_500, "{shown}");
        let strange = post(&pair.other_partner, &reload, &unique("other"), &euro(1)).await?;
        strange.expect_refusal(404, "NOT_FOUND")?;
        let second = post(&pair.partner, &reload, &unique("reload"), &euro(500))
            .await?
            .expect(201)?;
        let history = format!("{}/transactions", PartnerServer::prefix(user));
        let page = pair
            .partner
            .door()
            .get(&format!("{history}?limit=1&balanceId={id}"))
            .await?;
        let page = page.expect(200)?.json()?;
        ensure!(page["items"][0] == second.json()?["transfer"], "{page}");
        let cursor = page["nextCursor"].as_str().context("no second page")?;
        let rest = pair
            .partner
            .door()
            .get(&format!("{history}?cursor={cursor}"))
            .await?;
        ensure!(
            rest.expect(200)?.json()?["items"] == json!([told["transfer"]]),
            "the older one"
        );
        let foreign = pair
            .partner
            .door()
            .get(&format!("{history}?balanceId=999999999"))
            .await?;
        foreign.expect_refusal(404, "NOT_FOUND")?;
        Ok(())
    });
}

#[test]
fn a_reload_that_breaks_a_rule_is_told_so() {
    on_each_engine(async |pair| {
        let (_, path, _) = balance(pair).await?;
        let reload = format!("{path}/reload");
        for bad in [
            json!({ "amount": 0, "currency": "EUR" }),
            json!({ "amount": -5, "currency": "EUR" }),
            json!({ "amount": 1.5, "currency": "EUR" }),
            json!({ "amount": 5, "currency": "PLN" }),
            json!({ "amount": 1_000_001, "currency": "EUR" }),
            json!({ "amount": 5 }),
            json!({ "amount": 5, "currency": "EUR", "reference": "9999000000000017" }),
            json!({ "amount": 5, "currency": "EUR", "to": 1 }),
        ] {
            let refused = post(&pair.partner, &reload, &unique("bad"), &bad).await?;
            refused
                .expect_refusal(422, "VALIDATION_FAILED")
                .with_context(|| bad.to_string())?;
        }
        let shown = pair.partner.door().get(&path).await?.expect(200)?.json()?;
        ensure!(shown["value"] == 0, "{shown}");
        Ok(())
    });
}

#[test]
fn a_balance_is_locked_unlocked_and_closed_when_it_is_empty() {
    on_each_engine(async |pair| {
        let (user, path, _) = balance(pair).await?;
        let change = async |what: &str| {
            post(
                &pair.partner,
                &format!("{path}/{what}"),
                &unique(what),
                &json!({}),
            )
            .await
        };
        change("unlock")
            .await?
            .expect_refusal(409, "BALANCE_NOT_LOCKED")?;
        ensure!(change("lock").await?.expect(200)?.json()?["state"] == "LOCKED");
        let refused = post(&pair.partner, &format!("{path}/reload"), &unique("r"), &euro(5)).await?;
        refused.expect_refusal(409, "BALANCE_LOCKED")?;
        ensure!(change("unlock").await?.expect(200)?.json()?["state"] == "ACTIVE");
        let prefix = PartnerServer::prefix(user);
        let desk = pair.partner.cards(&prefix);
        desk.create(desk.first_balance().await?, "Keeps it open").await?;
        change("close").await?.expect_refusal(409, "BALANCE_HAS_CARDS")?;
        let made = desk.create_balance().await?.expect(201)?.number_at("/id")?;
        let path = format!("{prefix}/balances/{made}");
        let change = async |what: &str| {
            post(
                &pair.partner,
                &format!("{path}/{what}"),
                &unique(what),
                &json!({}),
            )
            .await
        };
        let reload = format!("{path}/reload");
        ensure!(change("close").await?.expect(200)?.json()?["state"] == "CLOSED");
        change("close").await?.expect_refusal(409, "BALANCE_CLOSED")?;
        let refused = post(&pair.partner, &reload, &unique("r"), &euro(5)).await?;
        refused.expect_refusal(409, "BALANCE_CLOSED")?;
        let full = desk.create_balance().await?.expect(201)?.number_at("/id")?;
        let path = format!("{prefix}/balances/{full}");
        post(&pair.partner, &format!("{path}/reload"), &unique("r"), &euro(5))
            .await?
            .expect(201)?;
        let refused = post(&pair.partner, &format!("{path}/close"), &unique("c"), &json!({})).await?;
        refused.expect_refusal(409, "BALANCE_NOT_EMPTY")?;
        Ok(())
    });
}

#[test]
fn managers_reload_and_lock_on_record_and_a_partner_lifts_no_operators_lock() {
    on_each_engine(async |pair| {
        let (user, path, id) = balance(pair).await?;
        let (manager, employee) = (
            pair.operator("manager", Some("partner")).await?,
            pair.operator("employee", Some("partner")).await?,
        );
        let own = format!("/admin/balances/{id}");
        let reload = format!("{own}/reload");
        employee
            .post(&reload, &euro(700))
            .await?
            .expect_refusal(403, "ROLE_FORBIDDEN")?;
        let stranger = pair.operator("admin", Some("other-partner")).await?;
        for what in ["reload", "lock", "unlock", "close"] {
            let refused = stranger.post(&format!("{own}/{what}"), &euro(700)).await?;
            refused.expect_refusal(404, "NOT_FOUND")?;
        }
        let told = manager.post(&reload, &euro(700)).await?.expect(201)?.json()?;
        ensure!(told["balance"]["value"] == 700, "{told}");
        manager
            .post(&format!("{own}/lock"), &json!({}))
            .await?
            .expect(200)?;
        for what in ["unlock", "close"] {
            let refused = post(
                &pair.partner,
                &format!("{path}/{what}"),
                &unique(what),
                &json!({}),
            )
            .await?;
            refused.expect_refusal(403, "LOCK_NOT_YOURS")?;
        }
        manager
            .post(&format!("{own}/unlock"), &json!({}))
            .await?
            .expect(200)?;
        let listed = employee
            .get(&format!("{own}/transactions"))
            .await?
            .expect(200)?
            .json()?;
        ensure!(listed["items"] == json!([told["transfer"]]), "{listed}");
        stranger
            .get(&format!("{own}/transactions"))
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        let admin = pair.operator("admin", Some("partner")).await?;
        let expected = [
            "RELOAD_BALANCE",
            "LOCK_BALANCE",
            "UNLOCK_BALANCE",
            "VIEW_TRANSACTIONS",
        ];
        let expected = expected.map(|action| format!("{action} DONE"));
        let entries = trail(&admin, user).await?;
        ensure!(entries == expected, "{entries:?}");
        Ok(())
    });
}

#[test]
fn a_phone_sees_its_own_history_and_an_operator_that_of_a_card() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let id = holder.phone.cards().first_balance().await?;
        let path = format!("{}/balances/{id}/reload", holder.prefix);
        let told = post(&pair.partner, &path, &unique("r"), &euro(300))
            .await?
            .expect(201)?
            .json()?;
        let call = holder.phone.cards().call(Method::GET, "/transactions");
        let shown = call.send().await?.expect(200)?.json()?;
        ensure!(shown["items"] == json!([told["transfer"]]), "{shown}");
        let employee = pair.operator("employee", Some("partner")).await?;
        let of_card = format!("/admin/cards/{}/transactions", holder.card.id);
        // A reload is by no card.
        let shown = employee.get(&of_card).await?.expect(200)?.json()?;
        ensure!(shown["items"] == json!([]), "{shown}");
        let other = pair.operator("employee", Some("other-partner")).await?;
        other.get(&of_card).await?.expect_refusal(404, "NOT_FOUND")?;
        Ok(())
    });
}
