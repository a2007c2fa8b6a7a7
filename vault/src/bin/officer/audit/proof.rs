//! One event, proven to be in the log.

use std::path::Path;

use serde_json::json;
use shared::vault_api::audit::AuditProof;
use shared::vault_api::paths;
use vault::audit::merkle::{is_included, leaf};

use super::{checkpoint, read, trust};
use crate::cli::Context;
use crate::failure::Failure;

/// Fetches an event and the proof that it is under a checkpoint, and checks the proof.
///
/// # Errors
/// [`Failure`].
pub async fn run(context: &Context, index: u64, kept: Option<&Path>) -> Result<(), Failure> {
    let vault = context.vault()?;
    let checked = match kept {
        Some(path) => trust::check(context, trust::read(path)?)?,
        None => checkpoint::fetch(context, &vault).await?,
    };
    let head = &checked.checkpoint.head;
    let size = head.size;
    if index >= size {
        return Err(Failure::usage(format!(
            "the checkpoint covers {size} events, counted from 0"
        )));
    }
    let page = read::page(&vault, index, 1).await?;
    let entry = page.events.first().filter(|entry| entry.index == index);
    let entry = entry.ok_or_else(|| Failure::Unverified(format!("the vault has no event {index}")))?;
    let path = format!("{}?index={index}&size={size}", paths::AUDIT_INCLUSION);
    let proof: AuditProof = vault.get(&path).await?;
    let hashes = checkpoint::hashes(&proof)?;
    if !is_included(&leaf(entry.event.as_bytes()), index, size, &hashes, &head.root) {
        return Err(Failure::Unverified(format!(
            "event {index} is not the one under the signed checkpoint over {size} events"
        )));
    }
    let said = json!({ "entry": entry, "proof": proof, "note": checked.answer.note });
    context.console.show(&said, || {
        format!(
            "{}\n\nEvent {index} is in the log of {size} events that the vault signed.",
            entry.event
        )
    })
}
