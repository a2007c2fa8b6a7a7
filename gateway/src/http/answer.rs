//! Answers: JSON, made once and sent as it was filed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use shared::vault_api::{AUDIT_INDEX, VAULT_PROOF};

use crate::error::Error;
use crate::store::idempotency::Answer;

/// An answer with a JSON body.
///
/// # Errors
/// When the value cannot be written as JSON.
pub fn json(status: StatusCode, body: &impl Serialize) -> Result<Answer, Error> {
    let body = serde_json::to_vec(body).map_err(|_| Error::internal("an answer cannot be written"))?;
    Ok(Answer {
        status: status.as_u16(),
        vault_proof: None,
        audit_index: None,
        body,
    })
}

/// Sends an answer.
///
/// # Errors
/// When a filed answer is not one.
pub fn send(answer: Answer) -> Result<HttpResponse, Error> {
    let status =
        StatusCode::from_u16(answer.status).map_err(|_| Error::internal("a filed status is not one"))?;
    let mut response = HttpResponse::build(status);
    if let Some(proof) = answer.vault_proof {
        let proof = HeaderValue::from_str(&proof)
            .map_err(|_| Error::internal("the vault's proof is not a header value"))?;
        response.insert_header((VAULT_PROOF, proof));
    }
    if let Some(index) = answer.audit_index {
        response.insert_header((AUDIT_INDEX, index.to_string()));
    }
    if answer.body.is_empty() {
        return Ok(response.finish());
    }
    response.insert_header((CONTENT_TYPE, "application/json"));
    Ok(response.body(answer.body))
}

/// Sends a JSON body.
///
/// # Errors
/// When the value cannot be written as JSON.
pub fn send_json(status: StatusCode, body: &impl Serialize) -> Result<HttpResponse, Error> {
    send(json(status, body)?)
}
