//! A user is removed: nothing personal is left in any table or file of the gateway, the vault knows no card and no key of
//! them any more, and ledger, events and trail are as they were. Also when the vault is away, and when the gateway is killed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use deploy::actors::{NewUser, PartnerServer, Phone};
use deploy::stand::{Database, StandOptions};
use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _};
use tokio::time::{Instant, sleep};

use crate::pair::{Pair, engines, finished, run, scratch};

/// What of the canary must be nowhere: each of it stands in a place of its own.
const CANARY: [&str; 9] = [
    "canary.zq7@mail.example",
    "+48777000777",
    "Canaryfirst",
    "Canarylast",
    "Canary Street 77",
    "Canarytown",
    "ext-canary-zq7",
    "Canary phone",
    "Canary card",
];
/// How long the jobs may take for what is left to be done at the vault.
const PATIENCE: Duration = Duration::from_secs(120);

fn canary() -> NewUser {
    NewUser {
        body: json!({
            "email": CANARY[0],
            "phoneNumber": CANARY[1],
            "firstName": CANARY[2],
            "lastName": CANARY[3],
            "dateOfBirth": "1977-07-17",
            "nationality": "PL",
            "externalId": CANARY[6],
            "address": { "line1": CANARY[4], "city": CANARY[5], "postalCode": "77-777", "country": "PL" },
        }),
    }
}

/// The canary with all that a user can have: an application, a lock with a reason, a phone, a card with a name and plastic.
async fn settle_in(pair: &Pair) -> Result<(u64, Phone)> {
    let user = pair
        .partner
        .create_user(&canary())
        .await?
        .expect(201)?
        .number_at("/id")?;
    let code = pair.partner.activation_code(user).await?.expect(201)?;
    let mut phone = pair.stand.phone()?;
    let mut body = phone.pairing(&code.text_at("/activationCode")?)?;
    body["deviceName"] = json!(CANARY[7]);
    phone.try_pair_body(&body, None).await?.expect(201)?;
    let application = json!({ "firstName": CANARY[2], "lastName": CANARY[3] });
    let begun = phone.register(&application).await?;
    ensure!((200..300).contains(&begun.status), "{begun}");
    pair.partner.set_kyc(user, "ACCEPTED").await?.expect(200)?;
    let desk = phone.cards();
    let created = desk.create(desk.first_balance().await?, CANARY[8]).await?;
    let card = deploy::actors::Card::of(&created.content)?;
    desk.print(&card).await?;
    let path = format!("/lifecycle/v1/users/{user}/lock");
    let reason = json!({ "reason": format!("{} called", CANARY[3]) });
    pair.partner.post(&path, &reason).await?.expect(200)?;
    pair.partner.set_locked(user, false).await?.expect(200)?;
    phone.log_in().await?;
    Ok((user, phone))
}

/// Everything that the gateway keeps: every row on PostgreSQL, every byte of the files on SQLite.
async fn kept(pair: &Pair, url: Option<&str>) -> Result<Vec<(String, Vec<u8>)>> {
    let mut kept = Vec::new();
    if let Some(url) = url {
        let mut connection = sqlx::PgConnection::connect(url).await?;
        let tables = sqlx::query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&mut connection)
            .await?;
        for table in tables {
            let table: String = table.try_get(0)?;
            let statement = sqlx::AssertSqlSafe(format!("SELECT t::text FROM \"{table}\" AS t"));
            let mut rows = Vec::new();
            for row in sqlx::raw_sql(statement).fetch_all(&mut connection).await? {
                rows.extend_from_slice(row.try_get::<String, _>(0)?.as_bytes());
            }
            kept.push((table, rows));
        }
    }
    read_files(&pair.stand.layout().root, &mut kept)?;
    Ok(kept)
}

fn read_files(directory: &Path, kept: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            read_files(&path, kept)?;
        } else {
            kept.push((path.display().to_string(), fs::read(&path)?));
        }
    }
    Ok(())
}

/// Where something of the canary stands, in clear or as PostgreSQL shows bytes.
fn found(kept: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut found = Vec::new();
    for (place, bytes) in kept {
        for needle in CANARY {
            let hex: String = needle.bytes().map(|byte| format!("{byte:02x}")).collect();
            for form in [needle.as_bytes(), hex.as_bytes()] {
                if bytes.windows(form.len()).any(|window| window == form) {
                    found.push(format!("{needle} in {place}"));
                }
            }
        }
    }
    found
}

async fn until_gone(pair: &Pair, url: Option<&str>) -> Result<()> {
    let began = Instant::now();
    loop {
        let left = found(&kept(pair, url).await?);
        if left.is_empty() {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "left behind: {left:?}");
        sleep(Duration::from_millis(500)).await;
    }
}

fn on_pairs_of_their_own(purpose: &str, test: impl AsyncFn(&mut Pair, Option<&str>) -> Result<()>) {
    run(async {
        let outcome = async {
            for database in engines(purpose).await? {
                let mut options = StandOptions::for_tests(&scratch(purpose)?)?;
                let url = match &database {
                    Database::Sqlite => None,
                    Database::Postgres(url) => Some(url.clone()),
                };
                options.database = database;
                let mut pair = Pair::with(options).await?;
                test(&mut pair, url.as_deref()).await?;
                pair.stand.stop().await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

/// Neighbours fill the pages before, between and behind.
async fn neighbours(pair: &Pair, many: usize) -> Result<()> {
    for _ in 0..many {
        pair.partner.create_user(&NewUser::sample()?).await?.expect(201)?;
    }
    Ok(())
}

#[test]
fn nothing_personal_is_left_of_a_removed_user() {
    on_pairs_of_their_own("erasure", async |pair, url| {
        neighbours(pair, 20).await?;
        let (user, phone) = settle_in(pair).await?;
        neighbours(pair, 20).await?;
        let before = found(&kept(pair, url).await?);
        for needle in CANARY {
            ensure!(
                before.iter().any(|place| place.starts_with(needle)),
                "the search would not find {needle}: {before:?}"
            );
        }
        let events = events_of(pair, user).await?;
        pair.other_partner
            .remove_user(user)
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        pair.partner.remove_user(user).await?.expect(204)?;
        pair.partner
            .remove_user(user)
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        until_gone(pair, url).await?;

        phone.kyc().await?.expect_refusal(401, "SESSION_REQUIRED")?;
        let login = phone.try_log_in("4711").await?;
        login.expect_refusal(401, "AUTHENTICATION_FAILED")?;
        pair.partner.user(user).await?.expect_refusal(404, "NOT_FOUND")?;
        let prefix = PartnerServer::prefix(user);
        pair.partner
            .cards(&prefix)
            .list()
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        let desk = pair.desk().await?;
        let shown = desk.admin.get(&format!("/admin/customers/{user}")).await?;
        shown.expect_refusal(404, "NOT_FOUND")?;
        ensure!(!events.is_empty());
        // The partner's name of the user is free, and a new registration is somebody new.
        let again = pair
            .partner
            .create_user(&canary())
            .await?
            .expect(201)?
            .number_at("/id")?;
        ensure!(again > user);
        // The vault has heard of it all.
        let told = pair.stand.auditor()?.verify().await?.events;
        for operation in ["erase", "revoke-key"] {
            let done = told.iter().any(|entry| {
                let event: Value = serde_json::from_str(&entry.event).unwrap_or_default();
                event["operation"] == operation && event["outcome"] == "done"
            });
            ensure!(done, "the vault did nothing of {operation}");
        }
        Ok(())
    });
}

/// What the user's own export says of events, before the removal.
async fn events_of(pair: &Pair, user: u64) -> Result<Vec<Value>> {
    let path = format!("/lifecycle/v1/users/{user}/export");
    let export = pair.partner.door().get(&path).await?.expect(200)?.json()?;
    Ok(export["events"].as_array().cloned().unwrap_or_default())
}

#[test]
fn a_removal_that_the_vault_did_not_hear_of_or_a_kill_cut_short_is_finished() {
    on_pairs_of_their_own("erasure_cut", async |pair, url| {
        let (user, _) = settle_in(pair).await?;
        pair.stand.kill_vault().await?;
        pair.partner.remove_user(user).await?.expect(204)?;
        pair.partner.user(user).await?.expect_refusal(404, "NOT_FOUND")?;
        pair.stand.kill_gateway().await?;
        pair.stand.start_vault().await?;
        pair.stand.unlock().await?;
        pair.stand.start_gateway().await?;
        // The work that was written down waits a minute for the request that wrote it.
        pair.stand.set_clock_ahead(Duration::from_secs(90))?;
        until_gone(pair, url).await.context("after the kill")
    });
}
