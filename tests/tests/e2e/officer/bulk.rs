//! Cards by the thousand (here by the three), single cards, and the destruction of erased ones.

use std::fs;

use anyhow::{Context, Result, ensure};
use deploy::actors::ReceivingKey;
use deploy::stand::Stand;
use serde_json::Value;
use shared::ids::CardToken;
use shared::vault_api::bulk::{ImportOutcome, ImportRow};
use shared::vault_api::cards::{CardStanding, Standing};
use shared::vault_api::jobs::{Job, JobState};

use super::{approve, on_a_vault, open, propose};
use crate::bulk::test_number;

/// Proposes, approves, uploads and follows an import, and tells what became of its rows.
async fn import(stand: &Stand, file: &str, more: &[&str]) -> Result<Vec<ImportRow>> {
    let words = [&["import", "propose", "--program", "demo-eur", file], more].concat();
    let proposed = propose(stand, &words).await?;
    let id = proposed.id.as_str();
    let with_file = [
        "approvals",
        "approve",
        id,
        "--hash",
        &proposed.hash,
        "--file",
        file,
    ];
    stand.officer_command(2, &with_file)?.run().await?.expect(0)?;
    let upload = ["import", "upload", id, file, "--watch", "--json"];
    let followed = stand.officer_command(1, &upload)?.run().await?.expect(0)?;
    let last: Job = followed.lines()?.pop().context("a job")?;
    ensure!(last.state == JobState::Done, "{last:?}");
    stand
        .officer_command(1, &["import", "rows", id, "--json"])?
        .run()
        .await?
        .expect(0)?
        .lines()
}

#[test]
fn a_csv_comes_in_sealed_and_goes_out_sealed() {
    on_a_vault(async {
        let stand = open("officer-import").await?;
        let file = stand.layout().root.join("cards.sealed");
        let path = file.display().to_string();
        let (first, second) = (test_number(1), test_number(2));
        let csv = format!(
            "cardNo,exp,reference\n{first},2031-11-30,one\n{second},2031-11-30,two\n9999,2031-11-30,bad\n"
        );
        let seal = stand
            .officer_command(1, &["import", "seal", "--out", &path])?
            .stdin(csv);
        seal.run().await?.expect(0)?.says("3 rows are sealed")?;
        ensure!(
            !fs::read_to_string(&file)?.contains(&first),
            "a number stands in the file"
        );

        let judged = import(&stand, &path, &["--dry-run"]).await?;
        let taken = import(&stand, &path, &[]).await?;
        let again = import(&stand, &path, &[]).await?;
        let outcomes = |rows: &[ImportRow]| rows.iter().map(|row| row.outcome).collect::<Vec<_>>();
        use ImportOutcome::{Duplicate, Imported, Refused};
        ensure!(outcomes(&judged) == [Imported, Imported, Refused] && judged[0].card.is_none());
        ensure!(outcomes(&taken) == [Imported, Imported, Refused]);
        ensure!(outcomes(&again) == [Duplicate, Duplicate, Refused] && again[0].card == taken[0].card);

        let changed = stand.layout().root.join("changed.sealed");
        fs::write(&changed, fs::read_to_string(&file)?.replacen('\n', "\n\n", 1))?;
        let words = ["import", "propose", "--program", "demo-eur", &path];
        let proposed = propose(&stand, &words).await?;
        let other = changed.display().to_string();
        let other = [
            "approvals",
            "approve",
            proposed.id.as_str(),
            "--hash",
            &proposed.hash,
            "--file",
            &other,
        ];
        stand
            .officer_command(2, &other)?
            .run()
            .await?
            .expect(4)?
            .says("SHA-256")?;

        export(&stand).await?;
        erase(&stand, taken[0].card.as_ref().context("a card")?).await
    });
}

async fn export(stand: &Stand) -> Result<()> {
    let key = stand.layout().root.join("recipient.pem");
    fs::write(&key, ReceivingKey::p256()?.public_pem()?)?;
    let words = [
        "export",
        "propose",
        "--program",
        "demo-eur",
        "--recipient",
        &key.display().to_string(),
    ];
    let words = [&words[..], &["--most-cards", "10", "--reason", "migration"]].concat();
    let proposed = propose(stand, &words).await?;
    approve(stand, &proposed).await?;
    let jobs: Vec<Job> = stand
        .officer_command(1, &["jobs", "list", "--json"])?
        .run()
        .await?
        .expect(0)?
        .json()?;
    let job = jobs
        .iter()
        .find(|job| job.approval.as_ref() == Some(&proposed.id))
        .context("a job")?;
    stand
        .officer_command(1, &["jobs", "watch", job.id.as_str()])?
        .run()
        .await?
        .expect(0)?;
    let out = stand.layout().root.join("export.sealed");
    let words = [
        "export",
        "download",
        proposed.id.as_str(),
        "--out",
        &out.display().to_string(),
    ];
    stand
        .officer_command(1, &words)?
        .run()
        .await?
        .expect(0)?
        .says("bytes in")?;
    stand
        .officer_command(1, &words)?
        .run()
        .await?
        .expect(2)?
        .says("exists")?;
    ensure!(fs::read_to_string(&out)?.starts_with("eyJ"), "no sealed line");
    Ok(())
}

async fn erase(stand: &Stand, card: &CardToken) -> Result<()> {
    let card = card.as_str();
    stand
        .officer_command(1, &["cards", "erase", card])?
        .run()
        .await?
        .expect(2)?
        .says("--yes")?;
    let erased = stand
        .officer_command(1, &["cards", "erase", card, "--yes", "--json"])?
        .run()
        .await?;
    ensure!(erased.expect(0)?.json::<CardStanding>()?.standing != Standing::Open);
    approve(stand, &propose(stand, &["erasures", "halt", "24"]).await?).await?;
    let report = stand
        .officer_command(1, &["retention", "--json"])?
        .run()
        .await?
        .expect(0)?;
    let report: Value = report.json()?;
    ensure!(
        report["inGrace"] == 1 && report["haltedUntil"].is_string(),
        "{report}"
    );
    approve(stand, &propose(stand, &["cards", "restore", card]).await?).await?;
    approve(stand, &propose(stand, &["erasures", "resume"]).await?).await?;
    let report = stand.officer_command(1, &["retention"])?.run().await?.expect(0)?;
    report.says("halted until      -")?.says("in grace          0")?;
    stand
        .officer_command(1, &["holders", "pending"])?
        .run()
        .await?
        .expect(0)?
        .says("No key waits.")?;
    let twice = propose(stand, &["cards", "restore", card]).await?;
    let words = ["approvals", "approve", twice.id.as_str(), "--hash", &twice.hash];
    stand
        .officer_command(2, &words)?
        .run()
        .await?
        .expect(1)?
        .says("CARD_NOT_IN_GRACE")?;
    Ok(())
}
