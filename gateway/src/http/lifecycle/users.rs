//! `/lifecycle/v1/users…`: a partner's users, one at a time.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::kyc::KycStatus;
use crate::domain::operator::Scope;
use crate::domain::person::ExternalId;
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::create_activation_code::create_activation_code;
use crate::flows::register_user::{Registration, register_user};
use crate::flows::set_kyc::{Decision, set_kyc};
use crate::flows::users::remove::remove_user;
use crate::flows::users::update::update_user;
use crate::http::answer::{json, send, send_json};
use crate::http::caller::PartnerCall;
use crate::http::doc::shape::{jws, line, object, one_of, optional, required};
use crate::http::doc::{Doc, Tag, examples, words};
use crate::http::import_rows::label;
use crate::http::kyc::{optional_rejection, rejection_members};
use crate::http::page::Page;
use crate::http::person::members;
use crate::http::person::person;
use crate::http::profile::ProfileView;
use crate::http::search::{FILTERS, read_filter};
use crate::http::{export, installations, standing};
use crate::store::customers::search;
use crate::store::users;
use serde_json::json as literal;
use utoipa::ToSchema;

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

/// `GET /lifecycle/v1/users?email=&phoneNumber=&externalId=&id=` → 200: the partner's users, or those whom all that is named
/// fits exactly.
pub(in crate::http) async fn list(call: PartnerCall) -> Result<HttpResponse, Error> {
    let services = call.services();
    let (page, given) = Page::of_filtered(call.query(), services.config.limits.page_items, &FILTERS)?;
    let filter = read_filter(&given)?;
    let scope = Scope::Partner(call.partner().clone());
    let mut read = services.db.read().await?;
    let rows = search(&mut read, &scope, &filter, page.after, page.rows()).await?;
    let listed = page.of_rows(
        rows,
        |row| row.user.id.0,
        |row| {
            serde_json::to_value(ProfileView::of(&row))
                .map_err(|_| Error::internal("a user cannot be written"))
        },
    )?;
    send_json(StatusCode::OK, &listed)
}

/// `PUT /lifecycle/v1/users/{userId}`: the body of a registration → 200. What may be left out and is left out is gone.
pub(in crate::http) async fn put(mut call: PartnerCall) -> Result<HttpResponse, Error> {
    let user = call.customer().await?;
    let (mut fields, _) = call.fields().await?;
    let services = call.services();
    let person = person(&mut fields, services.now());
    let external_id = fields.optional_text("externalId", ExternalId::parse);
    let person = fields.finish(|| person)?;
    let profile = update_user(services, user.id, &person, external_id.as_ref()).await?;
    send_json(StatusCode::OK, &ProfileView::of(&profile))
}

/// `DELETE /lifecycle/v1/users/{userId}` → 204: the personal data is gone, nothing of the user's works any more.
pub(in crate::http) async fn delete(call: PartnerCall) -> Result<HttpResponse, Error> {
    let user = call.customer().await?;
    remove_user(call.services(), user.id, &call.actor()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /lifecycle/v1/users/{userId}/export`
pub(in crate::http) async fn export(call: PartnerCall) -> Result<HttpResponse, Error> {
    export::get(call.into_customer().await?).await
}

/// `POST /lifecycle/v1/users/{userId}/lock`
pub(in crate::http) async fn lock(call: PartnerCall) -> Result<HttpResponse, Error> {
    standing::lock(call.into_customer().await?).await
}

/// `POST /lifecycle/v1/users/{userId}/unlock`
pub(in crate::http) async fn unlock(call: PartnerCall) -> Result<HttpResponse, Error> {
    standing::unlock(call.into_customer().await?).await
}

/// `GET /lifecycle/v1/users/{userId}/installations`
pub(in crate::http) async fn list_installations(call: PartnerCall) -> Result<HttpResponse, Error> {
    installations::list(call.into_customer().await?, None).await
}

/// `DELETE /lifecycle/v1/users/{userId}/installations/{installationId}`
pub(in crate::http) async fn revoke_installation(call: PartnerCall) -> Result<HttpResponse, Error> {
    installations::revoke(call.into_customer().await?).await
}

/// `GET /lifecycle/v1/users/{userId}` → 200.
pub(in crate::http) async fn get(call: PartnerCall) -> Result<HttpResponse, Error> {
    let user = call.customer().await?;
    let mut read = call.services().db.read().await?;
    let profile = users::profile(&mut read, user.id).await?.ok_or(Code::NotFound)?;
    send_json(StatusCode::OK, &ProfileView::of(&profile))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycOutcome)]
struct KycView {
    #[schema(schema_with = words::kyc_status)]
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

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ActivationCode)]
struct ActivationCodeView<'a> {
    activation_code: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
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

/// Of `POST /lifecycle/v1/users`.
pub(in crate::http) fn create_doc() -> Doc {
    let mut example = examples::profile();
    if let Some(example) = example.as_object_mut() {
        example.insert("kycStatus".to_owned(), literal!("NONE"));
    }
    Doc::new(Tag::Users, "Register a user")
        .says("In the partner's program. `externalId` is the partner's own name for the user, once per partner.")
        .body(members().into_iter().chain([optional("externalId", words::external_id())]))
        .asks_vault()
        .answers::<ProfileView>(201, "The user.", example)
        .errors(&[Code::ExternalIdTaken])
}

/// Of `GET /lifecycle/v1/users`.
pub(in crate::http) fn list_doc() -> Doc {
    Doc::new(Tag::Users, "Find users")
        .says("The partner's users, or those whom all that is named fits exactly.")
        .query(optional("email", words::email()))
        .query(optional("phoneNumber", words::phone_number()))
        .query(optional("externalId", words::external_id()))
        .query(optional("id", words::id()))
        .answers_page::<ProfileView>("A page of users, oldest first.", examples::profile())
}

/// Of `PUT /lifecycle/v1/users/{userId}`.
pub(in crate::http) fn put_doc() -> Doc {
    Doc::new(Tag::Users, "Change a user's data")
        .says(
            "Replaces the data as a whole: what may be left out and is left out is gone. Names, day of birth and nationality are \
             what an identity check established: while an application waits, and once it was accepted, another identity is \
             refused. To change it, set the outcome of KYC to `REJECTED`, change the data, and have the identity established anew.",
        )
        .body(members().into_iter().chain([optional("externalId", words::external_id())]))
        .answers::<ProfileView>(200, "The user.", examples::profile())
        .errors(&[Code::ExternalIdTaken, Code::KycAccepted, Code::KycInProgress])
}

/// Of `DELETE /lifecycle/v1/users/{userId}`.
pub(in crate::http) fn delete_doc() -> Doc {
    Doc::new(Tag::Users, "Remove a user")
        .says(
            "For good: with the answer every personal datum is erased, sessions and devices are out, balances closed. Cards and \
             keys are erased in the vault at once, or as soon as it can be reached. Ledger, events and trails stay, without a \
             name. `externalId` is free again. A second DELETE is 404.",
        )
        .answers_nothing(204, "The user is gone.")
        .errors(&[Code::BalanceNotEmpty])
}

/// Of `GET /lifecycle/v1/users/{userId}`.
pub(in crate::http) fn get_doc() -> Doc {
    Doc::new(Tag::Users, "Get a user")
        .says("As registered, with the state of KYC.")
        .answers::<ProfileView>(200, "The user.", examples::profile())
}

/// Of `PUT /lifecycle/v1/users/{userId}/kyc`.
pub(in crate::http) fn put_kyc_doc() -> Doc {
    let members = |statuses: &[&'static str]| {
        [
            required("status", one_of(statuses.iter().copied())),
            required("provider", line(128, "acme-onboarding")),
            required("reference", line(128, "case-2026-000123")),
        ]
    };
    let rejected = members(&["REJECTED"]).into_iter().chain(rejection_members());
    let rejected = object(rejected).with("dependentRequired", literal!({ "message": ["reasonCode"] }));
    Doc::new(Tag::Kyc, "Set the outcome of the partner's own KYC")
        .says("The partner established who the user is, or did not. On `ACCEPTED` a balance in the program's currency comes by itself.")
        .body_of(object(members(&["ACCEPTED", "IN_PROGRESS"])).or(rejected))
        .answers::<KycView>(200, "The state.", literal!({ "kycStatus": "ACCEPTED" }))
        .errors(&[Code::KycNotByPartner])
}

/// Of `POST /lifecycle/v1/users/{userId}/activation-codes`.
pub(in crate::http) fn create_code_doc() -> Doc {
    let example = literal!({ "activationCode": "7K3M-Q2XW-9D4T-P6HZ", "expiresAt": "2026-11-27T21:30:00Z" });
    let ticket = jws(TICKET_MAX as u64)
        .saying("The partner's word for the key to come; the vault judges it at pairing.");
    Doc::new(Tag::Sessions, "Create an activation code")
        .says("For `POST /customers/pair`. A retry makes a new one and voids the earlier.")
        .body([optional("enrolmentTicket", ticket)])
        .minted_anew()
        .answers::<ActivationCodeView>(201, "The code, once.", example)
        .errors(&[Code::UserLocked])
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
