//! The log as files: exported, verified without the vault, and every kind of tampering told by exit code 4.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use deploy::stand::{OfficerCommand, Stand};
use serde_json::Value;
use shared::vault_api::audit::{AuditCheckpoint, AuditEntry};
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::Rotation;

use super::{on_a_vault, open};

/// `officer audit verify` on an export, with nothing but the CA.
fn offline(stand: &Stand, export: &Path, more: &[&str]) -> Result<OfficerCommand> {
    let export = export.display().to_string();
    let words = [&["audit", "verify", "--export", &export], more].concat();
    let ca = &stand.certificates().internal_ca.certificate;
    Ok(OfficerCommand::bare(&words)?.env("TESSERA_OFFICER_CA", ca))
}

async fn export(stand: &Stand, name: &str) -> Result<PathBuf> {
    let out = stand.layout().root.join(name);
    let words = ["audit", "export", &out.display().to_string()];
    stand
        .officer_command(1, &words)?
        .run()
        .await?
        .expect(0)?
        .says("audit verify --export")?;
    Ok(out)
}

/// The export with its lines changed by `hand`.
fn tampered(from: &Path, name: &str, hand: impl Fn(&mut Vec<String>)) -> Result<PathBuf> {
    let to = from.with_file_name(name);
    fs::create_dir_all(&to)?;
    fs::copy(from.join("checkpoint.json"), to.join("checkpoint.json"))?;
    let mut lines: Vec<String> = fs::read_to_string(from.join("events.jsonl"))?
        .lines()
        .map(str::to_owned)
        .collect();
    hand(&mut lines);
    fs::write(to.join("events.jsonl"), format!("{}\n", lines.join("\n")))?;
    Ok(to)
}

#[test]
fn an_export_is_verified_without_the_vault_and_each_tampering_is_named() {
    on_a_vault(async {
        let mut stand = open("officer-audit").await?;
        let export = export(&stand, "log").await?;
        stand.stop_vault().await?;
        let good = offline(&stand, &export, &["--json"])?.run().await?.expect(0)?;
        let good: Value = good.json()?;
        ensure!(
            good["findings"] == serde_json::json!([]) && good["events"].as_u64() > Some(10),
            "{good}"
        );

        let other_event = |line: &mut String| *line = line.replacen("approve", "propose", 1);
        let changed = tampered(&export, "changed", |lines| {
            lines
                .iter_mut()
                .filter(|line| line.contains("approve"))
                .take(1)
                .for_each(other_event);
        })?;
        let dropped = tampered(&export, "dropped", |lines| drop(lines.remove(3)))?;
        let cut = tampered(&export, "cut", |lines| lines.truncate(5))?;
        let deleted = tampered(&export, "deleted", Vec::clear)?;
        let broken = tampered(&export, "broken", |lines| lines[2].truncate(9))?;
        for (export, says) in [
            (changed, "was changed"),
            (dropped, "entry 3 is missing"),
            (cut, "the log ends at 5 entries"),
            (deleted, "the log ends at 0 entries"),
            (broken, "line 3 is no entry"),
        ] {
            let said = offline(&stand, &export, &[])?.run().await?.expect(4)?;
            said.says("VERIFICATION FAILED")?.says(says)?;
        }
        Ok(())
    });
}

#[test]
fn the_key_is_the_vaults_or_the_one_that_was_pinned() {
    on_a_vault(async {
        let stand = open("officer-audit-key").await?;
        let export = export(&stand, "log").await?;
        let kept: AuditCheckpoint =
            serde_json::from_str(&fs::read_to_string(export.join("checkpoint.json"))?)?;
        let pinned = ["--vkey", &kept.vkey];
        let words = [
            "audit",
            "verify",
            "--export",
            &export.display().to_string(),
            pinned[0],
            pinned[1],
        ];
        OfficerCommand::bare(&words)?
            .run()
            .await?
            .expect(0)?
            .says("are those that were signed")?;
        let partner_ca = &stand.certificates().partner_ca.certificate;
        let other_ca = offline(&stand, &export, &[])?.env("TESSERA_OFFICER_CA", partner_ca);
        other_ca.run().await?.expect(4)?.says("attestation")?;
        offline(&stand, &export, &["--vkey", "x"])?
            .run()
            .await?
            .expect(2)?
            .says("verifier key")?;

        let forged = tampered(&export, "forged", |_| {})?;
        let mut checkpoint = kept;
        checkpoint.note = checkpoint.note.replacen('\n', "\n1", 1);
        fs::write(
            forged.join("checkpoint.json"),
            serde_json::to_string(&checkpoint)?,
        )?;
        offline(&stand, &forged, &[])?
            .run()
            .await?
            .expect(4)?
            .says("checkpoint")?;
        Ok(())
    });
}

#[test]
fn a_log_whose_key_was_rotated_verifies_by_the_ca_and_by_the_first_key() {
    on_a_vault(async {
        let stand = open("officer-audit-rotated").await?;
        let before = export(&stand, "before").await?;
        let first: AuditCheckpoint =
            serde_json::from_str(&fs::read_to_string(before.join("checkpoint.json"))?)?;
        stand.carry_through(&Proposal::Rotate(Rotation::Audit)).await?;
        let after = export(&stand, "after").await?;
        for more in [&[][..], &["--vkey", &first.vkey]] {
            let verified = offline(&stand, &after, more)?.run().await?.expect(0)?;
            verified.says("are those that were signed")?;
        }
        let verified = stand.officer_command(1, &["audit", "verify"])?.run().await?;
        verified.expect(0)?.says("are those that were signed")?;
        Ok(())
    });
}

#[test]
fn the_running_log_is_tailed_verified_and_proven_event_by_event() {
    on_a_vault(async {
        let stand = open("officer-audit-online").await?;
        let kept = stand.layout().root.join("kept.json").display().to_string();
        let officer = |words: &[&str]| stand.officer_command(1, words);
        officer(&["audit", "checkpoint", "--out", &kept])?
            .run()
            .await?
            .expect(0)?
            .says("vkey")?;
        let tail = officer(&["audit", "tail", "-n", "3", "--json"])?
            .run()
            .await?
            .expect(0)?;
        let last: Vec<AuditEntry> = tail.lines()?;
        ensure!(last.len() == 3, "{} events", last.len());
        officer(&["audit", "tail", "-n", "3"])?
            .run()
            .await?
            .expect(0)?
            .says("read-audit  done")?;
        let since = ["audit", "checkpoint", "--since", &kept];
        officer(&since)?.run().await?.expect(0)?.says("are those of")?;
        officer(&["audit", "verify"])?
            .run()
            .await?
            .expect(0)?
            .says("are those that were signed")?;
        let proof = officer(&["audit", "proof", "0", "--checkpoint", &kept])?
            .run()
            .await?
            .expect(0)?;
        proof.says("initialise")?.says("is in the log")?;
        officer(&["audit", "proof", "99999"])?
            .run()
            .await?
            .expect(2)?
            .says("covers")?;

        // Another vault's checkpoint is signed by the same CA's word for nobody.
        let other = open("officer-audit-other").await?;
        let elsewhere = other.layout().root.join("other.json").display().to_string();
        let words = ["audit", "checkpoint", "--out", &elsewhere];
        other.officer_command(1, &words)?.run().await?.expect(0)?;
        officer(&["audit", "checkpoint", "--since", &elsewhere])?
            .run()
            .await?
            .expect(4)?;
        let size = fs::read_to_string(&kept).context("kept")?.len();
        ensure!(size > 100, "a checkpoint was kept");
        Ok(())
    });
}
