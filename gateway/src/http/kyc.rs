//! KYC by application, on both channels: file the data with documents that were sent before, follow the decision.

use std::collections::HashSet;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use shared::vault_api::cards::PostalAddress;
use time::OffsetDateTime;

use super::answer::{json, send, send_json};
use super::body::Fields;
use super::caller::Customer;
use super::doc::shape::{Member, line, list, optional};
use super::doc::{Doc, Tag, examples, words};
use super::kyc_documents::DocumentView;
use super::person::address;
use crate::domain::kyc::{DocumentId, KycStatus, Rejection, parse_message, parse_reason};
use crate::domain::lock::Party;
use crate::domain::person::{BirthDate, Country, Email, PersonName, PhoneNumber};
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::apply_for_kyc::{Filing, apply_for_kyc};
use crate::store::kyc::{self, Source};
use crate::store::kyc_applications::{self, ApplicationId};
use crate::store::kyc_documents;
use serde_json::json as literal;
use utoipa::ToSchema;

/// What is to be used instead of what the user was registered with; nothing has to be given.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_of_birth: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nationality: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<PostalAddress>,
}

impl Application {
    fn read(mut fields: Fields, now: OffsetDateTime) -> Result<Self, Error> {
        let application = Self {
            email: fields.optional_text("email", |text| {
                Email::parse(text).map(|email| email.as_str().to_owned())
            }),
            phone_number: fields.optional_text("phoneNumber", |text| {
                PhoneNumber::parse(text).map(|number| number.as_str().to_owned())
            }),
            first_name: fields.optional_text("firstName", |text| {
                PersonName::parse(text).map(|name| name.as_str().to_owned())
            }),
            last_name: fields.optional_text("lastName", |text| {
                PersonName::parse(text).map(|name| name.as_str().to_owned())
            }),
            date_of_birth: fields.optional_text("dateOfBirth", |text| {
                BirthDate::parse(text, now).map(BirthDate::to_text)
            }),
            nationality: fields.optional_text("nationality", |text| {
                Country::parse(text).map(|country| country.as_str().to_owned())
            }),
            address: fields.optional_object("address", address),
        };
        fields.finish(|| Some(application))
    }
}

/// Where an application stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycStatus)]
struct StatusView {
    /// `NONE`, `IN_PROGRESS`, `ACCEPTED` or `REJECTED`.
    #[schema(schema_with = words::kyc_status)]
    kyc_status: &'static str,
    /// Since when.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<OffsetDateTime>,
    /// The number of the last application.
    #[serde(skip_serializing_if = "Option::is_none")]
    application_id: Option<i64>,
    /// When it was filed.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    submitted_at: Option<OffsetDateTime>,
    /// When the present status was decided, where it is a decision.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<OffsetDateTime>,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<RejectionView>,
    /// What the last application came with.
    documents: Vec<DocumentView>,
}

/// Why an application was rejected.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Rejection)]
pub(super) struct RejectionView {
    /// The reason as a name.
    #[schema(schema_with = words::rejection_reasons)]
    reason_code: &'static str,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl RejectionView {
    pub(super) fn of(rejection: Rejection) -> Self {
        Self {
            reason_code: rejection.reason.as_str(),
            message: rejection.message,
        }
    }
}

/// Takes `reasonCode` and `message`, which have a meaning for a rejection only.
pub(super) fn optional_rejection(fields: &mut Fields, is_rejection: bool) -> Option<Rejection> {
    const OF_A_REJECTION: Rule = Rule {
        code: "NOT_A_REJECTION",
        message: "Has a meaning for a rejection only.",
    };
    const WITH_A_REASON: Rule = Rule {
        code: "REASON_REQUIRED",
        message: "Comes with a reasonCode.",
    };
    let reason = fields.optional_text("reasonCode", parse_reason);
    let message = fields.optional_text("message", parse_message);
    if reason.is_some() && !is_rejection {
        fields.refuse("reasonCode", OF_A_REJECTION);
    }
    if message.is_some() && reason.is_none() {
        fields.refuse("message", WITH_A_REASON);
    }
    reason.map(|reason| Rejection { reason, message })
}

/// Most documents of an application; more of them than a user may have are refused one by one.
const DOCUMENTS_MAX: usize = 100;

fn documents(value: Value) -> Result<Vec<DocumentId>, Rule> {
    let ids: Option<Vec<_>> = value
        .as_array()
        .filter(|array| array.len() <= DOCUMENTS_MAX)
        .and_then(|array| array.iter().map(Value::as_i64).collect());
    let ids = ids.filter(|ids| ids.iter().collect::<HashSet<_>>().len() == ids.len());
    ids.map(|ids| ids.into_iter().map(DocumentId).collect())
        .ok_or(Rule {
            code: "NOT_DOCUMENTS",
            message: "Must be an array of ids of documents, each once.",
        })
}

/// `POST …/register`: any of the person's members, and `documents`, ids of what was sent before → 201.
pub(super) async fn register(mut customer: Customer) -> Result<HttpResponse, Error> {
    let (mut fields, request) = customer.fields().await?;
    let request = customer.scoped(request);
    let services = customer.services();
    let documents = fields.optional("documents", documents);
    let application = Application::read(fields, services.now())?;
    let data = serde_json::to_string(&application)
        .map_err(|_| Error::internal("an application cannot be written"))?;
    let source = match customer.party {
        Party::User => Source::User,
        _ => Source::Partner,
    };
    let filing = Filing {
        source,
        data: &data,
        documents: &documents.unwrap_or_default(),
    };
    let render = |application: ApplicationId, status: KycStatus| {
        let view = RegisteredView {
            kyc_status: status.as_str(),
            application_id: application.0,
        };
        json(StatusCode::CREATED, &view)
    };
    send(apply_for_kyc(services, &request, customer.user.id, &filing, render).await?)
}

/// An application was filed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycFiled)]
struct RegisteredView {
    #[schema(schema_with = words::kyc_status)]
    kyc_status: &'static str,
    /// Its number.
    application_id: i64,
}

/// `GET …/kyc` → 200. A user is not told of a suspicion; the partner is.
pub(super) async fn get(customer: Customer) -> Result<HttpResponse, Error> {
    let mut read = customer.services().db.read().await?;
    let latest = kyc::latest(&mut read, customer.user.id).await?;
    let application = kyc_applications::last_of(&mut read, customer.user.id).await?;
    let documents = match &application {
        Some(application) => kyc_documents::of_application(&mut read, application.id).await?,
        None => Vec::new(),
    };
    let status = latest.as_ref().map_or(KycStatus::None, |latest| latest.status);
    let is_decided = matches!(status, KycStatus::Accepted | KycStatus::Rejected);
    let since = latest.as_ref().map(|latest| latest.at);
    let rejection = latest.and_then(|latest| latest.rejection);
    let view = StatusView {
        kyc_status: status.as_str(),
        since,
        application_id: application.as_ref().map(|application| application.id.0),
        submitted_at: application.as_ref().map(|application| application.at),
        decided_at: since.filter(|_| is_decided),
        rejection: rejection.map(|rejection| match customer.party {
            Party::User => RejectionView::of(rejection.as_told()),
            _ => RejectionView::of(rejection),
        }),
        documents: documents.iter().map(DocumentView::of).collect(),
    };
    send_json(StatusCode::OK, &view)
}

/// The members that say why, as [`optional_rejection`] reads them.
pub(super) fn rejection_members() -> [Member; 2] {
    let message = line(500, "The photo of page 2 is blurred.");
    [
        optional(
            "reasonCode",
            words::rejection_reason().saying("Of a rejection only."),
        ),
        optional(
            "message",
            message.saying("Comes with a `reasonCode`. The applicant is told both, but not of a suspicion."),
        ),
    ]
}

/// Of `POST …/register`.
pub(super) fn register_doc() -> Doc {
    let members = super::person::members().into_iter().map(Member::may_be_left_out);
    let documents = list(words::id(), 0, DOCUMENTS_MAX as u64).with("uniqueItems", true);
    let documents = optional(
        "documents",
        documents.saying("Ids of documents that were sent before."),
    );
    Doc::new(Tag::Kyc, "Apply for KYC")
        .says(
            "Files an application for a decision. What is given here is used instead of what the user was registered with. \
             The program says which documents an application needs.",
        )
        .body(members.chain([documents]))
        .answers::<RegisteredView>(
            201,
            "The application waits.",
            literal!({ "kycStatus": "IN_PROGRESS", "applicationId": 1077 }),
        )
        .errors(&[Code::KycInProgress, Code::KycAccepted])
}

/// Of `GET …/kyc`.
pub(super) fn get_doc() -> Doc {
    let example = literal!({
        "kycStatus": "REJECTED", "since": "2026-11-26T21:30:00Z", "applicationId": 1077,
        "submittedAt": "2026-11-26T20:00:00Z", "decidedAt": "2026-11-26T21:30:00Z",
        "rejection": { "reasonCode": "DOCUMENT_UNREADABLE", "message": "The photo of page 2 is blurred." },
        "documents": [examples::kyc_document()],
    });
    Doc::new(Tag::Kyc, "Where the user stands with KYC")
        .says(
            "The latest state, and the last application. A user is not told of a suspicion; the partner is.",
        )
        .answers::<StatusView>(200, "The state.", example)
}
