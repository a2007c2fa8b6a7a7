//! `/admin/sessions` and `/admin/session`: an operator logs in, asks who is logged in, logs out.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;

use super::operators::OperatorView;
use crate::domain::operator::marker::OwnSession;
use crate::domain::operator::{Login, Password};
use crate::domain::rule::Rule;
use crate::error::Error;
use crate::flows::operators::log_in::{OperatorLogin, SecondFactor, log_in, log_out};
use crate::http::answer::send_json;
use crate::http::caller::OpenCall;
use crate::http::operator::OperatorCall;

const ONE_FACTOR: Rule = Rule {
    code: "ONE_OF_TWO",
    message: "Either totp or recoveryCode must be present.",
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewSessionView<'a> {
    session_token: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// `POST /admin/sessions`: `{login, password, totp | recoveryCode}` → 201.
pub(super) async fn create(mut call: OpenCall) -> Result<HttpResponse, Error> {
    call.rates().logins.check(&call.address()?)?;
    let (mut fields, request) = call.fields().await?;
    let login = fields.text("login", Login::parse);
    let password = fields.secret("password", |text| Ok(Password::tried(text)));
    let named = ["totp", "recoveryCode"].map(|name| fields.has(name));
    let totp = fields.optional_secret("totp", Ok).map(SecondFactor::Totp);
    let recovery = fields
        .optional_secret("recoveryCode", Ok)
        .map(SecondFactor::RecoveryCode);
    if matches!(named, [true, true] | [false, false]) {
        fields.refuse("totp", ONE_FACTOR);
    }
    let attempt = fields.finish(|| {
        Some(OperatorLogin {
            login: login?,
            password: password?,
            factor: totp.or(recovery)?,
        })
    })?;
    let session = log_in(call.services(), request, attempt, &call.trace().to_string()).await?;
    let view = NewSessionView {
        session_token: &session.token,
        expires_at: session.expires_at,
    };
    send_json(StatusCode::CREATED, &view)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionView<'a> {
    operator: OperatorView<'a>,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// `GET /admin/session` → 200 `{operator, expiresAt}`.
pub(super) async fn get(call: OperatorCall<OwnSession>) -> Result<HttpResponse, Error> {
    let view = SessionView {
        operator: OperatorView::of(call.operator()),
        expires_at: call.expires_at(),
    };
    send_json(StatusCode::OK, &view)
}

/// `DELETE /admin/session` → 204.
pub(super) async fn delete(call: OperatorCall<OwnSession>) -> Result<HttpResponse, Error> {
    log_out(call.services(), call.token_hash(), &call.stamp()).await?;
    Ok(HttpResponse::NoContent().finish())
}
