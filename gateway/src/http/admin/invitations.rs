//! Doors for those who hold a token that was mailed to them: an invitation, or a password reset.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::domain::operator::{Login, Password};
use crate::error::{Code, Error};
use crate::flows::operators::{accept_invitation, reset_password};
use crate::http::answer::send_json;
use crate::http::caller::OpenCall;
use crate::http::doc::shape::required;
use crate::http::doc::{Doc, Tag, words};
use serde_json::json;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecondFactor)]
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

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RecoveryCodes)]
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

/// Of `POST /admin/invitations/second-factor`.
pub(super) fn second_factor_doc() -> Doc {
    let example = json!({
        "otpauthUri": "otpauth://totp/Tessera:admin%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Tessera",
        "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    });
    Doc::new(Tag::Operators, "A second factor for an invited operator")
        .says("A retry makes a new one; the latest counts.")
        .body([required("token", words::mailed_token("inv_"))])
        .minted_anew()
        .answers::<SecondFactorView>(201, "The secret of the one-time codes.", example)
        .errors(&[Code::TokenInvalid])
}

/// Of `POST /admin/invitations/accept`.
pub(super) fn accept_doc() -> Doc {
    Doc::new(Tag::Operators, "Accept an invitation")
        .says(
            "With a password and a code of the second factor. Recovery codes are shown here and never again.",
        )
        .body([
            required("token", words::mailed_token("inv_")),
            required("password", words::password()),
            required("totp", words::totp()),
        ])
        .minted_anew()
        .answers::<AcceptedView>(
            201,
            "The operator can log in.",
            json!({ "recoveryCodes": ["7K3M-Q2XW-9D4T-P6HZ"] }),
        )
        .errors(&[Code::TokenInvalid, Code::AuthenticationFailed, Code::Busy])
}

/// Of `POST /admin/password-resets`.
pub(super) fn ask_reset_doc() -> Doc {
    Doc::new(Tag::Operators, "Ask for a password reset")
        .says("A mail goes out if there is such an operator; the answer does not tell.")
        .body([required("login", words::login())])
        .minted_anew()
        .answers_nothing(202, "Heard.")
}

/// Of `POST /admin/password-resets/accept`.
pub(super) fn accept_reset_doc() -> Doc {
    Doc::new(Tag::Operators, "Set a new password")
        .says("Ends the operator's sessions. The second factor stays.")
        .body([
            required("token", words::mailed_token("pwd_")),
            required("password", words::password()),
        ])
        .minted_anew()
        .answers_nothing(204, "The password is set.")
        .errors(&[Code::TokenInvalid, Code::Busy])
}
