//! Invariant 5 over the real binaries: the vault is killed again and again while it rotates its keys and cards are made;
//! the rotation comes to its end, every card still opens, and the store as it was before does not open with what
//! custodians and epoch files hold now.
//!
//! `TESSERA_CRASH_CYCLES` sets how often it is killed; 20 by default.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use deploy::actors::{Card, Officer};
use deploy::stand::{Database, StandOptions};
use reqwest::Method;
use serde_json::json;
use shared::ids::JobToken;
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::{Job, JobState, Rotation, Throttle};
use shared::vault_api::paths;
use shared::vault_api::reports::KeyInventory;
use tokio::time::{Instant, sleep};

use crate::content::FullCard;
use crate::pair::{Pair, finished, report, run, scratch};

const CYCLES_VARIABLE: &str = "TESSERA_CRASH_CYCLES";
const DEFAULT_CYCLES: u32 = 20;
/// Cards that are there when the rotations begin.
const CARDS: usize = 12;
/// Slow enough for a kill to find the rotation at work.
const PER_SECOND: u32 = 40;
/// The moment of a kill, milliseconds after the vault opened: runs over the first second.
const KILL_AFTER_MS: [u64; 5] = [30, 150, 420, 700, 1100];
/// How long a rotation of some cards may take once nobody kills it.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_vault_that_is_killed_while_it_rotates_loses_nothing_and_forgets_the_old_keys() {
    run(async { finished("SQLite", killed_again_and_again().await) });
}

async fn killed_again_and_again() -> Result<()> {
    let mut options = StandOptions::for_tests(&scratch("rotation")?)?;
    options.database = Database::Sqlite;
    let mut pair = Pair::with(options).await?;
    let holder = pair.holder().await?;
    let mut cards = vec![holder.card.clone()];
    for _ in 1..CARDS {
        cards.push(another(&pair, &holder.prefix).await?);
    }
    let numbers = numbers(&pair, &holder.prefix, &cards).await?;

    pair.stand.stop_vault().await?;
    let earlier = scratch("rotation-earlier")?;
    copy(&pair.stand.layout().vault_data, &earlier)?;
    pair.stand.start_vault().await?;
    pair.stand.unlock().await?;

    let mut kills = 0;
    for rotation in [
        Rotation::CardKek,
        Rotation::DataKeys,
        Rotation::Records,
        Rotation::Fingerprint,
    ] {
        kills += rotate_under_kills(&mut pair, &holder.prefix, rotation).await?;
    }
    let after = self::numbers(&pair, &holder.prefix, &cards).await?;
    ensure!(after == numbers, "a card is not what it was");
    let inventory: KeyInventory = pair
        .stand
        .officer(1)?
        .door()
        .get(paths::KEY_INVENTORY)
        .await?
        .expect(200)?
        .read_as()?;
    for key in &inventory.keys {
        let counted = matches!(key.purpose.as_str(), "card-kek" | "records" | "fingerprint");
        ensure!(
            !counted || key.state == "active" || key.state == "destroyed",
            "{key:?}"
        );
    }
    ensure!(inventory.epoch == 5, "epoch {}", inventory.epoch);
    pair.stand.auditor()?.verify().await?;
    report(&format!(
        "vault killed {kills} times in four rotations of {CARDS} cards"
    ));
    earlier_copy_stays_closed(&mut pair, &earlier).await?;
    pair.stand.stop().await
}

/// Begins a rotation, kills the vault while it runs, and sees it end.
async fn rotate_under_kills(pair: &mut Pair, prefix: &str, rotation: Rotation) -> Result<u32> {
    let cycles: u32 = std::env::var(CYCLES_VARIABLE).map_or(Ok(DEFAULT_CYCLES), |text| text.parse())?;
    pair.stand
        .carry_through(&Proposal::Rotate(rotation.clone()))
        .await?;
    let id = newest(&pair.stand.officer(1)?).await?.id;
    throttle(&pair.stand.officer(1)?, &id, PER_SECOND).await?;
    for cycle in 0..cycles.div_ceil(4) {
        let after = KILL_AFTER_MS[cycle as usize % KILL_AFTER_MS.len()];
        let making = another(pair, prefix);
        tokio::select! {
            made = making => { made?; sleep(Duration::from_millis(after)).await; }
            () = sleep(Duration::from_millis(after)) => {}
        }
        pair.stand.kill_vault().await?;
        pair.stand.start_vault().await?;
        pair.stand.unlock().await?;
    }
    let officer = pair.stand.officer(1)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let job = job(&officer, &id).await?;
        match job.state {
            JobState::Done => {
                let completion = job.completion.context("no completion record")?;
                ensure!(completion.contains("references 0"), "{completion}");
                return Ok(cycles.div_ceil(4));
            }
            JobState::Running | JobState::Verifying if Instant::now() < deadline => {
                sleep(Duration::from_millis(50)).await;
            }
            _ => bail!("{}: {job:?}", rotation.name()),
        }
    }
}

async fn newest(officer: &Officer) -> Result<Job> {
    let jobs: Vec<Job> = officer.door().get(paths::JOBS).await?.expect(200)?.read_as()?;
    jobs.into_iter().next().context("no job")
}

async fn job(officer: &Officer, id: &JobToken) -> Result<Job> {
    officer.door().get(&paths::job(id)).await?.expect(200)?.read_as()
}

/// A job that ended before it could be throttled is no failure.
async fn throttle(officer: &Officer, id: &JobToken, per_second: u32) -> Result<()> {
    let call = officer.door().call(Method::POST, &paths::throttle_job(id));
    let answer = call
        .idempotency_key("throttle")
        .json(&Throttle { per_second })
        .send()
        .await?;
    ensure!(matches!(answer.status, 200 | 409), "{answer}");
    Ok(())
}

/// One more card of the user; the vault may be killed meanwhile.
async fn another(pair: &Pair, prefix: &str) -> Result<Card> {
    let desk = pair.partner.cards(prefix);
    let balance = desk.first_balance().await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let call = desk.call(Method::POST, "/cards/virtual").enc(desk.receiving());
        let answer = call
            .json(&json!({ "balanceId": balance, "name": "Turn" }))
            .send()
            .await?;
        if answer.status == 503 && Instant::now() < deadline {
            sleep(Duration::from_millis(50)).await;
            continue;
        }
        return Card::of(&desk.open(answer, 201, None)?.content);
    }
}

async fn numbers(pair: &Pair, prefix: &str, cards: &[Card]) -> Result<Vec<String>> {
    let desk = pair.partner.cards(prefix);
    let mut numbers = Vec::new();
    for card in cards {
        numbers.push(FullCard::of(&desk.reveal(card).await?.content)?.pan);
    }
    Ok(numbers)
}

/// The data directory of before, with today's epoch files and shares: locked it stays. With the epoch files of its time
/// it opens.
async fn earlier_copy_stays_closed(pair: &mut Pair, earlier: &Path) -> Result<()> {
    let data = pair.stand.layout().vault_data.clone();
    pair.stand.stop_vault().await?;
    let today = scratch("rotation-today")?;
    copy(&data, &today)?;
    fs::remove_dir_all(&data)?;
    copy(earlier, &data)?;
    for file in ["epoch-1", "epoch-2"] {
        fs::copy(today.join(file), data.join(file))?;
    }
    pair.stand.start_vault().await?;
    ensure!(
        pair.stand.unlock().await.is_err(),
        "today's keys opened the earlier copy"
    );
    pair.stand.stop_vault().await?;
    for file in ["epoch-1", "epoch-2"] {
        fs::copy(earlier.join(file), data.join(file))?;
    }
    pair.stand.start_vault().await?;
    pair.stand
        .unlock()
        .await
        .context("the control: with the epoch secret of its time it opens")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
