//! Checkpoints: fetched, kept, and compared with one that was kept.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use shared::vault_api::audit::{AuditCheckpoint, AuditProof};
use shared::vault_api::paths;
use vault::audit::checkpoint::Checkpoint;
use vault::audit::merkle::{Hash, is_consistent};
use vault::audit::note::{Note, hex};

use super::trust::{self, Checked};
use crate::cli::Context;
use crate::client::Vault;
use crate::console::facts;
use crate::failure::Failure;
use crate::files;

/// Fetches a checkpoint.
///
/// # Errors
/// [`Failure`]; among others when an earlier one belongs to another history.
pub async fn run(context: &Context, out: Option<&Path>, since: Option<&Path>) -> Result<(), Failure> {
    let vault = context.vault()?;
    let fresh = fetch(context, &vault).await?;
    if let Some(since) = since {
        let old = trust::check(context, trust::read(since)?)?;
        follows(&vault, &old, &fresh).await?;
        let size = old.checkpoint.head.size;
        context.console.remark(&format!(
            "The first {size} events are those of {}.",
            since.display()
        ));
    }
    if let Some(out) = out {
        keep(out, &fresh.answer)?;
    }
    context.console.show(&fresh.answer, || words(&fresh))
}

/// A fresh checkpoint, checked.
///
/// # Errors
/// [`Failure`].
pub async fn fetch(context: &Context, vault: &Vault) -> Result<Checked, Failure> {
    let answer: AuditCheckpoint = vault.get(paths::AUDIT_CHECKPOINT).await?;
    trust::check(context, answer)
}

/// Writes a checkpoint into a new file.
///
/// # Errors
/// It exists, or cannot be written.
pub fn keep(out: &Path, answer: &AuditCheckpoint) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(answer).map_err(|error| Failure::Unfinished(error.to_string()))?;
    files::write_new(out, format!("{text}\n").as_bytes())
}

/// Proves that the log at `new` begins with the log at `old`.
async fn follows(vault: &Vault, old: &Checked, new: &Checked) -> Result<(), Failure> {
    let (old, new) = (&old.checkpoint, &new.checkpoint);
    if old.origin != new.origin || old.head.size > new.head.size {
        return Err(Failure::Unverified(format!(
            "{} events of {} were signed before, and the vault shows {} of {}",
            old.head.size, old.origin, new.head.size, new.origin
        )));
    }
    let path = format!(
        "{}?from={}&to={}",
        paths::AUDIT_CONSISTENCY,
        old.head.size,
        new.head.size
    );
    let proof: AuditProof = vault.get(&path).await?;
    let (from, to) = ((old.head.size, &old.head.root), (new.head.size, &new.head.root));
    if is_consistent(from, to, &hashes(&proof)?) {
        return Ok(());
    }
    Err(Failure::Unverified(format!(
        "the log of {} events does not begin with the {} that were signed before: it was rewritten",
        new.head.size, old.head.size
    )))
}

/// The hashes of a proof.
///
/// # Errors
/// One is none.
pub fn hashes(proof: &AuditProof) -> Result<Vec<Hash>, Failure> {
    let read = |text: &String| STANDARD.decode(text).ok()?.try_into().ok();
    let hashes: Option<Vec<Hash>> = proof.hashes.iter().map(read).collect();
    hashes.ok_or_else(|| Failure::Unverified("the vault's proof holds something else than hashes".to_owned()))
}

/// How many events a checkpoint covers.
///
/// # Errors
/// It is none.
pub fn size(checkpoint: &AuditCheckpoint) -> Result<u64, Failure> {
    let read = Note::parse(&checkpoint.note).and_then(|note| Checkpoint::read(&note));
    read.map(|read| read.head.size)
        .map_err(|error| Failure::Unverified(format!("the checkpoint: {error}")))
}

fn words(checked: &Checked) -> String {
    let head = &checked.checkpoint.head;
    let facts = facts(&[
        ("log", checked.checkpoint.origin.clone()),
        ("events", head.size.to_string()),
        ("root", hex(&head.root)),
        ("vkey", checked.key.to_string()),
    ]);
    format!("{facts}\n\n{}", checked.answer.note)
}
