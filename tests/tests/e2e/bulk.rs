//! Long work that is killed: an import takes in each row of its file once, however often the vault dies over it, and a
//! backup that was begun is whole in the end.
//!
//! `TESSERA_CRASH_CYCLES` sets how often it is killed; 20 by default, a quarter of that for each kind of work.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use deploy::actors::Officer;
use deploy::stand::{Stand, StandOptions};
use reqwest::Method;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use shared::ids::{ApprovalToken, JobToken};
use shared::vault_api::bulk::{ImportBegun, ImportOutcome, ImportPlan, ImportRow, ImportRows};
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::{Job, JobKind, JobState, Throttle};
use shared::vault_api::paths;
use shared::vault_api::reports::Backup;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::pair::{Pair, finished, report, run, scratch};

const CYCLES_VARIABLE: &str = "TESSERA_CRASH_CYCLES";
const DEFAULT_CYCLES: u32 = 20;
/// Rows of the file, and rows of one line.
const ROWS: u32 = 96;
const ROWS_OF_A_LINE: usize = 8;
/// Slow enough for a kill to find the work under way.
const PER_SECOND: u32 = 20;
/// Kills of an import come so many milliseconds after the vault opened.
const IMPORT_KILLED_AFTER_MS: [u64; 4] = [60, 250, 500, 900];
/// A backup of so little is written in an instant: what is killed is its beginning, more often than not.
const BACKUP_KILLED_AFTER_MS: [u64; 4] = [0, 2, 5, 12];
/// How long the rest may take once nobody kills it.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_import_that_is_killed_takes_in_every_row_once() {
    run(async { finished("import", import_under_kills().await) });
}

#[test]
fn a_backup_that_is_killed_is_whole_in_the_end() {
    run(async { finished("backup", backup_under_kills().await) });
}

fn cycles() -> Result<u32> {
    let cycles: u32 = std::env::var(CYCLES_VARIABLE).map_or(Ok(DEFAULT_CYCLES), |text| text.parse())?;
    Ok(cycles.div_ceil(4))
}

async fn import_under_kills() -> Result<()> {
    let mut pair = Pair::with(StandOptions::for_tests(&scratch("bulk-import")?)?).await?;
    let file = sealed_rows(&pair).await?;
    let plan = ImportPlan {
        program: "demo-eur".parse()?,
        sha256: hex(digest(&SHA256, file.as_bytes()).as_ref()),
        lines: file.lines().count() as u64,
        dry_run: false,
    };
    let (officer, second) = (pair.stand.officer(1)?, pair.stand.officer(2)?);
    let approval = officer.propose(&Proposal::ImportCards(plan)).await?;
    second.approve(&approval).await?.expect(200)?;
    let upload = officer
        .door()
        .call(Method::POST, &paths::import_file(&approval.id));
    let upload = upload
        .idempotency_key("file")
        .body("application/octet-stream", file);
    let begun: ImportBegun = upload.send().await?.expect(202)?.read_as()?;
    throttle(&officer, &begun.job).await?;
    let kills = kill_until_it_is_done(&mut pair.stand, &begun.job, IMPORT_KILLED_AFTER_MS).await?;

    let rows = rows(&pair.stand.officer(1)?, &approval.id).await?;
    ensure!(rows.len() == ROWS as usize, "{} rows", rows.len());
    let (mut cards, mut references) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        ensure!(row.outcome == ImportOutcome::Imported, "{row:?}");
        ensure!(cards.insert(row.card.clone()), "a card twice: {row:?}");
        ensure!(references.insert(row.reference.clone()), "a row twice: {row:?}");
    }
    let verified = pair.stand.auditor()?.verify().await?;
    let told = |entry: &&shared::vault_api::audit::AuditEntry| {
        let event: Value = serde_json::from_str(&entry.event).unwrap_or_default();
        event["operation"] == "import" && event["card"].is_string()
    };
    let events = verified.events.iter().filter(told).count();
    ensure!(events == ROWS as usize, "{events} events of {ROWS} cards");
    report(&format!("vault killed {kills} times in an import of {ROWS} rows"));
    pair.stand.stop().await
}

async fn backup_under_kills() -> Result<()> {
    let mut options = StandOptions::for_tests(&scratch("bulk-backup")?)?;
    let directory = scratch("bulk-backups")?;
    options.vault_extra = format!("[backup]\ndirectory = '{}'\n", directory.display());
    let mut pair = Pair::with(options).await?;
    pair.holder().await?;
    pair.stand
        .carry_through(&Proposal::Backup { life_days: 30 })
        .await?;
    let officer = pair.stand.officer(1)?;
    let jobs: Vec<Job> = officer.door().get(paths::JOBS).await?.expect(200)?.read_as()?;
    let job = jobs
        .into_iter()
        .find(|job| job.kind == JobKind::Backup)
        .context("no backup")?;
    let kills = kill_until_it_is_done(&mut pair.stand, &job.id, BACKUP_KILLED_AFTER_MS).await?;
    let officer = pair.stand.officer(1)?;
    let backups: Vec<Backup> = officer.door().get(paths::BACKUPS).await?.expect(200)?.read_as()?;
    ensure!(backups.len() == 1, "{backups:?}");
    let checked = Command::new(deploy::stand::binary("vault")?)
        .env_clear()
        .args(["restore", "--check", "--config"])
        .arg(&pair.stand.layout().vault_config)
        .arg("--from")
        .arg(directory.join(&backups[0].file))
        .output()
        .await?;
    ensure!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    report(&format!(
        "vault killed {kills} times in a backup of {} records",
        backups[0].records
    ));
    pair.stand.stop().await
}

/// Kills the vault so many milliseconds after it opened, again and again, then lets the job come to its end. Tells how often
/// the vault was killed.
async fn kill_until_it_is_done(stand: &mut Stand, job: &JobToken, after_ms: [u64; 4]) -> Result<u32> {
    let mut kills = 0;
    for after in after_ms.iter().cycle().take(cycles()? as usize) {
        sleep(Duration::from_millis(*after)).await;
        stand.kill_vault().await?;
        stand.start_vault().await?;
        stand.unlock().await?;
        kills += 1;
        if state(&stand.officer(1)?, job).await? == JobState::Done {
            break;
        }
    }
    let deadline = Instant::now() + PATIENCE;
    let officer = stand.officer(1)?;
    loop {
        match state(&officer, job).await? {
            JobState::Done => return Ok(kills),
            JobState::Running | JobState::Verifying if Instant::now() < deadline => {
                sleep(Duration::from_millis(50)).await;
            }
            other => bail!("the job is {other:?} after {kills} kills"),
        }
    }
}

async fn state(officer: &Officer, job: &JobToken) -> Result<JobState> {
    let job: Job = officer
        .door()
        .get(&paths::job(job))
        .await?
        .expect(200)?
        .read_as()?;
    Ok(job.state)
}

/// A job that ended before it could be throttled is no failure.
async fn throttle(officer: &Officer, job: &JobToken) -> Result<()> {
    let call = officer.door().call(Method::POST, &paths::throttle_job(job));
    let slow = Throttle {
        per_second: PER_SECOND,
    };
    let answer = call.idempotency_key("throttle").json(&slow).send().await?;
    ensure!(matches!(answer.status, 200 | 409), "{answer}");
    Ok(())
}

async fn rows(officer: &Officer, approval: &ApprovalToken) -> Result<Vec<ImportRow>> {
    let mut rows = Vec::new();
    let mut next = Some(1);
    while let Some(from) = next {
        let path = format!("{}?from={from}", paths::import_rows(approval));
        let page: ImportRows = officer.door().get(&path).await?.expect(200)?.read_as()?;
        rows.extend(page.rows);
        next = page.next;
    }
    Ok(rows)
}

/// The file: rows under the demo's BIN, sealed to the vault's key.
async fn sealed_rows(pair: &Pair) -> Result<String> {
    let user = pair.partner.accepted_user().await?;
    let key = pair
        .partner
        .cards(&deploy::actors::PartnerServer::prefix(user))
        .vault_key()
        .await?;
    let row = |number: u32| json!({ "cardNo": test_number(number), "exp": "2031-11-30", "reference": format!("row-{number}") });
    let rows: Vec<Value> = (1..=ROWS).map(row).collect();
    let mut file = String::new();
    for line in rows.chunks(ROWS_OF_A_LINE) {
        file.push_str(&key.seal(&json!({ "rows": line }))?);
        file.push('\n');
    }
    Ok(file)
}

/// The number under the demo's BIN with this account, check digit and all (ISO/IEC 7812-1 annex B).
pub(crate) fn test_number(account: u32) -> String {
    let body = format!("999900{account:09}");
    let weigh = |(place, byte): (usize, u8)| {
        let digit = u32::from(byte - b'0') * if place % 2 == 0 { 2 } else { 1 };
        digit / 10 + digit % 10
    };
    let sum: u32 = body.bytes().rev().enumerate().map(weigh).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
