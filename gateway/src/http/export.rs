//! Everything that is held about a user, as one JSON document: for the user and for the partner.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::answer::send_json;
use super::balances::BalanceView;
use super::caller::Customer;
use super::doc::{Doc, Tag, examples, words};
use super::installations::InstallationView;
use super::kyc_documents::DocumentView;
use super::profile::ProfileView;
use super::transactions::{TransactionView, reload_example};
use crate::domain::card::MaskedCard;
use crate::error::Error;
use crate::flows::users::export::{Everything, export_user};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UserExport)]
struct ExportView<'a> {
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    exported_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    registered_at: OffsetDateTime,
    partner: &'a str,
    program: &'a str,
    user: ProfileView<'a>,
    kyc: Vec<KycView<'a>>,
    documents: Vec<DocumentView>,
    balances: Vec<BalanceView>,
    #[schema(value_type = Vec<MaskedCard>)]
    cards: Vec<Value>,
    transactions: Vec<TransactionView<'a>>,
    installations: Vec<InstallationView>,
    events: Vec<EventView<'a>>,
    exports: Vec<GivenView<'a>>,
    /// Lists that have more than is given here.
    #[schema(value_type = Vec<String>)]
    truncated: &'a [&'static str],
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycEntry)]
struct KycView<'a> {
    #[schema(schema_with = words::kyc_status)]
    status: &'a str,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    application: Option<&'a Value>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: OffsetDateTime,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ToldEvent)]
struct EventView<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_id: Option<i64>,
    #[schema(value_type = Object)]
    data: &'a Value,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: OffsetDateTime,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = GivenExport)]
struct GivenView<'a> {
    asked_by: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: OffsetDateTime,
}

/// `GET …/export` → 200.
pub(super) async fn get(customer: Customer) -> Result<HttpResponse, Error> {
    let (services, trace) = (customer.services(), customer.trace().to_string());
    let mut all = export_user(services, &customer.user, customer.party, &trace).await?;
    let rules = customer.card_caller()?.rules;
    let balances = all
        .balances
        .iter()
        .map(|balance| BalanceView::of(balance, &[], customer.party, rules))
        .collect::<Result<_, _>>()?;
    let cards = all
        .cards
        .iter()
        .map(|card| serde_json::to_value(MaskedCard::of(card, customer.party, rules)))
        .collect::<Result<_, _>>()
        .map_err(|_| Error::internal("a card cannot be written"))?;
    let devices = std::mem::take(&mut all.devices);
    let installations = devices
        .into_iter()
        .map(|device| InstallationView::of(device, None))
        .collect();
    send_json(StatusCode::OK, &view(&all, balances, cards, installations))
}

fn view(
    all: &Everything,
    balances: Vec<BalanceView>,
    cards: Vec<Value>,
    installations: Vec<InstallationView>,
) -> ExportView<'_> {
    let kyc = all.kyc.iter().map(|entry| KycView {
        status: &entry.status,
        source: &entry.source,
        provider: entry.provider.as_deref(),
        reference: entry.reference.as_deref(),
        application: entry.application.as_ref(),
        at: entry.at,
    });
    let events = all.events.iter().map(|event| EventView {
        kind: &event.kind,
        card_id: event.card,
        data: &event.data,
        at: event.at,
    });
    let exports = all.exports.iter().map(|export| GivenView {
        asked_by: &export.asked_by,
        at: export.at,
    });
    ExportView {
        exported_at: all.at,
        registered_at: all.registered_at,
        partner: all.profile.user.partner.as_str(),
        program: all.profile.user.program.as_str(),
        user: ProfileView::of(&all.profile),
        kyc: kyc.collect(),
        documents: all.documents.iter().map(DocumentView::of).collect(),
        balances,
        cards,
        transactions: all.transactions.iter().map(TransactionView::of).collect(),
        installations,
        events: events.collect(),
        exports: exports.collect(),
        truncated: &all.truncated,
    }
}

/// Of `GET …/export`.
pub(super) fn doc() -> Doc {
    let at = "2026-11-26T21:30:00Z";
    let example = json!({
        "exportedAt": at, "registeredAt": at, "partner": "acme", "program": "acme-debit", "user": examples::profile(),
        "kyc": [{ "status": "ACCEPTED", "source": "PARTNER_PROCESS", "provider": "acme-onboarding",
            "reference": "case-2026-000123", "at": at }],
        "documents": [examples::kyc_document()], "balances": [examples::balance()], "cards": [examples::masked_card()],
        "transactions": [reload_example()],
        "installations": [examples::installation()], "events": [{ "kind": "user.created", "data": {}, "at": at }],
        "exports": [{ "askedBy": "PARTNER", "at": at }], "truncated": [],
    });
    Doc::new(Tag::Users, "Export everything about a user")
        .says(
            "Everything that is held about the user, in one document; of cards the masked number. At most 10 000 entries of a \
             kind: `truncated` names the lists that have more. Each export is written down, and the next one tells of it.",
        )
        .answers::<ExportView>(200, "The export.", example)
}
