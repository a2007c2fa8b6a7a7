//! The auditor's doors to what the vault tells of its own health.
//!
//! Reading metrics is no event of the audit log: they say nothing of a card or a person, and a reader who comes every
//! fifteen seconds would fill the log with two million events a year. How often they are read is itself a metric.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use shared::vault_api::reports::CertificateEntry;

use super::call::{Call, ForAuditors, ForOverseers, admit, problem};
use super::trace::trace_of;
use crate::error::Error;
use crate::observe::{CONTENT_TYPE, render};
use crate::process::Process;

/// Opens while the vault is locked, too, since a vault that nobody unlocks is what is to be noticed. The register cannot
/// be read then: to an auditor's certificate, and with what needs no key.
pub(super) async fn metrics(request: HttpRequest, process: web::Data<Process>) -> HttpResponse {
    let vault = match admit::<ForAuditors>(&request).await {
        Ok((vault, ..)) => Some(vault),
        Err(Error::Locked) => None,
        Err(error) => return problem(&error, trace_of(&request)),
    };
    match render(&process, vault.as_deref()) {
        Ok(text) => HttpResponse::Ok()
            .insert_header(("Content-Type", CONTENT_TYPE))
            .insert_header(("Cache-Control", "no-store"))
            .body(text),
        Err(error) => problem(&Error::Internal(error.to_string()), trace_of(&request)),
    }
}

pub(super) async fn certificates(call: Call<ForOverseers>) -> HttpResponse {
    let run = async || -> Result<Vec<CertificateEntry>, Error> {
        call.read_register("certificates").await?;
        Ok(call.vault.surroundings.observed.certificates.inventory())
    };
    let result = run().await;
    call.answer(StatusCode::OK, result)
}
