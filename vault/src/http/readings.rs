//! What is only read: the public keys, the audit log.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use shared::vault_api::audit::{AuditHead, AuditPage};

use super::call::{Call, ForAnyone, ForOverseers};
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows;
use crate::flows::read_audit::MOST_EVENTS;

pub(super) async fn keys(call: Call<ForAnyone>) -> HttpResponse {
    let result = flows::public_keys::public_keys(&call.vault);
    call.answer(StatusCode::OK, result)
}

pub(super) async fn audit_events(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<AuditPage, Error> {
        let (from, limit) = (
            call.query_number("from", 0)?,
            call.query_number("limit", MOST_EVENTS)?,
        );
        let mut event = call.event(Operation::ReadAudit, None)?;
        event.note = Some(format!("events from {from}, at most {limit}"));
        flows::read_audit::events(&call.vault, event, from, limit).await
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn audit_head(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<AuditHead, Error> {
        let mut event = call.event(Operation::ReadAudit, None)?;
        event.note = Some("head".to_owned());
        flows::read_audit::head(&call.vault, event).await
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}
