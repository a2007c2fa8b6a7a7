//! The whole log as files.

use std::fs::DirBuilder;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use serde_json::json;

use super::{checkpoint, read};
use crate::cli::Context;
use crate::failure::Failure;
use crate::files;

/// One event a line, as [`shared::vault_api::audit::AuditEntry`].
pub const EVENTS: &str = "events.jsonl";
/// What the vault signed over them.
pub const CHECKPOINT: &str = "checkpoint.json";

/// Writes events and checkpoint into a new directory.
///
/// # Errors
/// [`Failure`].
pub async fn run(context: &Context, out: &Path) -> Result<(), Failure> {
    let vault = context.vault()?;
    let made = DirBuilder::new().mode(0o700).create(out);
    made.map_err(|error| files::cannot_write(out, &error))?;
    let checked = checkpoint::fetch(context, &vault).await?;
    let size = checked.checkpoint.head.size;
    let events = out.join(EVENTS);
    let mut file = BufWriter::new(files::create_new(&events)?);
    let cannot_write = |error: &std::io::Error| files::cannot_write(&events, error);
    read::each(&vault, size, |entry| {
        let line = serde_json::to_string(&entry).map_err(|error| Failure::Unfinished(error.to_string()))?;
        writeln!(file, "{line}").map_err(|error| cannot_write(&error))
    })
    .await?;
    let written = file.into_inner().map_err(std::io::IntoInnerError::into_error);
    let synced = written.and_then(|file| file.sync_all());
    synced.map_err(|error| cannot_write(&error))?;
    checkpoint::keep(&out.join(CHECKPOINT), &checked.answer)?;
    let said =
        json!({ "events": size, "directory": out.display().to_string(), "vkey": checked.key.to_string() });
    context.console.show(&said, || {
        format!(
            "{size} events and the checkpoint over them are in {}.",
            out.display()
        )
    })?;
    context.console.remark(&format!(
        "Next: `officer audit verify --export {}`.",
        out.display()
    ));
    Ok(())
}
