//! `/admin/sessions` and `/admin/session`: an operator logs in, asks who is logged in, logs out.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;

use super::operators::OperatorView;
use crate::domain::operator::marker::OwnSession;
use crate::domain::operator::{Login, Password};
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::operators::log_in::{OperatorLogin, SecondFactor, log_in, log_out};
use crate::http::answer::send_json;
use crate::http::caller::OpenCall;
use crate::http::doc::shape::{object, required, text};
use crate::http::doc::{Doc, Tag, examples, words};
use crate::http::operator::OperatorCall;
use serde_json::json;
use utoipa::ToSchema;

const ONE_FACTOR: Rule = Rule {
    code: "ONE_OF_TWO",
    message: "Either totp or recoveryCode must be present.",
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewOperatorSession)]
struct NewSessionView<'a> {
    session_token: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
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

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OperatorSession)]
struct SessionView<'a> {
    operator: OperatorView<'a>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
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

/// Of `POST /admin/sessions`.
pub(super) fn create_doc() -> Doc {
    let login = || required("login", words::login());
    let password = || required("password", text(0, 1024, "correct horse battery staple").secret());
    let recovery = text(1, 64, "7K3M-Q2XW-9D4T-P6HZ")
        .secret()
        .saying("In place of a one-time code; good once.");
    let by_code = object([
        login(),
        password(),
        required("totp", text(1, 64, "492039").secret()),
    ]);
    let by_recovery = object([login(), password(), required("recoveryCode", recovery)]);
    let example = json!({ "sessionToken": "ops_Zm9yLXlvdXItZXllcy1vbmx5LW5vdC1mb3ItdGhlaXJz", "expiresAt": "2026-11-26T21:45:00Z" });
    Doc::new(Tag::Sessions, "Log in")
        .says("With a password and a second factor: a one-time code, or a recovery code in its place.")
        .body_of(by_code.or(by_recovery))
        .minted_anew()
        .answers::<NewSessionView>(201, "A session, 15 minutes unless configured otherwise.", example)
        .errors(&[Code::AuthenticationFailed, Code::Busy])
}

/// Of `GET /admin/session`.
pub(super) fn get_doc() -> Doc {
    let example = json!({ "operator": examples::operator(), "expiresAt": "2026-11-26T21:45:00Z" });
    Doc::new(Tag::Sessions, "Who is logged in?")
        .says("The operator of the session.")
        .answers::<SessionView>(200, "The session.", example)
}

/// Of `DELETE /admin/session`.
pub(super) fn delete_doc() -> Doc {
    Doc::new(Tag::Sessions, "Log out")
        .says("Ends the session by which it is called.")
        .answers_nothing(204, "The session has ended.")
}
