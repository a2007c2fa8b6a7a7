//! Invariant 3: either process is killed under load, again and again. Nothing that was acknowledged is lost, nothing half-done
//! shows, and a retry under the same key gives the first answer or finishes the work, never twice.
//!
//! `TESSERA_CRASH_CYCLES` sets the cycles of each kind; 20 by default, some thousands overnight (`tests/long`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use deploy::actors::{Card, CardDesk, PartnerServer};
use deploy::answer::Answer;
use deploy::stand::{Database, StandOptions};
use reqwest::Method;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::content::FullCard;
use crate::pair::{Pair, engines, finished, report, run, scratch, vault_database};

const CYCLES_VARIABLE: &str = "TESSERA_CRASH_CYCLES";
const DEFAULT_CYCLES: u32 = 20;
/// Writers at once.
const WRITERS: usize = 6;
/// The moment of the kill, milliseconds after the load began.
const KILL_AFTER_MS: std::ops::Range<u64> = 20..400;
/// How long an interrupted creation may take to be finished by retries: on PostgreSQL other gateways may be at work, so a key
/// that a dead one held is freed by its lease of a minute alone.
const PATIENCE: Duration = Duration::from_secs(90);
/// Waiting for leases takes a minute a cycle, so there are fewer such cycles by this factor.
const LEASED_CYCLES: u32 = 10;

#[derive(Debug, Clone, Copy)]
enum Victim {
    Vault,
    Gateway,
}

/// What was sent between two kills.
struct Round {
    /// Whose receiving key is part of every request: a retry must come from the same server.
    partner: Arc<PartnerServer>,
    prefix: String,
    balance: u64,
    attempts: Vec<Attempt>,
}

/// One request to create a card: its key, and the answer if one came.
struct Attempt {
    key: String,
    acknowledged: Option<Vec<u8>>,
}

#[test]
fn killing_the_vault_under_load_loses_and_doubles_nothing() {
    on_each_engine_apart(Victim::Vault);
}

#[test]
fn killing_the_gateway_under_load_loses_and_doubles_nothing() {
    on_each_engine_apart(Victim::Gateway);
}

fn on_each_engine_apart(victim: Victim) {
    run(async {
        let outcome = async {
            for database in engines(&format!("crash_{victim:?}").to_lowercase()).await? {
                cycles(victim, database).await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

async fn cycles(victim: Victim, database: Database) -> Result<()> {
    let engine = if matches!(database, Database::Sqlite) {
        "SQLite"
    } else {
        "PostgreSQL"
    };
    let mut options = StandOptions::for_tests(&scratch("crash")?)?;
    if !matches!(database, Database::Sqlite) {
        // Both on PostgreSQL, each with a database of its own.
        options.vault_database = vault_database(&format!("crash_{victim:?}").to_lowercase()).await?;
    }
    options.database = database;
    let mut pair = Pair::with(options).await?;
    let cycles = match std::env::var(CYCLES_VARIABLE) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{CYCLES_VARIABLE} must be a number"))?,
        Err(_) => DEFAULT_CYCLES,
    };
    let leased = matches!(victim, Victim::Gateway) && engine == "PostgreSQL";
    let cycles = if leased {
        cycles.div_ceil(LEASED_CYCLES)
    } else {
        cycles
    };
    let (mut acknowledged, mut repaired) = (0, 0);
    for cycle in 0..cycles {
        let after = Duration::from_millis(random_between(KILL_AFTER_MS)?);
        let context = || format!("{victim:?} on {engine}, cycle {cycle}, killed after {after:?}");
        let round = load_and_kill(&mut pair, victim, after)
            .await
            .with_context(context)?;
        acknowledged += round
            .attempts
            .iter()
            .filter(|attempt| attempt.acknowledged.is_some())
            .count();
        repaired += round
            .attempts
            .iter()
            .filter(|attempt| attempt.acknowledged.is_none())
            .count();
        nothing_lost_nothing_doubled(&pair, &round)
            .await
            .with_context(context)?;
    }
    pair.stand.auditor()?.verify().await?;
    ensure!(
        acknowledged > 0 && repaired > 0,
        "the kills never met the load: {acknowledged}, {repaired}"
    );
    report(&format!(
        "{victim:?} killed {cycles} times on {engine}: {acknowledged} acknowledged, {repaired} finished by retry"
    ));
    pair.stand.stop().await
}

/// Writers create cards of one new user until the victim dies under them; then it is started again.
async fn load_and_kill(pair: &mut Pair, victim: Victim, after: Duration) -> Result<Round> {
    let user = pair.partner.accepted_user().await?;
    let prefix = PartnerServer::prefix(user);
    let balance = pair.partner.cards(&prefix).first_balance().await?;
    let (dead, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let mut writers = JoinSet::new();
    let partner = Arc::new(pair.stand.partner()?);
    for _ in 0..WRITERS {
        let (dead, count, partner, prefix) = (dead.clone(), count.clone(), partner.clone(), prefix.clone());
        writers.spawn(async move {
            let mut attempts = Vec::new();
            while !dead.load(Ordering::Relaxed) {
                let key = format!("crash-{user}-{}", count.fetch_add(1, Ordering::Relaxed));
                let acknowledged = match create(&partner.cards(&prefix), balance, &key).await {
                    Ok(answer) if answer.status == 201 => Some(answer.body),
                    // A vault that is away, or a gateway that is: nothing was promised.
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
    match victim {
        Victim::Vault => pair.stand.kill_vault().await?,
        Victim::Gateway => pair.stand.kill_gateway().await?,
    }
    dead.store(true, Ordering::Relaxed);
    let mut attempts = Vec::new();
    while let Some(writer) = writers.join_next().await {
        attempts.extend(writer??);
    }
    match victim {
        Victim::Vault => {
            pair.stand.start_vault().await?;
            pair.stand.unlock().await?;
        }
        Victim::Gateway => pair.stand.start_gateway().await?,
    }
    Ok(Round {
        partner,
        prefix,
        balance,
        attempts,
    })
}

async fn create(desk: &CardDesk<'_>, balance: u64, key: &str) -> Result<Answer> {
    let call = desk
        .call(Method::POST, "/cards/virtual")
        .idempotency_key(key)
        .enc(desk.receiving());
    call.json(&json!({ "balanceId": balance, "name": "Crash" }))
        .send()
        .await
}

/// Retries every attempt under its key, and compares what is there with what was promised.
async fn nothing_lost_nothing_doubled(pair: &Pair, round: &Round) -> Result<()> {
    let (desk, balance, attempts) = (round.partner.cards(&round.prefix), round.balance, &round.attempts);
    let mut expected = BTreeSet::new();
    for attempt in attempts {
        let answer = finished_by_retry(&desk, balance, &attempt.key).await?;
        if let Some(first) = &attempt.acknowledged {
            ensure!(
                &answer.body == first,
                "{}: another answer than the first",
                attempt.key
            );
        }
        let card = Card::of(&desk.open(answer, 201, None)?.content)?;
        ensure!(expected.insert(card.token), "two requests share a card");
    }
    let found = tokens_of(&desk).await?;
    ensure!(
        found == expected,
        "{} cards are there, {} were made",
        found.len(),
        expected.len()
    );
    issued_once(pair, &expected).await?;
    if let Some(attempt) = attempts.first() {
        let card = Card::of(
            &desk
                .open(finished_by_retry(&desk, balance, &attempt.key).await?, 201, None)?
                .content,
        )?;
        FullCard::of(&desk.reveal(&card).await?.content)?;
    }
    Ok(())
}

async fn finished_by_retry(desk: &CardDesk<'_>, balance: u64, key: &str) -> Result<Answer> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = create(desk, balance, key).await?;
        match (answer.status, answer.code().as_deref()) {
            (201, _) => return Ok(answer),
            (503, _) | (409, Some("IDEMPOTENCY_IN_FLIGHT")) if Instant::now() < deadline => {
                sleep(Duration::from_millis(50)).await;
            }
            _ => bail!("{key} was not finished by retries: {answer}"),
        }
    }
}

async fn tokens_of(desk: &CardDesk<'_>) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut path = "/cards?limit=100".to_owned();
    loop {
        let page = desk.call(Method::GET, &path).send().await?.expect(200)?.json()?;
        for item in page["items"].as_array().context("no items")? {
            ensure!(
                found.insert(Card::of(item)?.token),
                "a card stands twice in the list"
            );
        }
        match page["nextCursor"].as_str() {
            Some(cursor) => path = format!("/cards?limit=100&cursor={cursor}"),
            None => return Ok(found),
        }
    }
}

/// The vault's own log names each card as issued once, and no card of this user that the gateway does not know.
async fn issued_once(pair: &Pair, expected: &BTreeSet<String>) -> Result<()> {
    let report = pair.stand.auditor()?.verify().await?;
    let issues = report.events.iter().filter_map(|entry| {
        let event: serde_json::Value = serde_json::from_str(&entry.event).ok()?;
        let issued = event["operation"] == "issue" && event["outcome"] == "done";
        issued.then(|| event["card"].as_str().map(str::to_owned))?
    });
    let mut seen = BTreeSet::new();
    for token in issues {
        ensure!(seen.insert(token), "a card was issued twice");
    }
    ensure!(expected.is_subset(&seen), "a card was never issued");
    Ok(())
}

fn random_between(range: std::ops::Range<u64>) -> Result<u64> {
    let mut bytes = [0; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("no random numbers"))?;
    Ok(range.start + u64::from_le_bytes(bytes) % (range.end - range.start))
}
