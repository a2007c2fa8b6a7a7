//! Money over the public doors: reloads, states of balances, partner balances under four eyes, transactions; and invariant 4
//! while the gateway is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use deploy::actors::{Operator, PartnerServer};
use deploy::answer::Answer;
use deploy::stand::{Database, StandOptions};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::admin::trail;
use crate::pair::{Pair, engines, finished, on_each_engine, report, run, scratch};

/// Kills of each engine; a reload is one transaction, so that no lease is waited for.
const CYCLES: u32 = 6;
/// Writers at once.
const WRITERS: u64 = 6;
/// How long a retry may take.
const PATIENCE: Duration = Duration::from_secs(30);

async fn post(partner: &PartnerServer, path: &str, key: &str, body: &Value) -> Result<Answer> {
    let call = partner.door().call(Method::POST, path).idempotency_key(key);
    call.json(body).send().await
}

fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "{name}-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A user of the partner with a balance in euro: the balance's path, and its number.
async fn balance(pair: &Pair) -> Result<(u64, String, u64)> {
    let user = pair.partner.accepted_user().await?;
    let prefix = PartnerServer::prefix(user);
    let id = pair.partner.cards(&prefix).first_balance().await?;
    Ok((user, format!("{prefix}/balances/{id}"), id))
}

fn euro(amount: i64) -> Value {
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

/// A partner balance of `partner` in this currency, by the platform.
async fn partner_balance(platform: &Operator, currency: &str, kind: &str) -> Result<u64> {
    let body = json!({ "partner": "partner", "kind": kind, "currency": currency });
    let made = platform
        .post("/admin/partner-balances", &body)
        .await?
        .expect(201)?;
    made.number_at("/id")
}

#[test]
fn a_partner_balance_takes_two_of_the_platforms_admins_and_credits_a_bank_transfer_once() {
    on_each_engine(async |pair| {
        let (first, second) = (
            pair.operator("admin", None).await?,
            pair.operator("admin", None).await?,
        );
        let own = pair.operator("admin", Some("partner")).await?;
        let stranger = pair.operator("admin", Some("other-partner")).await?;
        let id = partner_balance(&first, "SEK", "CREDIT").await?;
        let again = json!({ "partner": "partner", "kind": "DEPOSIT", "currency": "SEK" });
        first
            .post("/admin/partner-balances", &again)
            .await?
            .expect_refusal(409, "PARTNER_BALANCE_EXISTS")?;
        own.post("/admin/partner-balances", &again)
            .await?
            .expect_refusal(403, "PLATFORM_ONLY")?;
        let path = format!("/admin/partner-balances/{id}");
        stranger.get(&path).await?.expect_refusal(404, "NOT_FOUND")?;
        let wish = json!({ "amount": 500_000, "bankReference": unique("NB") });
        own.post(&format!("{path}/reload"), &wish)
            .await?
            .expect_refusal(403, "PLATFORM_ONLY")?;
        let proposed = first.post(&format!("{path}/reload"), &wish).await?.expect(202)?;
        ensure!(proposed.json()?["state"] == "PROPOSED");
        ensure!(
            first.get(&path).await?.expect(200)?.json()?["value"] == 0,
            "nothing moved yet"
        );
        let decide = format!("{path}/reloads/{}", proposed.number_at("/id")?);
        for what in ["approve", "reject"] {
            let alone = first.post(&format!("{decide}/{what}"), &json!({})).await?;
            alone.expect_refusal(403, "OWN_PROPOSAL")?;
            let partners = own.post(&format!("{decide}/{what}"), &json!({})).await?;
            partners.expect_refusal(403, "PLATFORM_ONLY")?;
        }
        let approved = second
            .post(&format!("{decide}/approve"), &json!({}))
            .await?
            .expect(200)?
            .json()?;
        ensure!(
            approved["reload"]["state"] == "APPROVED" && approved["balance"]["value"] == 500_000,
            "{approved}"
        );
        let late = second.post(&format!("{decide}/approve"), &json!({})).await?;
        late.expect_refusal(409, "RELOAD_DECIDED")?;
        let twice = second.post(&format!("{path}/reload"), &wish).await?;
        twice.expect_refusal(409, "BANK_REFERENCE_USED")?;
        let reloads = own.get(&format!("{path}/reloads")).await?.expect(200)?.json()?;
        ensure!(reloads["items"][0] == approved["reload"], "{reloads}");
        let listed = pair
            .partner
            .door()
            .get("/secure/partner-balances")
            .await?
            .expect(200)?
            .json()?;
        let listed = listed["items"].as_array().context("no items")?.clone();
        ensure!(
            listed
                .iter()
                .any(|one| one["id"] == id && one["value"] == 500_000),
            "{listed:?}"
        );
        ensure!(
            listed.iter().all(|one| one["kind"] != "COMPANY"),
            "the platform's own: {listed:?}"
        );
        let summary = own.get("/admin/summary/balances").await?.expect(200)?.json()?;
        let sek = summary["summaries"].as_array().context("no summaries")?;
        let sek = sek
            .iter()
            .find(|one| one["currency"] == "SEK")
            .context("no SEK")?;
        ensure!(sek["users"] == 0 && sek["wallet"] == 500_000, "{summary}");
        Ok(())
    });
}

#[test]
fn a_low_level_is_set_by_the_partners_admin_and_a_lock_by_the_platforms() {
    on_each_engine(async |pair| {
        let platform = pair.operator("admin", None).await?;
        let own = pair.operator("admin", Some("partner")).await?;
        let id = partner_balance(&platform, "DKK", "DEPOSIT").await?;
        let path = format!("/admin/partner-balances/{id}");
        let put = async |body: Value| {
            own.call(Method::PUT, &format!("{path}/low-level"))
                .json(&body)
                .send()
                .await
        };
        for bad in [
            json!({ "level": 5 }),
            json!({ "level": 5, "rearmLevel": 4 }),
            json!({ "level": 0, "rearmLevel": 4 }),
        ] {
            put(bad).await?.expect_refusal(422, "VALIDATION_FAILED")?;
        }
        let set = put(json!({ "level": 1000, "rearmLevel": 1500 }))
            .await?
            .expect(200)?
            .json()?;
        ensure!(
            set["lowLevel"] == json!({ "level": 1000, "rearmLevel": 1500, "isLow": true }),
            "{set}"
        );
        let off = put(json!({})).await?.expect(200)?.json()?;
        ensure!(off["lowLevel"].is_null(), "{off}");
        own.post(&format!("{path}/lock"), &json!({}))
            .await?
            .expect_refusal(403, "PLATFORM_ONLY")?;
        let locked = platform
            .post(&format!("{path}/lock"), &json!({}))
            .await?
            .expect(200)?
            .json()?;
        ensure!(locked["state"] == "LOCKED", "{locked}");
        platform
            .post(&format!("{path}/unlock"), &json!({}))
            .await?
            .expect(200)?;
        Ok(())
    });
}

#[test]
fn a_partner_creates_its_balance_where_its_program_allows_it() {
    on_each_engine(async |pair| {
        let body = json!({ "kind": "CREDIT", "currency": "NOK" });
        let refused = post(&pair.partner, "/secure/partner-balances", &unique("pb"), &body).await?;
        refused.expect_refusal(403, "NOT_OFFERED")?;
        let made = post(
            &pair.other_partner,
            "/secure/partner-balances",
            &unique("pb"),
            &body,
        )
        .await?;
        let id = made.expect(201)?.number_at("/id")?;
        let again = json!({ "kind": "DEPOSIT", "currency": "NOK" });
        let refused = post(
            &pair.other_partner,
            "/secure/partner-balances",
            &unique("pb"),
            &again,
        )
        .await?;
        refused.expect_refusal(409, "PARTNER_BALANCE_EXISTS")?;
        let own = pair.operator("admin", Some("other-partner")).await?;
        own.get(&format!("/admin/partner-balances/{id}"))
            .await?
            .expect(200)?;
        let stranger = pair.operator("admin", Some("partner")).await?;
        stranger
            .get(&format!("/admin/partner-balances/{id}"))
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        Ok(())
    });
}

#[test]
fn killing_the_gateway_under_reloads_loses_and_doubles_none() {
    run(async {
        let outcome = async {
            for database in engines("money").await? {
                cycles(database).await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

/// A reload under its key, and the answer if one came.
struct Attempt {
    key: String,
    acknowledged: Option<Vec<u8>>,
}

async fn cycles(database: Database) -> Result<()> {
    let engine = format!("{database:?}")
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect::<String>();
    let mut options = StandOptions::for_tests(&scratch("money")?)?;
    options.database = database;
    let mut pair = Pair::with(options).await?;
    let (_, path, _) = balance(&pair).await?;
    let (mut total, mut lost) = (0, 0);
    for cycle in 0..CYCLES {
        let after = Duration::from_millis(30 + 45 * u64::from(cycle));
        let attempts = load_and_kill(&mut pair, &path, cycle, after).await?;
        total += i64::try_from(attempts.len())?;
        lost += attempts
            .iter()
            .filter(|attempt| attempt.acknowledged.is_none())
            .count();
        for attempt in &attempts {
            let answer = finished_by_retry(&pair, &path, &attempt.key).await?;
            let same = attempt
                .acknowledged
                .as_ref()
                .is_none_or(|first| *first == answer.body);
            ensure!(same, "{}: another answer than the first", attempt.key);
        }
        let shown = pair.partner.door().get(&path).await?.expect(200)?.json()?;
        ensure!(
            shown["value"] == total,
            "cycle {cycle}: {total} reloads of 1, and {}",
            shown["value"]
        );
        is_sound(&pair, total)
            .await
            .with_context(|| format!("{engine}, cycle {cycle}"))?;
    }
    report(&format!(
        "gateway killed {CYCLES} times under reloads on {engine}: {total} made, {lost} of them by retry"
    ));
    pair.stand.stop().await
}

/// Writers reload the balance by 1 each until the gateway dies under them; then it is started again.
async fn load_and_kill(pair: &mut Pair, path: &str, cycle: u32, after: Duration) -> Result<Vec<Attempt>> {
    let dead = Arc::new(AtomicBool::new(false));
    let partner = Arc::new(pair.stand.partner()?);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (dead, partner, path) = (Arc::clone(&dead), Arc::clone(&partner), format!("{path}/reload"));
        writers.spawn(async move {
            let mut attempts = Vec::new();
            while !dead.load(Ordering::Relaxed) {
                let key = format!("money-{cycle}-{writer}-{}", attempts.len());
                let acknowledged = match post(&partner, &path, &key, &euro(1)).await {
                    Ok(answer) if answer.status == 201 => Some(answer.body),
                    Ok(answer) if answer.status == 503 => None,
                    Ok(answer) => bail!("an unexpected answer under a crash: {answer}"),
                    Err(_) => None,
                };
                let promised = acknowledged.is_some();
                attempts.push(Attempt { key, acknowledged });
                if !promised {
                    break;
                }
            }
            Ok(attempts)
        });
    }
    sleep(after).await;
    pair.stand.kill_gateway().await?;
    dead.store(true, Ordering::Relaxed);
    let mut attempts = Vec::new();
    while let Some(writer) = writers.join_next().await {
        attempts.extend(writer??);
    }
    pair.stand.start_gateway().await?;
    Ok(attempts)
}

async fn finished_by_retry(pair: &Pair, path: &str, key: &str) -> Result<Answer> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = post(&pair.partner, &format!("{path}/reload"), key, &euro(1)).await?;
        match answer.status {
            201 => return Ok(answer),
            503 if Instant::now() < deadline => sleep(Duration::from_millis(50)).await,
            _ => bail!("{key} was not finished by a retry: {answer}"),
        }
    }
}

/// The database itself: debits are credits, transfers are what accounts say, nobody is overdrawn.
async fn is_sound(pair: &Pair, reloads: i64) -> Result<()> {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&pair.stand.database_url()).await?;
    let row = sqlx::query(
        "SELECT CAST(SUM(debits_posted - credits_posted) AS BIGINT) AS posted, \
         CAST(SUM(debits_pending - credits_pending) AS BIGINT) AS pending, \
         CAST(SUM(credits_posted) AS BIGINT) AS moved, \
         CAST(SUM(CASE WHEN debits_must_not_exceed_credits = 1 AND debits_posted + debits_pending > credits_posted \
         THEN 1 ELSE 0 END) AS BIGINT) AS overdrawn, \
         (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM transfers WHERE phase = 'SINGLE') AS told FROM accounts",
    )
    .fetch_one(&mut connection)
    .await?;
    let sum = |column: &str| row.try_get::<i64, _>(column);
    ensure!(
        sum("posted")? == 0 && sum("pending")? == 0 && sum("overdrawn")? == 0,
        "not in balance"
    );
    ensure!(
        sum("moved")? == reloads && sum("told")? == reloads,
        "{} and {}",
        sum("moved")?,
        sum("told")?
    );
    connection.close().await?;
    Ok(())
}
