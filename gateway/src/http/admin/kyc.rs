//! `/admin/kyc/applications…`: an Admin reads applications and decides them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, CROSS_ORIGIN_RESOURCE_POLICY,
};
use serde::Serialize;
use serde_json::{Value, json as literal};
use time::OffsetDateTime;

use crate::document_keys::DocumentName;
use crate::domain::kyc::{DocumentId, KycStatus};
use crate::domain::operator::marker::DecideKyc;
use crate::domain::rule::{REQUIRED, Rule};
use crate::domain::text::is_line;
use crate::error::{Code, Error};
use crate::flows::decide_kyc::{OperatorDecision, decide_kyc};
use crate::flows::kyc_documents::content;
use crate::flows::operators::note_view::note_view;
use crate::http::answer::{json, send, send_json};
use crate::http::doc::shape::{line, optional};
use crate::http::doc::{Doc, Tag, examples, words};
use crate::http::kyc::{RejectionView, optional_rejection, rejection_members};
use crate::http::kyc_documents::{DocumentView, MEDIA_TYPES};
use crate::http::operator::OperatorCall;
use crate::http::page::Page;
use crate::http::profile::ProfileView;
use crate::store::kyc_applications::{self, Application, ApplicationId};
use crate::store::{kyc_documents, users};
use utoipa::ToSchema;

const NOT_A_NOTE: Rule = Rule {
    code: "NOT_A_NOTE",
    message: "Must be 1 to 128 characters on one line.",
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycApplication)]
struct ApplicationView<'a> {
    id: i64,
    customer_id: i64,
    partner: &'a str,
    #[schema(schema_with = words::kyc_status)]
    status: &'static str,
    /// Who filed it: `USER` or `PARTNER`.
    source: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    submitted_at: OffsetDateTime,
}

impl<'a> ApplicationView<'a> {
    fn of(application: &'a Application, status: KycStatus) -> Self {
        Self {
            id: application.id.0,
            customer_id: application.user.0,
            partner: application.partner.as_str(),
            status: status.as_str(),
            source: &application.source,
            submitted_at: application.at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WholeKycApplication)]
struct WholeView<'a> {
    #[serde(flatten)]
    application: ApplicationView<'a>,
    /// What was filed: what is to be used instead of what the customer was registered with.
    #[schema(value_type = Object)]
    data: Value,
    customer: ProfileView<'a>,
    /// What it came with.
    documents: Vec<DocumentView>,
    /// What became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<DecisionView>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycDecided)]
struct DecisionView {
    /// Who decided: `OPERATOR`, `PARTNER_PROCESS` or `PROVIDER`.
    source: String,
    /// Under which name.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    decided_at: OffsetDateTime,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<RejectionView>,
}

/// `GET /admin/kyc/applications` → 200: those that wait for a decision.
pub(super) async fn list(call: OperatorCall<DecideKyc>) -> Result<HttpResponse, Error> {
    let services = call.services();
    let page = Page::of_query(call.query(), services.config.limits.page_items)?;
    note_view(services, &call.stamp().named("LIST_KYC_APPLICATIONS")).await?;
    let mut read = services.db.read().await?;
    let scope = &call.operator().scope;
    let rows = kyc_applications::waiting(&mut read, scope, page.after, page.rows()).await?;
    let listed = page.of_rows(
        rows,
        |row| row.id.0,
        |row| {
            serde_json::to_value(ApplicationView::of(&row, KycStatus::InProgress))
                .map_err(|_| Error::internal("an application cannot be written"))
        },
    )?;
    send_json(StatusCode::OK, &listed)
}

/// `GET /admin/kyc/applications/{applicationId}` → 200, with the data that was filed.
pub(super) async fn get(call: OperatorCall<DecideKyc>) -> Result<HttpResponse, Error> {
    let id = ApplicationId(call.number("applicationId")?);
    let services = call.services();
    let mut read = services.db.read().await?;
    let application = kyc_applications::find(&mut read, id)
        .await?
        .filter(|application| call.operator().scope.sees(&application.partner))
        .ok_or(Code::NotFound)?;
    let profile = users::profile(&mut read, application.user)
        .await?
        .ok_or(Code::NotFound)?;
    let decided = kyc_applications::decision(&mut read, &application).await?;
    let documents = kyc_documents::of_application(&mut read, id).await?;
    drop(read);
    let stamp = call
        .stamp()
        .named("VIEW_KYC_APPLICATION")
        .about_user(&profile.user);
    note_view(services, &stamp).await?;
    let data: Value =
        serde_json::from_str(&application.data).map_err(|_| Error::internal("an application is not JSON"))?;
    let status = decided
        .as_ref()
        .map_or(KycStatus::InProgress, |decided| decided.status);
    let view = WholeView {
        application: ApplicationView::of(&application, status),
        data,
        customer: ProfileView::of(&profile),
        documents: documents.iter().map(DocumentView::of).collect(),
        decision: decided.map(|decided| DecisionView {
            source: decided.source,
            provider: decided.provider,
            decided_at: decided.at,
            rejection: decided.rejection.map(RejectionView::of),
        }),
    };
    send_json(StatusCode::OK, &view)
}

/// `GET /admin/kyc/applications/{applicationId}/documents/{documentId}` → 200, the document itself. Noted before it is shown,
/// and shown so that a browser saves it and runs nothing of it.
pub(super) async fn document(call: OperatorCall<DecideKyc>) -> Result<HttpResponse, Error> {
    let application = ApplicationId(call.number("applicationId")?);
    let id = DocumentId(call.number("documentId")?);
    let services = call.services();
    let _room = services.documents.rooms.take(None)?;
    let mut read = services.db.read().await?;
    let found = kyc_applications::find(&mut read, application)
        .await?
        .filter(|application| call.operator().scope.sees(&application.partner))
        .ok_or(Code::NotFound)?;
    let documents = kyc_documents::of_application(&mut read, application).await?;
    let document = documents.into_iter().find(|document| document.name.id == id);
    let document = document.ok_or(Code::NotFound)?;
    let user = users::find(&mut read, found.user).await?.ok_or(Code::NotFound)?;
    drop(read);
    let stamp = call.stamp().named("VIEW_KYC_DOCUMENT").about_user(&user);
    note_view(services, &stamp.saying(format!("document {}", id.0))).await?;
    let content = content(services, &document).await?;
    let DocumentName {
        kind, content_type, ..
    } = document.name;
    let name = format!("kyc-{}-{}.{}", id.0, kind.as_str(), content_type.ending());
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, content_type.as_str()))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"))
        .body(content.to_vec()))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycDecision)]
struct DecidedView {
    id: i64,
    #[schema(schema_with = words::kyc_status)]
    kyc_status: &'static str,
}

/// `POST /admin/kyc/applications/{applicationId}/accept`: `{note?}` → 200 `{id, kycStatus}`.
pub(super) async fn accept(call: OperatorCall<DecideKyc>) -> Result<HttpResponse, Error> {
    decide(call, KycStatus::Accepted).await
}

/// `POST /admin/kyc/applications/{applicationId}/reject`: `{reasonCode, message?, note?}` → 200 `{id, kycStatus}`. The applicant
/// is told reason and message, but not of a suspicion; the note is for operators.
pub(super) async fn reject(call: OperatorCall<DecideKyc>) -> Result<HttpResponse, Error> {
    decide(call, KycStatus::Rejected).await
}

async fn decide(mut call: OperatorCall<DecideKyc>, status: KycStatus) -> Result<HttpResponse, Error> {
    let (mut fields, request) = call.fields().await?;
    let note = fields.optional_text("note", |text| {
        if is_line(text, 128) {
            Ok(text.to_owned())
        } else {
            Err(NOT_A_NOTE)
        }
    });
    let is_rejection = status == KycStatus::Rejected;
    if is_rejection && !fields.has("reasonCode") {
        fields.refuse("reasonCode", REQUIRED);
    }
    let rejection = optional_rejection(&mut fields, is_rejection);
    let rejection = fields.finish(|| Some(rejection))?;
    let decision = OperatorDecision {
        application: ApplicationId(call.number("applicationId")?),
        status,
        note,
        rejection,
    };
    let shown = |status: KycStatus| {
        let view = DecidedView {
            id: decision.application.0,
            kyc_status: status.as_str(),
        };
        json(StatusCode::OK, &view)
    };
    let request = call.scoped(request);
    let by = (call.operator(), &call.stamp());
    send(decide_kyc(call.services(), &request, by, &decision, shown).await?)
}

fn example() -> Value {
    literal!({
        "id": 1077, "customerId": 1001, "partner": "acme", "status": "IN_PROGRESS", "source": "USER",
        "submittedAt": "2026-11-26T21:30:00Z",
    })
}

/// Of `GET /admin/kyc/applications`.
pub(super) fn list_doc() -> Doc {
    Doc::new(Tag::Kyc, "List applications that wait")
        .says("For a decision, oldest first.")
        .answers_page::<ApplicationView>("A page of applications.", example())
}

/// Of `GET /admin/kyc/applications/{applicationId}`.
pub(super) fn get_doc() -> Doc {
    let mut whole = example();
    if let Some(whole) = whole.as_object_mut() {
        whole.insert("data".to_owned(), literal!({ "lastName": "Nowak-Kowalski" }));
        whole.insert("customer".to_owned(), examples::profile());
        whole.insert("documents".to_owned(), literal!([examples::kyc_document()]));
    }
    Doc::new(Tag::Kyc, "Get an application")
        .says("With the data that was filed, and the customer as registered.")
        .answers::<WholeView>(200, "The application.", whole)
}

/// Of `GET /admin/kyc/applications/{applicationId}/documents/{documentId}`.
pub(super) fn document_doc() -> Doc {
    Doc::new(Tag::Kyc, "Get a document of an application")
        .says("The document itself, to be saved. The look is in the trail before it is shown.")
        .answers_bytes(200, "The document.", MEDIA_TYPES)
        .errors(&[Code::Busy])
}

/// Of `POST /admin/kyc/applications/{applicationId}/accept` and `/reject`.
pub(super) fn decide_doc(accepts: bool) -> Doc {
    let (summary, says, answer, status) = match accepts {
        true => (
            "Accept an application",
            "A balance in the program's currency comes by itself.",
            "Accepted.",
            "ACCEPTED",
        ),
        false => (
            "Reject an application",
            "The user may apply again. Reason and message are told to the applicant, but not a suspicion; the note is for operators.",
            "Rejected.",
            "REJECTED",
        ),
    };
    let [reason, message] = rejection_members();
    let members = match accepts {
        true => Vec::new(),
        false => vec![reason.must_be_there(), message],
    };
    Doc::new(Tag::Kyc, summary)
        .says(says)
        .body(
            members
                .into_iter()
                .chain([optional("note", line(128, "Passport checked."))]),
        )
        .answers::<DecidedView>(200, answer, literal!({ "id": 1077, "kycStatus": status }))
        .errors(&[Code::KycDecided])
}
