//! The file of an import as it arrives: spooled as ciphertext, hashed and counted on the way, and only taken if it is the
//! one that two officers agreed on.

use std::sync::Arc;

use ring::digest::{Context, SHA256};
use shared::ids::ApprovalToken;
use shared::vault_api::bulk::{ImportBegun, ImportPlan, MOST_LINE_BYTES};
use shared::vault_api::governance::{ApprovalState, Proposal};
use time::Duration;

use super::{ImportRecord, ImportWork, file_name, plan_key};
use crate::audit::event::Event;
use crate::bulk::hex;
use crate::bulk::places::{Draft, FileError};
use crate::error::Error;
use crate::flows::{bulk_error, govern};
use crate::open_vault::OpenVault;
use crate::records::Tx;
use crate::work::{self, NewJob, Work};

/// How long an approved import waits for its file, after the day on which it could be approved.
const PATIENCE: Duration = Duration::days(7);

/// A file on its way in.
pub struct Upload {
    plan: ImportPlan,
    approval: ApprovalToken,
    draft: Draft,
    hash: Context,
    most_bytes: u64,
    lines: u64,
    line_bytes: usize,
}

/// Begins to take the file of an approved import; the answer, where it has come already.
///
/// # Errors
/// No such approval; `IMPORT_NOT_APPROVED`, `IMPORT_LAPSED`, `IMPORT_UNDER_WAY`, `BULK_NO_SPACE`.
pub fn begin(vault: &OpenVault, approval: &ApprovalToken) -> Result<Result<Upload, ImportBegun>, Error> {
    let filed = govern::find(vault, approval)?;
    let Proposal::ImportCards(plan) = filed.proposal else {
        return Err(Error::NotFound("import"));
    };
    if filed.state != ApprovalState::Done {
        return Err(Error::conflict(
            "IMPORT_NOT_APPROVED",
            "A second officer has not approved this import.",
        ));
    }
    if let Some(record) = vault.records.get::<ImportRecord>(&plan_key(approval))? {
        return Ok(Err(ImportBegun {
            job: record.record.job,
        }));
    }
    if vault.surroundings.clock.now() > filed.expires_at + PATIENCE {
        return Err(Error::conflict(
            "IMPORT_LAPSED",
            "The approved import has waited too long for its file.",
        ));
    }
    let draft = vault.surroundings.bulk.files.draft_alone(&file_name(approval));
    let draft = draft.map_err(|error| match error {
        FileError::UnderWay(_) => Error::conflict("IMPORT_UNDER_WAY", "The file is arriving already."),
        other => bulk_error(other),
    })?;
    Ok(Ok(Upload {
        plan,
        approval: approval.clone(),
        draft,
        hash: Context::new(&SHA256),
        most_bytes: vault.surroundings.bulk.most_import_bytes,
        lines: 0,
        line_bytes: 0,
    }))
}

impl Upload {
    /// Takes the next bytes. Writes to the disk: off the async threads.
    ///
    /// # Errors
    /// `IMPORT_FILE_TOO_LARGE`, `IMPORT_LINE_TOO_LONG`, `IMPORT_FILE_MISMATCH` for more lines than were agreed on,
    /// `BULK_NO_SPACE`.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.draft.written().saturating_add(bytes.len() as u64) > self.most_bytes {
            return Err(Error::conflict(
                "IMPORT_FILE_TOO_LARGE",
                "The file is larger than an import may be.",
            ));
        }
        for byte in bytes {
            if *byte == b'\n' {
                (self.lines, self.line_bytes) = (self.lines + 1, 0);
            } else {
                self.line_bytes += 1;
            }
            if self.line_bytes > MOST_LINE_BYTES {
                return Err(Error::conflict(
                    "IMPORT_LINE_TOO_LONG",
                    format!("A line has at most {MOST_LINE_BYTES} bytes."),
                ));
            }
        }
        if self.lines > self.plan.lines {
            return Err(mismatch());
        }
        self.hash.update(bytes);
        self.draft.append(bytes).map_err(bulk_error)
    }

    /// Takes the file back.
    pub fn discard(self) {
        if let Err(error) = self.draft.discard() {
            tracing::warn!(%error, "the draft of a refused import is left");
        }
    }

    /// Compares the whole file with what was agreed on, and begins the job that takes it in.
    ///
    /// # Errors
    /// `IMPORT_FILE_MISMATCH`, `JOB_RUNNING`; the store's.
    pub async fn finish(self, vault: &Arc<OpenVault>, mut event: Event) -> Result<ImportBegun, Error> {
        let hash = hex(self.hash.finish().as_ref());
        if hash != self.plan.sha256 || self.lines != self.plan.lines || self.line_bytes > 0 {
            self.draft.discard().map_err(bulk_error)?;
            return Err(mismatch());
        }
        let finished = tokio::task::spawn_blocking(move || self.draft.finish()).await;
        let finished = finished.map_err(|error| Error::Internal(error.to_string()))?;
        finished.map_err(bulk_error)?;
        let job = vault.surroundings.random.job_token()?;
        event.program = Some(self.plan.program.clone());
        event.note = Some(format!(
            "{} import of {} begun as {job}",
            self.approval, self.plan.sha256
        ));
        let new = NewJob {
            id: job.clone(),
            approval: Some(self.approval.clone()),
            begun_at: vault.surroundings.clock.now(),
            work: Work::Import(ImportWork {
                plan: self.plan,
                approval: self.approval.clone(),
                offset: 0,
                rows: 0,
            }),
        };
        let name = file_name(&self.approval);
        let record = ImportRecord {
            approval: self.approval,
            job: job.clone(),
        };
        let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
            let lines = match &new.work {
                Work::Import(work) => work.plan.lines,
                _ => 0,
            };
            let mut begun = work::begin(tx, new)?;
            begun.total = lines;
            tx.put(&begun)?;
            tx.put(&record)
        };
        let place = vault.surroundings.bulk.files.clone();
        if let Err(error) = vault.commit(event, work).await {
            // It comes again, with the next try.
            place.remove(&name).map_err(bulk_error)?;
            return Err(error);
        }
        vault.desk.wake();
        Ok(ImportBegun { job })
    }
}

fn mismatch() -> Error {
    Error::conflict(
        "IMPORT_FILE_MISMATCH",
        "The file is not the one that was approved: its hash or its number of lines differs.",
    )
}
