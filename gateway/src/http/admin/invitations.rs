//! Doors for those who hold a token that was mailed to them: an invitation, or a password reset.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::domain::operator::{Login, Password};
use crate::error::Error;
use crate::flows::operators::{accept_invitation, reset_password};
use crate::http::answer::send_json;
use crate::http::caller::OpenCall;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecondFactorView<'a> {
    otpauth_uri: &'a str,
    secret: &'a str,
}

/// `POST /admin/invitations/second-factor`: `{token}` → 201 `{otpauthUri, secret}`. A retry mints anew.
pub(super) async fn second_factor(mut call: OpenCall) -> Result<HttpResponse, Error> {
    call.rates().logins.check(&call.address()?)?;
    let (mut fields, _) = call.fields().await?;
    let token = fields.secret("token", Ok);
    let token = fields.finish(|| token)?;
    let made = accept_invitation::begin(call.services(), &token).await?;
    let view = SecondFactorView {
        otpauth_uri: &made.uri,
        secret: &made.secret,
    };
    send_json(StatusCode::CREATED, &view)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AcceptedView<'a> {
    recovery_codes: Vec<&'a str>,
}

/// `POST /admin/invitations/accept`: `{token, password, totp}` → 201 `{recoveryCodes}`.
pub(super) async fn accept(mut call: OpenCall) -> Result<HttpResponse, Error> {
    call.rates().logins.check(&call.address()?)?;
    let (mut fields, _) = call.fields().await?;
    let token = fields.secret("token", Ok);
    let password = fields.secret("password", Password::parse);
    let totp = fields.secret("totp", Ok);
    let (token, password, totp) = fields.finish(|| Some((token?, password?, totp?)))?;
    let trace = call.trace().to_string();
    let codes: Vec<Zeroizing<String>> =
        accept_invitation::accept(call.services(), &token, password, &totp, &trace).await?;
    let view = AcceptedView {
        recovery_codes: codes.iter().map(|code| code.as_str()).collect(),
    };
    send_json(StatusCode::CREATED, &view)
}

/// `POST /admin/password-resets`: `{login}` → 202, whether there is such an operator or not.
pub(super) async fn ask_reset(mut call: OpenCall) -> Result<HttpResponse, Error> {
    call.rates().logins.check(&call.address()?)?;
    let (mut fields, _) = call.fields().await?;
    let login = fields.text("login", Login::parse);
    let login = fields.finish(|| login)?;
    reset_password::ask(call.services(), &login, &call.trace().to_string()).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// `POST /admin/password-resets/accept`: `{token, password}` → 204.
pub(super) async fn accept_reset(mut call: OpenCall) -> Result<HttpResponse, Error> {
    call.rates().logins.check(&call.address()?)?;
    let (mut fields, _) = call.fields().await?;
    let token = fields.secret("token", Ok);
    let password = fields.secret("password", Password::parse);
    let (token, password) = fields.finish(|| Some((token?, password?)))?;
    let trace = call.trace().to_string();
    reset_password::carry_through(call.services(), &token, password, &trace).await?;
    Ok(HttpResponse::NoContent().finish())
}
