//! `/customers/sessions…`: from an installation to a session and back.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::installation::{AppPin, InstallationId};
use crate::domain::number::NUMBER_END;
use crate::domain::rule::Rule;
use crate::error::Error;
use crate::flows::log_in::{Login, log_in, log_out, login_challenge};
use crate::http::answer::send_json;
use crate::http::caller::{OpenCall, UserCall};

const NOT_A_NUMBER: Rule = Rule {
    code: "NOT_AN_ID",
    message: "Must be an id.",
};

fn installation(number: i64) -> Result<InstallationId, Rule> {
    if (1..NUMBER_END).contains(&number) {
        Ok(InstallationId(number))
    } else {
        Err(NOT_A_NUMBER)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChallengeView<'a> {
    challenge: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// `POST /customers/sessions/challenge`: `{installationId}` → 201, also for installations that do not exist.
pub(in crate::http) async fn challenge(mut call: OpenCall) -> Result<HttpResponse, Error> {
    call.rates().logins.check(&call.address()?)?;
    let (mut fields, _) = call.fields().await?;
    let id = fields.integer("installationId", installation);
    let id = fields.finish(|| id)?;
    let made = login_challenge(call.services(), id).await?;
    let view = ChallengeView {
        challenge: &made.challenge,
        expires_at: made.expires_at,
    };
    send_json(StatusCode::CREATED, &view)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionView<'a> {
    session_token: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// `POST /customers/sessions`: `{installationId, proof, appPin}` → 201.
pub(in crate::http) async fn create(mut call: OpenCall) -> Result<HttpResponse, Error> {
    call.rates().logins.check(&call.address()?)?;
    let (mut fields, request) = call.fields().await?;
    let id = fields.integer("installationId", installation);
    let proof = fields.text("proof", |text| Ok(text.to_owned()));
    let pin = fields.secret("appPin", AppPin::parse);
    let login = fields.finish(|| {
        Some(Login {
            installation: id?,
            proof: proof?,
            pin: pin?,
        })
    })?;
    let session = log_in(call.services(), request, login).await?;
    let view = SessionView {
        session_token: &session.token,
        expires_at: session.expires_at,
    };
    send_json(StatusCode::CREATED, &view)
}

/// `DELETE /customers/me/session` → 204.
pub(in crate::http) async fn delete(call: UserCall) -> Result<HttpResponse, Error> {
    log_out(call.services(), call.token_hash()).await?;
    Ok(HttpResponse::NoContent().finish())
}
