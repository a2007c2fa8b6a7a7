//! Invariant 6 from outside: every sealed answer leads to its event under a signed checkpoint, witnesses sign that the log
//! only grows, and an old disk that is put back does not open.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use deploy::actors::{Opened, Witness, sha256_base64url};
use deploy::stand::{Stand, StandOptions};
use serde_json::Value;
use shared::vault_api::{AUDIT_INDEX, paths};
use tokio::time::{Instant, sleep};

use crate::pair::{Pair, finished, on_each_engine, run, scratch};

const PATIENCE: Duration = Duration::from_secs(30);

/// The index that an answer names.
fn index(opened: &Opened) -> Result<u64> {
    let header = opened.answer.header(AUDIT_INDEX);
    Ok(header
        .context("a sealed answer without its audit index")?
        .parse()?)
}

/// The answer's event, proved to be in the log, and about this very JWE.
async fn event_of(pair: &Pair, opened: &Opened) -> Result<Value> {
    let auditor = pair.stand.auditor()?;
    let (_, checkpoint) = auditor.checkpoint().await?;
    let entry = auditor.event(index(opened)?, &checkpoint).await?;
    let event: Value = serde_json::from_str(&entry.event)?;
    ensure!(
        event["bdh"] == sha256_base64url(&opened.jwe),
        "the event is of another answer: {event}"
    );
    Ok(event)
}

#[test]
fn every_sealed_answer_leads_to_its_event() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let created = desk.create_proven(desk.first_balance().await?, "Audited").await?;
        let event = event_of(pair, &created).await?;
        ensure!(
            event["operation"] == "issue" && event["emitted"] == true,
            "{event}"
        );
        let revealed = desk.reveal(&holder.card).await?;
        let event = event_of(pair, &revealed).await?;
        ensure!(
            event["operation"] == "reveal" && event["card"] == holder.card.token.as_str(),
            "{event}"
        );
        let reset = desk.reset_cvv(&holder.card).await?;
        let event = event_of(pair, &reset).await?;
        ensure!(
            event["operation"] == "reset-cvv" && index(&reset)? > index(&revealed)?,
            "{event}"
        );
        Ok(())
    });
}

#[test]
fn a_log_that_grew_is_proved_to_be_the_same_log() {
    on_each_engine(async |pair| {
        let auditor = pair.stand.auditor()?;
        let (_, old) = auditor.checkpoint().await?;
        pair.holder().await?;
        let (_, new) = auditor.checkpoint().await?;
        ensure!(old.size < new.size);
        auditor.check_consistency(&old, &new).await?;
        auditor.verify().await?;
        for path in [
            "?index=5&size=5",
            "?index=0&size=999999999",
            "?index=0",
            "?index=x&size=1",
        ] {
            let answer = auditor
                .door()
                .get(&format!("{}{path}", paths::AUDIT_INCLUSION))
                .await?;
            ensure!((400..500).contains(&answer.status), "{path}: {answer}");
        }
        Ok(())
    });
}

#[test]
fn witnesses_sign_a_growing_log_and_notice_an_old_disk() {
    run(async { finished("SQLite", old_disk().await) });
}

async fn old_disk() -> Result<()> {
    let directory = scratch("witness")?;
    let outside = scratch("witness-volume")?;
    let witness = Witness::start(&outside)?;
    let file = outside.join("notes");
    let mirror = outside.join("mirror");
    let mut options = StandOptions::for_tests(&directory)?;
    options.vault_extra = format!(
        "\n[audit]\nevery_seconds = 1\nmirror = '{}'\n[[audit.witnesses]]\nkind = \"file\"\nfile = '{}'\n{}",
        mirror.display(),
        file.display(),
        witness.section()?
    );
    let mut pair = Pair::with(options).await?;
    let (answer, checkpoint) = pair.stand.auditor()?.checkpoint().await?;
    witness.follow(&answer.vkey)?;
    until("the witness signs", || witness.seen() >= Some(checkpoint.size)).await?;
    pair.stand.stop_vault().await?;
    let early = directory.join("early");
    copy(&pair.stand.layout().vault_data, &early)?;
    let seen = witness.seen();

    open(&mut pair.stand).await?;
    pair.holder().await?;
    let (_, later) = pair.stand.auditor()?.checkpoint().await?;
    until("the witness signs what came then", || {
        witness.seen() >= Some(later.size)
    })
    .await?;
    ensure!(witness.seen() > seen && witness.refused() <= 2, "{witness:?}");
    pair.stand.stop_vault().await?;
    mirror_holds(&mirror, later.size)?;

    fs::remove_dir_all(&pair.stand.layout().vault_data)?;
    fs::rename(&early, &pair.stand.layout().vault_data)?;
    let refused = open(&mut pair.stand).await.err().context("an old disk opened")?;
    ensure!(
        format!("{refused:#}").contains("LOG_BEHIND_WITNESS"),
        "{refused:#}"
    );
    fs::remove_file(&file)?;
    let refused = open(&mut pair.stand).await.err().context("an old disk opened")?;
    ensure!(
        format!("{refused:#}").contains("LOG_BEHIND_WITNESS"),
        "{refused:#}"
    );
    pair.stand.stop().await?;
    witness.stop().await;
    Ok(())
}

/// Starts the vault where it does not run, and hands in the shares.
async fn open(stand: &mut Stand) -> Result<()> {
    if stand.vault().is_err() {
        stand.start_vault().await?;
    }
    stand.unlock().await
}

async fn until(what: &str, holds: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        ensure!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn mirror_holds(mirror: &Path, size: u64) -> Result<()> {
    let mut lines = 0;
    for entry in fs::read_dir(mirror)? {
        lines += fs::read_to_string(entry?.path())?.lines().count() as u64;
    }
    ensure!(lines >= size, "the mirror holds {lines} of {size} events");
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
