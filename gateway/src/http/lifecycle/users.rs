//! `/lifecycle/v1/users…`: a partner's users, one at a time.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::kyc::KycStatus;
use crate::domain::person::ExternalId;
use crate::domain::rule::Rule;
use crate::domain::text::is_line;
use crate::error::{Code, Error};
use crate::flows::create_activation_code::create_activation_code;
use crate::flows::register_user::{Registration, register_user};
use crate::flows::set_kyc::{Decision, set_kyc};
use crate::http::answer::{json, send, send_json};
use crate::http::caller::PartnerCall;
use crate::http::kyc::optional_rejection;
use crate::http::person::person;
use crate::http::profile::ProfileView;
use crate::store::users;

/// `POST /lifecycle/v1/users` → 201.
pub(in crate::http) async fn create(mut call: PartnerCall) -> Result<HttpResponse, Error> {
    let (mut fields, request) = call.fields().await?;
    let request = call.scoped(request);
    let services = call.services();
    let person = person(&mut fields, services.now());
    let external_id = fields.optional_text("externalId", ExternalId::parse);
    let person = fields.finish(|| person)?;
    let program = services
        .config
        .default_program(call.partner())
        .ok_or(Code::NotAPartner)?;
    let registration = Registration {
        partner: call.partner().clone(),
        program: program.name.clone(),
        external_id,
        person,
    };
    let answer = register_user(services, &request, &registration, call.actor(), |profile| {
        json(StatusCode::CREATED, &ProfileView::of(profile))
    })
    .await?;
    send(answer)
}

/// `GET /lifecycle/v1/users/{userId}` → 200.
pub(in crate::http) async fn get(call: PartnerCall) -> Result<HttpResponse, Error> {
    let user = call.customer().await?;
    let mut read = call.services().db.read().await?;
    let profile = users::profile(&mut read, user.id).await?.ok_or(Code::NotFound)?;
    send_json(StatusCode::OK, &ProfileView::of(&profile))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KycView {
    kyc_status: &'static str,
}

/// `PUT /lifecycle/v1/users/{userId}/kyc`: `{status, provider, reference}`, with `REJECTED` perhaps `{reasonCode, message?}` → 200.
pub(in crate::http) async fn put_kyc(mut call: PartnerCall) -> Result<HttpResponse, Error> {
    const STATUS: Rule = Rule {
        code: "NOT_A_DECISION",
        message: "Must be IN_PROGRESS, ACCEPTED or REJECTED.",
    };
    let user = call.customer().await?;
    let (mut fields, _) = call.fields().await?;
    let status = fields.text("status", |text| {
        KycStatus::from_name(text)
            .and_then(|status| user.kyc.decided_by_partner(status))
            .ok_or(STATUS)
    });
    let provider = fields.text("provider", label);
    let reference = fields.text("reference", label);
    let rejection = optional_rejection(&mut fields, status == Some(KycStatus::Rejected));
    let decision = fields.finish(|| {
        Some(Decision {
            status: status?,
            provider: provider?,
            reference: reference?,
            rejection,
        })
    })?;
    let status = set_kyc(call.services(), user.id, &decision).await?;
    send_json(
        StatusCode::OK,
        &KycView {
            kyc_status: status.as_str(),
        },
    )
}

fn label(text: &str) -> Result<String, Rule> {
    if is_line(text, 128) {
        Ok(text.to_owned())
    } else {
        Err(Rule {
            code: "NOT_A_LABEL",
            message: "Must be 1 to 128 characters on one line.",
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActivationCodeView<'a> {
    activation_code: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// Longest enrolment ticket: it carries the partner's certificate chain.
const TICKET_MAX: usize = 8 * 1024;
const NOT_A_TICKET: Rule = Rule {
    code: "NOT_A_JWS",
    message: "Must be a compact JWS of at most 8 KiB.",
};

/// `POST /lifecycle/v1/users/{userId}/activation-codes`: `{enrolmentTicket?}` → 201. A retry mints anew and voids the earlier code.
pub(in crate::http) async fn create_code(mut call: PartnerCall) -> Result<HttpResponse, Error> {
    let user = call.customer().await?;
    let (mut fields, _) = call.fields().await?;
    let ticket = fields.optional_text("enrolmentTicket", ticket);
    fields.finish(|| Some(()))?;
    let issued = create_activation_code(call.services(), user.id, ticket.as_deref()).await?;
    let view = ActivationCodeView {
        activation_code: &issued.code,
        expires_at: issued.expires_at,
    };
    send_json(StatusCode::CREATED, &view)
}

/// Only its form: the vault judges it when a device is paired.
fn ticket(text: &str) -> Result<String, Rule> {
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let parts = || text.split('.');
    let fits = text.len() <= TICKET_MAX
        && parts().count() == 3
        && parts().all(|part| !part.is_empty() && part.bytes().all(base64url));
    if fits {
        Ok(text.to_owned())
    } else {
        Err(NOT_A_TICKET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_three_parts_of_base64url() {
        assert!(ticket("eyJ9.e-_0.c2ln").is_ok());
        let long = format!("a.{}.c", "b".repeat(TICKET_MAX));
        for bad in ["", "a.b", "a..c", "a.b.c.d", "a.b.c\0", "a.b=.c", "a.ł.c", &long] {
            assert!(ticket(bad).is_err(), "{bad:?}");
        }
    }
}
