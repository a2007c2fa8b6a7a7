//! `/customers/sessions…`: from an installation to a session and back.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::installation::{AppPin, InstallationId};
use crate::domain::number::NUMBER_END;
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::log_in::{Login, log_in, log_out, login_challenge};
use crate::http::answer::send_json;
use crate::http::caller::{OpenCall, UserCall};
use crate::http::doc::shape::{JWS_EXAMPLE, required, text};
use crate::http::doc::{Doc, Tag, words};
use serde_json::json;
use utoipa::ToSchema;

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

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoginChallenge)]
struct ChallengeView<'a> {
    challenge: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
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

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
struct SessionView<'a> {
    session_token: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
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

/// Of `POST /customers/sessions/challenge`.
pub(in crate::http) fn challenge_doc() -> Doc {
    let example = json!({ "challenge": "bG9naW4tY2hhbGxlbmdlLTI1Ni1yYW5kb20tYml0cw", "expiresAt": "2026-11-26T21:31:00Z" });
    Doc::new(Tag::Sessions, "A challenge for a login")
        .says("Also for installations that do not exist, so that nobody learns which do.")
        .body([required("installationId", words::id())])
        .minted_anew()
        .answers::<ChallengeView>(201, "A fresh challenge.", example)
}

/// Of `POST /customers/sessions`.
pub(in crate::http) fn create_doc() -> Doc {
    let example = json!({ "sessionToken": "ses_Zm9yLXlvdXItZXllcy1vbmx5LW5vdC1mb3ItdGhlaXJz", "expiresAt": "2026-11-26T21:40:00Z" });
    let proof = text(1, 8192, JWS_EXAMPLE);
    Doc::new(Tag::Sessions, "Log in")
        .says("With the device's key and the app's PIN. Five wrong PINs in a row stop the installation for a while.")
        .body([
            required("installationId", words::id()),
            required("proof", proof.saying("A JWS by the device's key, ES256, `typ: session-proof+jwt`, over `{challenge, installationId}`.")),
            required("appPin", words::app_pin()),
        ])
        .minted_anew()
        .answers::<SessionView>(201, "A session, 10 minutes unless configured otherwise.", example)
        .errors(&[Code::AuthenticationFailed, Code::UserLocked, Code::Busy])
}

/// Of `DELETE /customers/me/session`.
pub(in crate::http) fn delete_doc() -> Doc {
    Doc::new(Tag::Sessions, "Log out")
        .says("Ends the session by which it is called.")
        .answers_nothing(204, "The session has ended.")
}
