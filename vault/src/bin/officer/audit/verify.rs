//! The log against what was signed: offline from an export, or straight from the vault.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use clap::Args;
use serde_json::json;
use shared::vault_api::audit::AuditEntry;
use vault::audit::note::{VerifierKey, hex};
use vault::audit::verify::{self, Report, Tampered};

use super::export::{CHECKPOINT, EVENTS};
use super::{checkpoint, read, trust};
use crate::cli::Context;
use crate::failure::Failure;
use crate::files;

/// What a witness kept in years: a checkpoint a minute.
const MOST_WITNESS_BYTES: u64 = 256 * 1024 * 1024;
/// Entries on their way from the vault to the verifier.
const ON_THE_WAY: usize = 1000;

/// What to verify, against what.
#[derive(Debug, Args)]
pub struct Verify {
    /// The directory of an export; without it the log is read from the vault
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// The log's first verifier key (C2SP signed-note) instead of the CA's word
    #[arg(long, value_name = "VKEY")]
    vkey: Option<String>,
    /// The notes that a witness kept; may be repeated
    #[arg(long, value_name = "FILE")]
    witness: Vec<PathBuf>,
}

impl Verify {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure::Unverified`] with every place that is wrong.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let pinned = self.vkey.as_deref().map(trust::key).transpose()?;
        let mut notes = Vec::new();
        for path in &self.witness {
            notes.extend(verify::notes(&files::read_text(path, MOST_WITNESS_BYTES)?));
        }
        let report = match &self.export {
            Some(directory) => offline(context, directory, pinned, notes)?,
            None => online(context, pinned, notes).await?,
        };
        tell(context, &report)
    }
}

/// The key to begin with. A pinned key may have been replaced since: then the log itself leads from it to the one that
/// signed the checkpoint, and [`verify::verify`] follows the handovers. The certificate attests the newest key, which
/// signed the checkpoint over the whole log and nothing of what its predecessors handed over.
fn first_key(
    context: &Context,
    answer: shared::vault_api::audit::AuditCheckpoint,
    pinned: Option<VerifierKey>,
    notes: &mut Vec<String>,
) -> Result<VerifierKey, Failure> {
    if pinned.is_some() {
        notes.extend(answer.handovers.iter().cloned());
    }
    notes.push(answer.note.clone());
    match pinned {
        Some(key) => Ok(key),
        None => trust::check(context, answer).map(|checked| checked.key),
    }
}

fn offline(
    context: &Context,
    directory: &Path,
    pinned: Option<VerifierKey>,
    mut notes: Vec<String>,
) -> Result<Report, Failure> {
    let answer = trust::read(&directory.join(CHECKPOINT))?;
    let key = first_key(context, answer, pinned, &mut notes)?;
    let path = directory.join(EVENTS);
    let file = File::open(&path).map_err(|error| files::cannot_read(&path, &error))?;
    let lines = BufReader::new(file).split(b'\n');
    let lines = lines.map(|line| line.ok().and_then(|line| String::from_utf8(line).ok()));
    let entries = (1..).zip(lines).filter_map(|(line, text)| {
        let Some(text) = text else {
            return Some(Err(Tampered::Unreadable { line }));
        };
        let entry = serde_json::from_str(&text).map_err(|_| Tampered::Unreadable { line });
        (!text.trim().is_empty()).then_some(entry)
    });
    Ok(verify::verify(entries, &notes, &key))
}

async fn online(
    context: &Context,
    pinned: Option<VerifierKey>,
    mut notes: Vec<String>,
) -> Result<Report, Failure> {
    let vault = context.vault()?;
    let answer = vault.get(shared::vault_api::paths::AUDIT_CHECKPOINT).await?;
    let size = checkpoint::size(&answer)?;
    let key = first_key(context, answer, pinned, &mut notes)?;
    let (give, take) = mpsc::sync_channel::<AuditEntry>(ON_THE_WAY);
    let verifier =
        tokio::task::spawn_blocking(move || verify::verify(take.into_iter().map(Ok), &notes, &key));
    let gone = |_| Failure::Unfinished("the verifier ended before the log".to_owned());
    read::each(&vault, size, |entry| give.send(entry).map_err(gone)).await?;
    drop(give);
    verifier
        .await
        .map_err(|error| Failure::Unfinished(error.to_string()))
}

fn tell(context: &Context, report: &Report) -> Result<(), Failure> {
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let keys: Vec<String> = report.keys.iter().map(ToString::to_string).collect();
    let restores: Vec<u64> = report.restores.iter().map(|restored| restored.index).collect();
    let said = json!({
        "events": report.head.size,
        "root": hex(&report.head.root),
        "checkpoints": report.checkpoints,
        "keys": keys,
        "restores": restores,
        "findings": findings,
    });
    let good = findings.is_empty();
    if context.console.json || good {
        context.console.show(&said, || {
            let mut text = format!(
                "{} events are those that were signed ({} checkpoints, root {}).",
                report.head.size,
                report.checkpoints,
                hex(&report.head.root)
            );
            for restored in &report.restores {
                text.push_str(&format!(
                    "\nOfficers restored a backup at event {}; {} events had been witnessed before.",
                    restored.index, restored.given_up
                ));
            }
            text
        })?;
    }
    if good {
        return Ok(());
    }
    Err(Failure::Unverified(format!(
        "the log is not what was signed:\n  {}",
        findings.join("\n  ")
    )))
}
