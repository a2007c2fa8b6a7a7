//! `GET …/reveals`: who saw a user's cards, when, and by which key (row 26).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use shared::vault_api::Channel;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{CardCall, card, settle};
use crate::domain::card::CardId;
use crate::domain::number::parse_number;
use crate::domain::operator::marker::ViewReveals;
use crate::error::{Code, Error};
use crate::flows::reveals::{Of, Seen, SeenBy, reveals};
use crate::http::answer::send_json;
use crate::http::doc::shape::optional;
use crate::http::doc::{Doc, Tag, words};
use crate::http::operator::OperatorCall;
use crate::http::page::Page;

/// Largest page: each item is an event that the vault reads and opens.
const PAGE_MAX: u32 = 100;

/// One answer with card data that left the vault.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct RevealView {
    /// The index of its event in the vault's audit log, by which an auditor proves it.
    audit_index: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: OffsetDateTime,
    token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_id: Option<i64>,
    /// `REVEAL`, `ISSUE`, `RESET_CVV`, …
    operation: String,
    /// `USER`, `PARTNER` or `OFFICERS`.
    proven_by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_thumbprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    installation_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    channel: Option<Channel>,
}

impl From<Seen> for RevealView {
    fn from(seen: Seen) -> Self {
        let mut view = Self {
            audit_index: seen.audit_index,
            at: seen.at,
            token: seen.token.to_string(),
            card_id: seen.card.map(|card| card.0),
            operation: seen.operation.replace('-', "_").to_uppercase(),
            proven_by: "OFFICERS",
            key_thumbprint: None,
            installation_id: None,
            device_name: None,
            partner: None,
            channel: seen.channel,
        };
        match seen.by {
            SeenBy::User { key, device } => {
                view.proven_by = "USER";
                view.key_thumbprint = Some(key.to_string());
                view.installation_id = device.as_ref().map(|device| device.installation.0);
                view.device_name = device.and_then(|device| device.name);
            }
            SeenBy::Partner(partner) => {
                view.proven_by = "PARTNER";
                view.partner = Some(partner);
            }
            SeenBy::Officers => {}
        }
        view
    }
}

fn page_max(configured: u32) -> u32 {
    configured.min(PAGE_MAX)
}

/// `GET /customers/me/reveals`, `GET /secure/customers/{customerId}/reveals` → 200, oldest first; `?cardId=` of one card.
pub(in crate::http) async fn of_user<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (call, caller) = settle(call).await?;
    let services = call.services();
    let most = page_max(services.config.limits.page_items);
    let (page, filters) = Page::of_filtered(call.query(), most, &["cardId"])?;
    let card = match filters.first() {
        Some((_, number)) => {
            let id = parse_number(number).ok_or(Code::NotFound)?;
            Some(caller.card(services, CardId(id)).await?)
        }
        None => None,
    };
    let of = card.as_ref().map_or(Of::Holder(&caller.user.holder), Of::Card);
    let seen = reveals(services, &caller.user, of, page.after, page.rows()).await?;
    let listed = page.of_rows(seen, |seen| seen.audit_index, |seen| Ok(RevealView::from(seen)))?;
    send_json(StatusCode::OK, &listed)
}

/// `GET /admin/cards/{cardId}/reveals` → 200, oldest first.
pub(in crate::http) async fn of_card(call: OperatorCall<ViewReveals>) -> Result<HttpResponse, Error> {
    let (call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    let services = call.services();
    let page = Page::of_query(call.query(), page_max(services.config.limits.page_items))?;
    let seen = reveals(services, &caller.user, Of::Card(&card), page.after, page.rows()).await?;
    let listed = page.of_rows(seen, |seen| seen.audit_index, |seen| Ok(RevealView::from(seen)))?;
    send_json(StatusCode::OK, &listed)
}

fn example() -> Value {
    json!({
        "auditIndex": 4711, "at": "2026-11-26T09:30:00Z", "token": "crd_abcdefghijklmnopqrstuvwxyz", "cardId": 1125,
        "operation": "REVEAL", "provenBy": "USER", "keyThumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        "installationId": 1007, "deviceName": "Ada's phone", "channel": "customers"
    })
}

fn described(summary: &'static str) -> Doc {
    Doc::new(Tag::Cards, summary)
        .says(
            "Every answer with card data that left the vault, with the key that proved that it may: the vault's audit log, \
             relayed. `auditIndex` is where an auditor finds the event and proves it; the answer itself carried the same \
             number in `Audit-Index`.",
        )
        .asks_vault()
        .answers_page::<RevealView>("A page, oldest first.", example())
}

/// Of `GET …/reveals`.
pub(in crate::http) fn of_user_doc() -> Doc {
    described("Who saw the cards")
        .query(optional("cardId", words::id().saying("Of this card alone.")))
        .errors(&[Code::NotFound])
}

/// Of `GET /admin/cards/{cardId}/reveals`.
pub(in crate::http) fn of_card_doc() -> Doc {
    described("Who saw a card")
}
