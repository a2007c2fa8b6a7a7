//! `GET /admin/audit`: what operators did, in the order in which they did it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::operator::marker::ReadAudit;
use crate::error::Error;
use crate::flows::operators::note_view::note_view;
use crate::http::answer::send_json;
use crate::http::doc::{Doc, Tag};
use crate::http::operator::OperatorCall;
use crate::http::page::Page;
use crate::store::audit::{self, Entry};
use serde_json::json;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
struct EntryView {
    id: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: OffsetDateTime,
    /// None: the command line of the machine.
    operator_id: Option<i64>,
    login: Option<String>,
    role: Option<String>,
    action: String,
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about_operator_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            operator_id: entry.operator.map(|operator| operator.0),
            login: entry.login,
            role: entry.role,
            action: entry.action,
            outcome: entry.outcome,
            partner: entry.partner,
            customer_id: entry.user.map(|user| user.0),
            card_id: entry.card.map(|card| card.0),
            about_operator_id: entry.about_operator.map(|operator| operator.0),
            detail: entry.detail,
            trace_id: entry.trace,
        }
    }
}

/// `GET /admin/audit` → 200. A partner's Admin reads what concerns the partner.
pub(super) async fn list(call: OperatorCall<ReadAudit>) -> Result<HttpResponse, Error> {
    let services = call.services();
    let page = Page::of_query(call.query(), services.config.limits.page_items)?;
    note_view(services, &call.stamp()).await?;
    let mut read = services.db.read().await?;
    let rows = audit::list(&mut read, &call.operator().scope, page.after, page.rows()).await?;
    let listed = page.of_rows(rows, |row| row.id, |row| Ok(EntryView::from(row)))?;
    send_json(StatusCode::OK, &listed)
}

/// Of `GET /admin/audit`.
pub(super) fn doc() -> Doc {
    let example = json!({
        "id": 1200, "at": "2026-11-26T21:31:00Z", "operatorId": 1003, "login": "admin@example.com", "role": "ADMIN",
        "action": "LOCK_CARD", "outcome": "DONE", "partner": "acme", "customerId": 1001, "cardId": 1125,
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
    });
    Doc::new(Tag::Audit, "What operators did")
        .says("In the order in which they did it. A partner's Admin reads what concerns the partner. Reading the trail is in the trail.")
        .answers_page::<EntryView>("A page of the trail, oldest first.", example)
}
