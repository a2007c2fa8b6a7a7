//! Whether the process lives, and whether it can work: for those who start, watch and balance it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

use super::answer::send_json;
use super::caller::OpenCall;
use crate::error::{Code, Error};
use crate::flows::vault_state::{VaultState, vault_state};
use crate::http::doc::{Doc, Tag};
use serde_json::json;
use utoipa::ToSchema;

/// Seconds after which readiness is worth another look: the vault's state is looked up once a second.
const RETRY_AFTER_SECONDS: u32 = 1;

#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
}

/// `GET /health/live`: the process answers.
///
/// # Errors
/// 429 beyond the rate of strangers.
pub(super) async fn live(_call: OpenCall) -> Result<HttpResponse, Error> {
    send_json(StatusCode::OK, &Health { status: "live" })
}

/// `GET /health/ready`, and `GET /health` for those who know no more: database and vault can be worked with.
///
/// # Errors
/// 503 `STORE_UNAVAILABLE`, `VAULT_LOCKED` or `VAULT_UNREACHABLE`; 429 beyond the rate of strangers.
pub(super) async fn ready(call: OpenCall) -> Result<HttpResponse, Error> {
    let services = call.services();
    let missing = if services.db.ping().await.is_err() {
        Some(Code::StoreUnavailable)
    } else {
        match vault_state(services).await {
            VaultState::Ready => None,
            VaultState::Locked => Some(Code::VaultLocked),
            VaultState::Unreachable => Some(Code::VaultUnreachable),
        }
    };
    match missing {
        None => send_json(StatusCode::OK, &Health { status: "ready" }),
        Some(code) => Err(Error::from(code).retry_after(RETRY_AFTER_SECONDS)),
    }
}

/// Of `GET /health/live`.
pub(super) fn live_doc() -> Doc {
    Doc::new(Tag::Health, "Does the process live?")
        .says("Says that the process answers, and nothing of what it needs to work.")
        .needs_nothing()
        .answers::<Health>(200, "It lives.", json!({ "status": "live" }))
}

/// Of `GET /health/ready` and `GET /health`.
pub(super) fn ready_doc() -> Doc {
    Doc::new(Tag::Health, "Can it work?")
        .says("Whether database and vault can be worked with: ask this before sending requests here.")
        .answers::<Health>(200, "It can.", json!({ "status": "ready" }))
        .errors(&[Code::VaultLocked, Code::VaultUnreachable])
}
