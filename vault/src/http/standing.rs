//! The doors that open while the vault is locked: health, status, unlock; and the one that locks it.

use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use shared::http::body::read_body;
use shared::mtls::actix::peer;
use shared::mtls::identity::Role;
use shared::vault_api::governance::{GiveShare, Status};

use super::call::{BODY_TIME, Call, ForOfficers, body_error, problem};
use super::trace::trace_of;
use crate::audit::event::Operation;
use crate::error::Error;
use crate::keys::slot::share::ShareText;
use crate::process::Process;

/// A share's text is a hundred characters.
const MOST_SHARE_BODY_BYTES: usize = 1024;

pub(super) async fn health() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "alive" }))
}

pub(super) async fn status(process: web::Data<Process>) -> HttpResponse {
    HttpResponse::Ok().json(process.status())
}

/// Whether the caller is a custodian is written in the slot, not in the register, which nobody can read while the vault
/// is locked.
pub(super) async fn unlock(
    request: HttpRequest,
    process: web::Data<Process>,
    body: web::Payload,
) -> HttpResponse {
    match take_share(&request, &process, body).await {
        // The buffers of the connection held a share: they are wiped with it.
        Ok(status) => HttpResponse::Ok().force_close().json(status),
        Err(error) => {
            let mut answer = problem(&error, trace_of(&request));
            answer.head_mut().set_connection_type(ConnectionType::Close);
            answer
        }
    }
}

async fn take_share(request: &HttpRequest, process: &Process, body: web::Payload) -> Result<Status, Error> {
    let peer = peer(request).ok_or(Error::CertificateEnded)?;
    if peer.identity.role() != Role::Officer {
        return Err(Error::RoleForbidden);
    }
    let bytes = read_body(request, body, MOST_SHARE_BODY_BYTES, BODY_TIME)
        .await
        .map_err(body_error)?;
    // serde's own words may repeat the share.
    let given: GiveShare =
        serde_json::from_slice(&bytes).map_err(|_| Error::Malformed("The body must be {share}.".into()))?;
    process.give_share(&peer, &ShareText::new(given.share)).await
}

pub(super) async fn lock(call: Call<ForOfficers>, process: web::Data<Process>) -> HttpResponse {
    let result = match call.event(Operation::Lock, None) {
        Ok(event) => process.lock(event).await,
        Err(error) => Err(error),
    };
    call.answer(StatusCode::OK, result)
}
