//! `/admin/kyc/applications…`: an Admin reads applications and decides them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::domain::kyc::KycStatus;
use crate::domain::operator::marker::DecideKyc;
use crate::domain::rule::Rule;
use crate::domain::text::is_line;
use crate::error::{Code, Error};
use crate::flows::decide_kyc::{OperatorDecision, decide_kyc};
use crate::flows::operators::note_view::note_view;
use crate::http::answer::{json, send, send_json};
use crate::http::operator::OperatorCall;
use crate::http::page::Page;
use crate::http::profile::ProfileView;
use crate::store::kyc_applications::{self, Application, ApplicationId};
use crate::store::users;

const NOT_A_NOTE: Rule = Rule {
    code: "NOT_A_NOTE",
    message: "Must be 1 to 128 characters on one line.",
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApplicationView<'a> {
    id: i64,
    customer_id: i64,
    partner: &'a str,
    status: &'static str,
    source: &'a str,
    #[serde(with = "time::serde::rfc3339")]
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WholeView<'a> {
    #[serde(flatten)]
    application: ApplicationView<'a>,
    /// What was filed: what is to be used instead of what the customer was registered with.
    data: Value,
    customer: ProfileView<'a>,
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
    let status = kyc_applications::decision(&mut read, &application).await?;
    drop(read);
    let stamp = call
        .stamp()
        .named("VIEW_KYC_APPLICATION")
        .about_user(&profile.user);
    note_view(services, &stamp).await?;
    let data: Value =
        serde_json::from_str(&application.data).map_err(|_| Error::internal("an application is not JSON"))?;
    let view = WholeView {
        application: ApplicationView::of(&application, status.unwrap_or(KycStatus::InProgress)),
        data,
        customer: ProfileView::of(&profile),
    };
    send_json(StatusCode::OK, &view)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DecidedView {
    id: i64,
    kyc_status: &'static str,
}

/// `POST /admin/kyc/applications/{applicationId}/accept`: `{note?}` → 200 `{id, kycStatus}`.
pub(super) async fn accept(call: OperatorCall<DecideKyc>) -> Result<HttpResponse, Error> {
    decide(call, KycStatus::Accepted).await
}

/// `POST /admin/kyc/applications/{applicationId}/reject`: `{note?}` → 200 `{id, kycStatus}`.
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
    fields.finish(|| Some(()))?;
    let decision = OperatorDecision {
        application: ApplicationId(call.number("applicationId")?),
        status,
        note,
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
