//! Transactions, on every channel: the transfers of the ledger that are a user's own, newest first.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::answer::send_json;
use super::caller::Customer;
use super::doc::shape::optional;
use super::doc::{Doc, Tag, words};
use super::page::Page;
use crate::domain::balance::BalanceId;
use crate::domain::card::CardId;
use crate::domain::ledger::Merchant;
use crate::domain::number::parse_number;
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::store::ledger::transfers::{self, Filter, Transaction};
use crate::store::{balances, cards};

/// By what transactions are looked for.
const FILTERS: [&str; 2] = ["balanceId", "cardId"];

const NOT_AN_ID: Rule = Rule {
    code: "NOT_AN_ID",
    message: "Must be an id.",
};

/// A transaction as it is shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Transaction)]
pub(super) struct TransactionView<'a> {
    id: i64,
    /// What for.
    #[schema(schema_with = words::transaction_kind)]
    kind: &'static str,
    /// PENDING: the money is held. VOIDED and EXPIRED: it is free again.
    #[schema(schema_with = words::transaction_state)]
    state: &'static str,
    /// Minor units; which way the money goes is the kind's to say.
    amount: i64,
    #[schema(example = "EUR")]
    currency: &'static str,
    balance_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_id: Option<i64>,
    /// The authorisation that it clears, reverses or refunds.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorisation_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant: Option<MerchantView<'a>>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    posted_at: Option<OffsetDateTime>,
    /// Until when the money is held, while it is.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<OffsetDateTime>,
}

/// A merchant as it is shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Merchant)]
struct MerchantView<'a> {
    name: &'a str,
    /// Merchant category code, ISO 18245.
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    /// ISO 3166-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
}

impl<'a> TransactionView<'a> {
    /// A transaction.
    pub(super) fn of(transaction: &'a Transaction) -> Self {
        let merchant = |merchant: &'a Merchant| MerchantView {
            name: merchant.name(),
            category: merchant.category(),
            country: merchant.country(),
        };
        Self {
            id: transaction.id.0,
            kind: transaction.kind.as_str(),
            state: transaction.state.as_str(),
            amount: transaction.amount.minor(),
            currency: transaction.currency.code(),
            balance_id: transaction.balance.0,
            card_id: transaction.card.map(|card| card.0),
            authorisation_id: transaction.authorisation.map(|id| id.0),
            reference: transaction.reference.as_deref(),
            merchant: transaction.merchant.as_ref().map(merchant),
            created_at: transaction.created_at,
            posted_at: transaction.posted_at,
            expires_at: transaction.expires_at,
        }
    }
}

/// `GET …/transactions?balanceId=&cardId=` → 200, newest first. Where the path names a balance or a card, it is that one's; what is
/// named and not the customer's is 404.
pub(super) async fn list(customer: Customer) -> Result<HttpResponse, Error> {
    let services = customer.services();
    let (page, given) = Page::of_filtered(customer.query(), services.config.limits.page_items, &FILTERS)?;
    let mut filter = Filter::default();
    for (name, value) in given {
        let id = parse_number(&value).ok_or(NOT_AN_ID);
        let id = id.map_err(|rule| refused(name, rule))?;
        match name {
            "balanceId" => filter.balance = Some(BalanceId(id)),
            _ => filter.card = Some(CardId(id)),
        }
    }
    let (balance_in_path, card_in_path) = (customer.has("balanceId"), customer.has("cardId"));
    if balance_in_path && filter.balance.is_some() || card_in_path && filter.card.is_some() {
        return Err(refused("query", NAMED_ALREADY));
    }
    if balance_in_path {
        filter.balance = Some(BalanceId(customer.number("balanceId")?));
    }
    if card_in_path {
        filter.card = Some(CardId(customer.number("cardId")?));
    }
    let user = customer.user.id;
    let mut read = services.db.read().await?;
    if let Some(balance) = filter.balance {
        balances::find(&mut read, user, balance)
            .await?
            .ok_or(Code::NotFound)?;
    }
    if let Some(card) = filter.card {
        cards::find(&mut read, user, card).await?.ok_or(Code::NotFound)?;
    }
    let rows = transfers::of_user(&mut read, user, filter, page.after, page.rows()).await?;
    let listed = page.of_rows(
        rows,
        |row| row.id.0,
        |row| {
            serde_json::to_value(TransactionView::of(&row))
                .map_err(|_| Error::internal("a transaction cannot be written"))
        },
    )?;
    send_json(StatusCode::OK, &listed)
}

const NAMED_ALREADY: Rule = Rule {
    code: "UNKNOWN_PARAMETER",
    message: "The path names it already.",
};

fn refused(field: &'static str, rule: Rule) -> Error {
    Error::invalid(vec![shared::problem::FieldError {
        field: field.into(),
        code: rule.code.into(),
        message: rule.message.into(),
    }])
}

/// A reload, for documents.
pub(super) fn reload_example() -> Value {
    json!({
        "id": 1207, "kind": "RELOAD", "state": "POSTED", "amount": 12_500, "currency": "EUR", "balanceId": 1042,
        "reference": "salary 2026-11", "createdAt": "2026-11-26T21:31:00Z", "postedAt": "2026-11-26T21:31:00Z",
    })
}

/// Of `GET …/transactions`.
pub(super) fn list_doc() -> Doc {
    doc()
        .query(optional("balanceId", words::id()))
        .query(optional("cardId", words::id()))
}

/// Of `GET /admin/balances/{balanceId}/transactions`.
pub(super) fn of_balance_doc() -> Doc {
    doc().query(optional("cardId", words::id()))
}

/// Of `GET /admin/cards/{cardId}/transactions`.
pub(super) fn of_card_doc() -> Doc {
    doc().query(optional("balanceId", words::id()))
}

fn doc() -> Doc {
    let example = json!({
        "id": 1311, "kind": "CLEARING", "state": "POSTED", "amount": 499, "currency": "EUR", "balanceId": 1042,
        "cardId": 1125, "authorisationId": 1298, "reference": "auth 204817",
        "merchant": { "name": "Corner Shop", "category": "5411", "country": "PL" },
        "createdAt": "2026-11-26T21:31:00Z", "postedAt": "2026-11-26T21:31:00Z",
    });
    Doc::new(Tag::Balances, "Transactions, newest first")
        .says(
            "What moved money on the user's balances, from the ledger. RELOAD and REFUND bring money in; AUTHORISATION holds it, \
             CLEARING takes it, REVERSAL frees it, each of the last two with the `authorisationId` of the first. The cursor goes \
             from newer to older.",
        )
        .answers_page::<TransactionView>("A page of transactions.", example)
        .errors(&[Code::NotFound])
}
