//! What is only read: the public keys, the audit log.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use shared::vault_api::audit::{AuditCheckpoint, AuditPage, AuditProof};

use super::call::{Call, ForAnyone, ForOverseers};
use crate::audit::event::{Event, Operation};
use crate::error::Error;
use crate::flows;
use crate::flows::read_audit::MOST_EVENTS;

pub(super) async fn keys(call: Call<ForAnyone>) -> HttpResponse {
    let result = flows::public_keys::public_keys(&call.vault);
    call.answer(StatusCode::OK, result)
}

pub(super) async fn key_inventory(call: Call<ForOverseers>) -> HttpResponse {
    let read = call.read_register("keys").await;
    let result = read.and_then(|()| flows::inventory::inventory(&call.vault));
    call.answer(StatusCode::OK, result)
}

pub(super) async fn audit_events(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<AuditPage, Error> {
        let (from, limit) = (
            call.query_number("from", 0)?,
            call.query_number("limit", MOST_EVENTS)?,
        );
        let event = reading(call, format!("events from {from}, at most {limit}"))?;
        flows::read_audit::events(&call.vault, event, from, limit).await
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn audit_checkpoint(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<AuditCheckpoint, Error> {
        let event = reading(call, "checkpoint".to_owned())?;
        flows::read_audit::checkpoint(&call.vault, event).await
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn audit_inclusion(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<AuditProof, Error> {
        let (index, size) = (call.needed_number("index")?, call.needed_number("size")?);
        let event = reading(call, format!("proof of event {index} in {size}"))?;
        flows::read_audit::inclusion(&call.vault, event, index, size).await
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn audit_consistency(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<AuditProof, Error> {
        let (from, to) = (call.needed_number("from")?, call.needed_number("to")?);
        let event = reading(call, format!("proof of {from} events in {to}"))?;
        flows::read_audit::consistency(&call.vault, event, from, to).await
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

fn reading(call: &Call<ForOverseers>, what: String) -> Result<Event, Error> {
    let mut event = call.event(Operation::ReadAudit, None)?;
    event.note = Some(what);
    Ok(event)
}
