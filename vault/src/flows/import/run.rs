//! The job of an import: a line at a time, its rows side by side, so that they share a sync.

use std::sync::Arc;

use futures_util::future::try_join_all;
use shared::jwe::{AlgPolicy, CompactJwe, OpenError};
use shared::vault_api::bulk::{ImportOutcome, ImportRow, MOST_LINE_BYTES};
use shared::vault_api::jobs::JobState;
use zeroize::Zeroizing;

use super::row::{Import, Judged};
use super::{ImportWork, clean, file_name};
use crate::bulk::line;
use crate::error::Error;
use crate::flows::bulk_error;
use crate::open_vault::OpenVault;
use crate::work::{JobRecord, Stepped, Turn, Work};

/// Takes the next line in.
///
/// # Errors
/// The store's; a spooled file that is gone.
pub async fn step(turn: &mut Turn, work: ImportWork) -> Result<Stepped, Error> {
    let vault = Arc::clone(turn.vault());
    let Some(text) = next_line(&vault, &work).await? else {
        return finish(turn, &work).await;
    };
    let import = Import {
        rules: vault.program(&work.plan.program)?,
        approval: work.approval.clone(),
        dry_run: work.plan.dry_run,
        vault,
    };
    let judged = judge_line(&import, work.rows, &text).await?;
    let rows = try_join_all(judged.into_iter().map(|row| import.take(row))).await?;
    let length = text.len() as u64 + 1;
    turn.commit(move |tx, job| {
        let refused = rows.iter().filter(|row| row.outcome == ImportOutcome::Refused);
        for row in refused {
            Turn::refuse(tx, job, &named(row))?;
        }
        count(job, &rows, length);
        Ok(())
    })
    .await?;
    Ok(Stepped::Did(1))
}

/// A line is done; its place in the file is the cursor.
fn count(job: &mut JobRecord, rows: &[ImportRow], length: u64) {
    job.done += 1;
    if let Work::Import(work) = &mut job.work {
        work.offset += length;
        work.rows += rows.len() as u64;
    }
}

fn named(row: &ImportRow) -> String {
    format!("row {}: {}", row.row, row.code.as_deref().unwrap_or_default())
}

async fn next_line(vault: &Arc<OpenVault>, work: &ImportWork) -> Result<Option<String>, Error> {
    let (place, name, offset) = (
        vault.surroundings.bulk.files.clone(),
        file_name(&work.approval),
        work.offset,
    );
    let read = tokio::task::spawn_blocking(move || place.read_at(&name, offset, MOST_LINE_BYTES + 1)).await;
    let bytes = read.map_err(|error| Error::Internal(error.to_string()))?;
    let bytes = bytes.map_err(bulk_error)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    // The file was verified when it came: what does not read now has changed on the disk.
    let changed = || Error::conflict("IMPORT_FILE_CHANGED", "The spooled file is not what it was.");
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(changed)?;
    let line = bytes.get(..end).unwrap_or_default().to_vec();
    String::from_utf8(line).map(Some).map_err(|_| changed())
}

/// Opens a line and judges its rows, on a thread that may wait: RSA takes milliseconds.
async fn judge_line(import: &Import, before: u64, text: &str) -> Result<Vec<Judged>, Error> {
    let Ok(jwe) = CompactJwe::parse_up_to(text, AlgPolicy::Sha256Only, MOST_LINE_BYTES) else {
        return Ok(vec![Import::unreadable(before + 1, "LINE_INVALID")]);
    };
    let permit = import.vault.private_operation().await?;
    let import = import.clone();
    let judge = move || -> Result<Vec<Judged>, Error> {
        let opened = import.vault.keyring().jwe().opener().open(&jwe);
        drop(permit);
        let plain: Zeroizing<Vec<u8>> = match opened {
            Ok(plain) => plain,
            Err(OpenError::InvalidPayload | OpenError::CantDecrypt) => {
                return Ok(vec![Import::unreadable(before + 1, "LINE_CANT_DECRYPT")]);
            }
        };
        let Ok(rows) = line::parse(&plain) else {
            return Ok(vec![Import::unreadable(before + 1, "LINE_MALFORMED")]);
        };
        let numbered = rows.iter().zip(before + 1..);
        numbered.map(|(row, number)| import.judge(number, row)).collect()
    };
    let judged = tokio::task::spawn_blocking(judge).await;
    judged.map_err(|error| Error::Internal(error.to_string()))?
}

/// Nothing is left of the file once the job has ended.
async fn finish(turn: &mut Turn, work: &ImportWork) -> Result<Stepped, Error> {
    let vault = Arc::clone(turn.vault());
    clean::forget_file(&vault, &work.approval).await?;
    turn.end(JobState::Done, None, |_, _| Ok(())).await?;
    Ok(Stepped::Ended)
}
