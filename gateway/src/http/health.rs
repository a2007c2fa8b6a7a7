//! Whether the process lives, and whether it can work: for those who start, watch and balance it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

use super::answer::send_json;
use super::caller::OpenCall;
use crate::error::Error;
use crate::flows::vault_state::{VaultState, vault_state};

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// `GET /health/live`: the process answers.
///
/// # Errors
/// 429 beyond the rate of strangers.
pub(super) async fn live(_call: OpenCall) -> Result<HttpResponse, Error> {
    send_json(
        StatusCode::OK,
        &Health {
            status: "live",
            reason: None,
        },
    )
}

/// `GET /health/ready`, and `GET /health` for those who know no more: database and vault can be worked with; else 503 with the reason.
///
/// # Errors
/// 429 beyond the rate of strangers.
pub(super) async fn ready(call: OpenCall) -> Result<HttpResponse, Error> {
    let services = call.services();
    let reason = if services.db.ping().await.is_err() {
        Some("STORE_UNAVAILABLE")
    } else {
        match vault_state(services).await {
            VaultState::Ready => None,
            VaultState::Locked => Some("VAULT_LOCKED"),
            VaultState::Unreachable => Some("VAULT_UNREACHABLE"),
        }
    };
    match reason {
        None => send_json(
            StatusCode::OK,
            &Health {
                status: "ready",
                reason: None,
            },
        ),
        Some(reason) => send_json(
            StatusCode::SERVICE_UNAVAILABLE,
            &Health {
                status: "not ready",
                reason: Some(reason),
            },
        ),
    }
}
