//! `POST /callbacks/kyc/{provider}`: an outside provider tells what it decided, signed as Standard Webhooks has it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::json as literal;

use super::answer::send_json;
use super::body::Fields;
use super::caller::OpenCall;
use super::doc::shape::{line, one_of, optional, pattern, required};
use super::doc::{Doc, Tag, words};
use super::header::single;
use super::kyc::{optional_rejection, rejection_members};
use crate::clients::kyc_provider::{Decision, SignedMessage};
use crate::domain::kyc::{KycStatus, Rejection, RejectionReason};
use crate::domain::number::NUMBER_END;
use crate::domain::rule::Rule;
use crate::domain::text::is_line;
use crate::error::{Code, Error};
use crate::flows::hear_provider::hear_provider;
use crate::store::kyc_applications::ApplicationId;
use utoipa::ToSchema;

/// Longest id of a message and longest reference, in characters.
const NAME_MAX: usize = 128;

/// What came of a callback.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycCallbackHeard)]
struct HeardView {
    /// The application.
    application_id: i64,
    /// Whether this decision is the one that holds from now on. It is not where somebody decided before, or the message was
    /// heard before.
    applied: bool,
    /// The customer's status now.
    #[schema(schema_with = words::kyc_status)]
    kyc_status: &'static str,
}

/// `{applicationId, status, reference?, reasonCode?, message?}` → 200. The same message again changes nothing.
pub(super) async fn kyc(mut call: OpenCall) -> Result<HttpResponse, Error> {
    let name = call.text("provider").ok_or(Code::NotFound)?.to_owned();
    let services = std::sync::Arc::clone(call.services());
    let provider = services.kyc_providers.find(&name).ok_or(Code::NotFound)?;
    let body = call.raw().await?;
    let header = |name: &str| single(call.headers(), name).ok().flatten().unwrap_or_default();
    let message = SignedMessage {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: &body,
    };
    if !is_line(message.id, NAME_MAX) || !provider.has_signed(&message, services.now()) {
        return Err(Code::CallbackSignatureInvalid.into());
    }
    let (application, decision) = read(&body)?;
    let heard = hear_provider(&services, &name, application, &decision, Some(message.id)).await?;
    let view = HeardView {
        application_id: application.0,
        applied: heard.applied,
        kyc_status: heard.status.as_str(),
    };
    send_json(StatusCode::OK, &view)
}

fn read(body: &[u8]) -> Result<(ApplicationId, Decision), Error> {
    const STATUS: Rule = Rule {
        code: "NOT_A_DECISION",
        message: "Must be ACCEPTED or REJECTED.",
    };
    let mut fields = Fields::read(body)?;
    let application = fields.integer("applicationId", |number| {
        let known = (1..NUMBER_END).contains(&number);
        known.then_some(ApplicationId(number)).ok_or(Rule {
            code: "NOT_AN_ID",
            message: "Must be the id of an application.",
        })
    });
    let status = fields.text("status", |text| {
        KycStatus::from_name(text)
            .filter(|status| matches!(status, KycStatus::Accepted | KycStatus::Rejected))
            .ok_or(STATUS)
    });
    let reference = fields.optional_text("reference", |text| {
        let fits = is_line(text, NAME_MAX);
        fits.then(|| text.to_owned()).ok_or(Rule {
            code: "NOT_A_LABEL",
            message: "Must be 1 to 128 characters on one line.",
        })
    });
    let is_rejection = status == Some(KycStatus::Rejected);
    let rejection = optional_rejection(&mut fields, is_rejection);
    // A rejection always has a reason: whom it is about is told one.
    let rejection = rejection.or(is_rejection.then_some(Rejection {
        reason: RejectionReason::Other,
        message: None,
    }));
    fields.finish(|| {
        let decision = Decision {
            status: status?,
            reference,
            rejection,
        };
        Some((application?, decision))
    })
}

/// Of `POST /callbacks/kyc/{provider}`.
pub(super) fn kyc_doc() -> Doc {
    let members = [
        required("applicationId", words::id()),
        required("status", one_of(["ACCEPTED", "REJECTED"])),
        optional("reference", line(NAME_MAX as u64, "house-2026-000123")),
    ];
    let example = literal!({ "applicationId": 1125, "applied": true, "kycStatus": "ACCEPTED" });
    Doc::new(Tag::Kyc, "Take the decision of an outside provider")
        .says(
            "For the houses of `[[kyc.providers]]` alone, which sign their messages as Standard Webhooks has it: headers \
             `webhook-id`, `webhook-timestamp` (five minutes from now at most) and `webhook-signature`, under the secret of \
             `callback_secret_file`.",
        )
        .says(
            "The first decision about an application holds, whoever made it. A later one, and the same message again, is \
             answered 200 with `applied: false`: there is nothing to try again. `webhook-id` takes the place of \
             `Idempotency-Key`.",
        )
        .path_text("provider", pattern("^[a-z0-9-]{1,63}$", "house"))
        .body(members.into_iter().chain(rejection_members()))
        .minted_anew()
        .answers::<HeardView>(200, "It was heard.", example)
        .errors(&[Code::CallbackSignatureInvalid])
}
