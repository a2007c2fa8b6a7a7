//! A user's devices, on every channel: what they are called, what their keys may do, and how a lost one is put out.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use shared::thumbprint::Thumbprint;
use shared::vault_api::holders::KeyState;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::answer::send_json;
use super::caller::Customer;
use super::doc::{Doc, Tag, examples, words};
use super::page::Page;
use crate::domain::installation::InstallationId;
use crate::error::Error;
use crate::flows::list_installations::{Device, list_installations};
use crate::flows::revoke_installation::revoke_installation;

/// An installation as it is listed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Installation)]
pub(super) struct InstallationView {
    id: i64,
    device_name: Option<String>,
    /// Whether it can log in.
    #[schema(schema_with = words::installation_state)]
    state: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// Whether the caller's session is this installation's; on the user's own channel only.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<bool>,
    holder_key: KeyView,
}

/// The key that signs the holder's proofs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeviceKey)]
struct KeyView {
    /// RFC 7638.
    #[schema(value_type = String)]
    thumbprint: Thumbprint,
    /// `UNKNOWN` while the vault cannot be asked.
    #[schema(schema_with = words::key_state)]
    state: &'static str,
    /// When a pending key matures by itself.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    matures_at: Option<OffsetDateTime>,
}

impl InstallationView {
    /// A device, seen from the installation `current`.
    pub(super) fn of(device: Device, current: Option<InstallationId>) -> Self {
        let Device {
            listed,
            thumbprint,
            key,
        } = device;
        let state = match key.as_ref().map(|key| key.state) {
            None => "UNKNOWN",
            Some(KeyState::Active) => "ACTIVE",
            Some(KeyState::Pending) => "PENDING",
            Some(KeyState::Revoked) => "REVOKED",
        };
        Self {
            id: listed.id.0,
            current: current.map(|current| current == listed.id),
            device_name: listed.device_name,
            state: listed.state,
            created_at: listed.created_at,
            holder_key: KeyView {
                thumbprint,
                state,
                matures_at: key.and_then(|key| key.matures_at),
            },
        }
    }
}

/// `GET …/installations` → 200, revoked ones among them. `current` is the installation of the caller's session.
pub(super) async fn list(customer: Customer, current: Option<InstallationId>) -> Result<HttpResponse, Error> {
    let services = customer.services();
    let page = Page::of_query(customer.query(), services.config.limits.page_items)?;
    let rows = list_installations(services, &customer.user, page.after, page.rows()).await?;
    let listed = page.of_rows(
        rows,
        |device| device.listed.id.0,
        |device| Ok(InstallationView::of(device, current)),
    )?;
    send_json(StatusCode::OK, &listed)
}

/// `DELETE …/installations/{installationId}` → 204. Sessions end at once; the key, active or pending, is revoked.
pub(super) async fn revoke(customer: Customer) -> Result<HttpResponse, Error> {
    let id = InstallationId(customer.number("installationId")?);
    revoke_installation(customer.services(), &customer.user, id, customer.stamp.as_ref()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Of `GET …/installations`.
pub(super) fn list_doc() -> Doc {
    Doc::new(Tag::Users, "List a user's devices")
        .says(
            "Revoked ones among them. A key that is `PENDING` came in on no evidence but the activation code: who does not know \
             the device revokes it before the key matures. While the vault is away the keys' states are `UNKNOWN`.",
        )
        .answers_page::<InstallationView>("A page of installations, oldest first.", examples::installation())
}

/// Of `DELETE …/installations/{installationId}`.
pub(super) fn revoke_doc() -> Doc {
    Doc::new(Tag::Users, "Put a device out")
        .says("Its sessions end, and the vault takes no proof of its key any more, be it active or pending. Repeating it is harmless.")
        .answers_nothing(204, "The installation is revoked.")
}
