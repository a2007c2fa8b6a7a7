//! `/admin/customers/{customerId}/installations…`: a customer's apps, and what an operator does when a phone is lost.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::installation::InstallationId;
use crate::domain::operator::marker::{RevokeInstallation, ViewInstallations};
use crate::error::Error;
use crate::flows::revoke_installation::revoke_installation;
use crate::http::answer::send_json;
use crate::http::doc::{Doc, Tag};
use crate::http::operator::OperatorCall;
use crate::http::page::Page;
use crate::store::installations::{self, Listed};
use serde_json::json;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Installation)]
struct InstallationView {
    id: i64,
    device_name: Option<String>,
    state: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
}

impl From<Listed> for InstallationView {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id.0,
            device_name: listed.device_name,
            state: listed.state,
            created_at: listed.created_at,
        }
    }
}

/// `GET /admin/customers/{customerId}/installations` → 200, revoked ones among them.
pub(super) async fn list(call: OperatorCall<ViewInstallations>) -> Result<HttpResponse, Error> {
    let customer = call.into_customer().await?;
    let services = customer.services();
    let page = Page::of_query(customer.query(), services.config.limits.page_items)?;
    let mut read = services.db.read().await?;
    let rows = installations::of_user(&mut read, customer.user.id, page.after, page.rows()).await?;
    let listed = page.of_rows(rows, |row| row.id.0, |row| Ok(InstallationView::from(row)))?;
    send_json(StatusCode::OK, &listed)
}

/// `DELETE /admin/customers/{customerId}/installations/{installationId}` → 204.
pub(super) async fn revoke(call: OperatorCall<RevokeInstallation>) -> Result<HttpResponse, Error> {
    let customer = call.into_customer().await?;
    let id = InstallationId(customer.number("installationId")?);
    let (services, user) = (customer.services(), customer.user.id);
    revoke_installation(services, user, id, customer.stamp.as_ref()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Of `GET /admin/customers/{customerId}/installations`.
pub(super) fn list_doc() -> Doc {
    let example = json!({ "id": 1031, "deviceName": "Jan's phone", "state": "ACTIVE", "createdAt": "2026-11-26T21:30:00Z" });
    Doc::new(Tag::Users, "List a customer's installations")
        .says("Revoked ones among them.")
        .answers_page::<InstallationView>("A page of installations, oldest first.", example)
}

/// Of `DELETE /admin/customers/{customerId}/installations/{installationId}`.
pub(super) fn revoke_doc() -> Doc {
    Doc::new(Tag::Users, "Revoke an installation")
        .says("For a lost phone: its sessions end, and the vault takes no more proofs of its key.")
        .answers_nothing(204, "The installation is revoked.")
}
