//! Doors for cards by the thousand: the file of an import, its rows, the file of an export; and what officers read of
//! backups and retention.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::rt::time::timeout;
use actix_web::web::{Bytes, Payload};
use futures_util::StreamExt;
use futures_util::stream;
use shared::ids::ApprovalToken;
use shared::vault_api::bulk::{ImportBegun, ImportRows};
use shared::vault_api::reports::{Backup, RetentionReport};

use super::call::{Call, ForOfficers, ForOverseers};
use crate::audit::event::{Event, Operation};
use crate::error::Error;
use crate::flows::import::Upload;
use crate::flows::{backup, export, import, retention};
use crate::open_vault::OpenVault;

/// For a whole file: at ten megabytes a second, the largest that is let in by default takes two minutes.
const FILE_TIME: Duration = Duration::from_secs(30 * 60);
/// For the next bytes of it.
const CHUNK_TIME: Duration = Duration::from_secs(30);
/// Bytes that are written to the disk at once.
const BATCH_BYTES: usize = 256 * 1024;
/// Bytes that are read from the disk at once.
const READ_BYTES: usize = 64 * 1024;
/// Rows in an answer unless fewer are asked for.
const DEFAULT_ROWS: u64 = 1000;

pub(super) async fn import_file(mut call: Call<ForOfficers>) -> HttpResponse {
    async fn run(call: &mut Call<ForOfficers>) -> Result<ImportBegun, Error> {
        let approval: ApprovalToken = call.path("approval")?;
        let mut event = call.event(Operation::Import, None)?;
        event.note = Some(format!("{approval} file"));
        let body = call.stream()?;
        let vault = &call.vault;
        vault
            .audited(event, async |event| {
                take_file(vault, event, &approval, body).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::ACCEPTED, result)
}

async fn take_file(
    vault: &std::sync::Arc<OpenVault>,
    event: Event,
    approval: &ApprovalToken,
    body: Payload,
) -> Result<ImportBegun, Error> {
    let upload = match import::begin(vault, approval)? {
        Ok(upload) => upload,
        Err(begun) => return Ok(begun),
    };
    let spooled = timeout(FILE_TIME, spool(upload, body)).await;
    let upload = spooled.unwrap_or(Err(Error::BodyTooSlow))?;
    upload.finish(vault, event).await
}

/// Writes the body to the disk as it comes. A body that breaks off leaves a draft, which the next try begins anew.
async fn spool(mut upload: Upload, mut body: Payload) -> Result<Upload, Error> {
    let mut waiting = Vec::with_capacity(BATCH_BYTES);
    loop {
        let chunk = timeout(CHUNK_TIME, body.next()).await;
        let chunk = chunk.map_err(|_| Error::BodyTooSlow)?;
        let ended = chunk.is_none();
        if let Some(chunk) = chunk {
            let chunk = chunk.map_err(|_| Error::Malformed("The body is not complete.".into()))?;
            waiting.extend_from_slice(&chunk);
        }
        if ended || waiting.len() >= BATCH_BYTES {
            let batch = std::mem::replace(&mut waiting, Vec::with_capacity(BATCH_BYTES));
            let written = tokio::task::spawn_blocking(move || {
                let pushed = upload.push(&batch);
                match pushed {
                    Ok(()) => Ok(upload),
                    Err(error) => {
                        upload.discard();
                        Err(error)
                    }
                }
            });
            upload = written
                .await
                .map_err(|error| Error::Internal(error.to_string()))??;
        }
        if ended {
            return Ok(upload);
        }
    }
}

pub(super) async fn import_rows(call: Call<ForOfficers>) -> HttpResponse {
    async fn run(call: &Call<ForOfficers>) -> Result<ImportRows, Error> {
        let approval: ApprovalToken = call.path("approval")?;
        let (from, limit) = (
            call.query_number("from", 1)?,
            call.query_number("limit", DEFAULT_ROWS)?,
        );
        call.read_register(&format!("rows of import {approval} from {from}"))
            .await?;
        import::rows(&call.vault, approval, from, limit)
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn export_file(call: Call<ForOfficers>) -> HttpResponse {
    async fn run(call: &Call<ForOfficers>) -> Result<File, Error> {
        let approval: ApprovalToken = call.path("approval")?;
        let mut event = call.event(Operation::Export, None)?;
        event.note = Some(format!("{approval} file"));
        let vault = &call.vault;
        vault
            .audited(event, async |event| export::file(vault, event, &approval).await)
            .await
    }
    match run(&call).await {
        Ok(file) => HttpResponse::Ok()
            .insert_header(("Cache-Control", "no-store"))
            .content_type("application/octet-stream")
            .streaming(stream::unfold(file, next_bytes)),
        Err(error) => call.answer::<()>(StatusCode::OK, Err(error)),
    }
}

async fn next_bytes(mut file: File) -> Option<(std::io::Result<Bytes>, File)> {
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = vec![0; READ_BYTES];
        let read = file.read(&mut bytes);
        (
            read.map(|length| {
                bytes
                    .get(..length)
                    .map(Bytes::copy_from_slice)
                    .unwrap_or_default()
            }),
            file,
        )
    });
    match read.await {
        Ok((Ok(bytes), _)) if bytes.is_empty() => None,
        Ok(next) => Some(next),
        Err(_) => None,
    }
}

pub(super) async fn backups(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<Vec<Backup>, Error> {
        call.read_register("backups").await?;
        backup::list(&call.vault)
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn retention_report(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<RetentionReport, Error> {
        call.read_register("retention").await?;
        retention::report(&call.vault).await
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}
