//! Partner balances as they are shown, and a partner's own doors to them. The operators' are `admin::partner_balances`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json as literal};
use utoipa::ToSchema;

use super::answer::{json, send, send_json};
use super::balances::currency;
use super::caller::PartnerCall;
use super::doc::shape::{one_of, required};
use super::doc::{Doc, Tag, words};
use super::page::Page;
use crate::domain::ledger::{AccountKind, LowLevel, Watch};
use crate::domain::operator::Scope;
use crate::domain::partner_balance::PartnerBalance;
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::partner_balances::create::{NewPartnerBalance, create as run_create};
use crate::store::partner_balances;

const NOT_A_KIND: Rule = Rule {
    code: "NOT_A_KIND",
    message: "Must be CREDIT or DEPOSIT.",
};

/// A partner balance.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PartnerBalance)]
pub(super) struct PartnerBalanceView<'a> {
    id: i64,
    /// CREDIT where the operator holds the users' balances, DEPOSIT where the partner does; for the platform also COMPANY.
    #[schema(schema_with = words::partner_balance_kind)]
    kind: &'static str,
    partner: &'a str,
    /// Of COMPANY: whose differences it pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<&'a str>,
    #[schema(example = "EUR")]
    currency: &'static str,
    /// LOCKED: no authorisation of the partner's users passes in this currency.
    #[schema(schema_with = words::partner_balance_state)]
    state: &'static str,
    /// Paid in less paid out, in minor units; below zero only for COMPANY.
    value: i64,
    /// The value less what authorisations hold.
    available: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    low_level: Option<LowLevelView>,
}

/// When the partner is told that it runs low.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LowLevel)]
struct LowLevelView {
    /// Below this the partner is told, in minor units.
    level: i64,
    /// Only above this it is watched anew, in minor units.
    rearm_level: i64,
    /// Whether it was told and not risen since.
    is_low: bool,
}

impl<'a> PartnerBalanceView<'a> {
    /// A partner balance.
    pub(super) fn of(balance: &'a PartnerBalance) -> Result<Self, Error> {
        let overflow = || Error::internal("a partner balance's sums overflow");
        let low_level = |level: LowLevel| LowLevelView {
            level: level.level(),
            rearm_level: level.rearm(),
            is_low: balance.watch == Watch::Low,
        };
        Ok(Self {
            id: balance.id.0,
            kind: balance.kind.as_str(),
            partner: balance.partner.as_str(),
            program: balance.program.as_ref().map(|program| program.as_str()),
            currency: balance.currency.code(),
            state: balance.state.as_str(),
            value: balance.sums.value().ok_or_else(overflow)?,
            available: balance.sums.available().ok_or_else(overflow)?,
            low_level: balance.low_level.map(low_level),
        })
    }
}

/// CREDIT or DEPOSIT, as it stands in a request.
pub(super) fn kind(text: &str) -> Result<AccountKind, Rule> {
    AccountKind::from_name(text)
        .filter(|kind| kind.limits_a_partner())
        .ok_or(NOT_A_KIND)
}

/// `GET /secure/partner-balances` → 200: the partner's own.
pub(super) async fn list(call: PartnerCall) -> Result<HttpResponse, Error> {
    let services = call.services();
    let page = Page::of_query(call.query(), services.config.limits.page_items)?;
    send_json(
        StatusCode::OK,
        &listed(&call, &Scope::Partner(call.partner().clone()), page).await?,
    )
}

/// A page of those within a scope.
pub(super) async fn listed(
    call: &super::call::Call,
    scope: &Scope,
    page: Page,
) -> Result<super::page::Listed<Value>, Error> {
    let mut read = call.services().db.read().await?;
    let rows = partner_balances::list(&mut read, scope, page.after, page.rows()).await?;
    page.of_rows(
        rows,
        |row| row.id.0,
        |row| {
            serde_json::to_value(PartnerBalanceView::of(&row)?)
                .map_err(|_| Error::internal("a partner balance cannot be written"))
        },
    )
}

/// `POST /secure/partner-balances`: `{kind, currency}` → 201, where a program of the partner allows it.
pub(super) async fn create(mut call: PartnerCall) -> Result<HttpResponse, Error> {
    let partner = call.partner().clone();
    let own = |program: &&crate::config::Program| program.partner == partner;
    let allowed = {
        let mut programs = call.services().config.programs.iter().filter(own);
        programs.any(|program| program.partners_create_balances)
    };
    if !allowed {
        return Err(Code::NotOffered.into());
    }
    let (mut fields, request) = call.fields().await?;
    let request = call.scoped(request);
    let kind = fields.text("kind", kind);
    let currency = fields.text("currency", currency);
    let services = call.services();
    let program = services
        .config
        .default_program(&partner)
        .ok_or(Code::NotAPartner)?;
    let new = fields.finish(|| {
        Some(NewPartnerBalance {
            partner: partner.clone(),
            program: program.name.clone(),
            kind: kind?,
            currency: currency?,
        })
    })?;
    let shown = |balance: &PartnerBalance| json(StatusCode::CREATED, &PartnerBalanceView::of(balance)?);
    send(run_create(services, &request, None, &new, shown).await?)
}

/// A partner balance, for documents.
pub(super) fn example() -> Value {
    literal!({
        "id": 1003, "kind": "CREDIT", "partner": "acme", "currency": "EUR", "state": "ACTIVE", "value": 5_000_000,
        "available": 4_987_500, "lowLevel": { "level": 1_000_000, "rearmLevel": 1_500_000, "isLow": false },
    })
}

/// The example, new.
pub(super) fn empty_example() -> Value {
    literal!({
        "id": 1003, "kind": "CREDIT", "partner": "acme", "currency": "EUR", "state": "ACTIVE", "value": 0, "available": 0,
    })
}

/// Of `GET /secure/partner-balances`.
pub(super) fn list_doc() -> Doc {
    Doc::new(Tag::PartnerBalances, "List the partner's balances")
        .says("What limits all transactions of the partner's users together, in each currency.")
        .answers_page::<PartnerBalanceView>("A page of partner balances.", example())
}

/// Of `POST /secure/partner-balances`.
pub(super) fn create_doc() -> Doc {
    Doc::new(Tag::PartnerBalances, "Create a partner balance")
        .says("Where a program of the partner allows it. A partner has a credit or a deposit balance in a currency, never both.")
        .body([
            required("kind", one_of(["CREDIT", "DEPOSIT"])),
            required("currency", words::currency()),
        ])
        .answers::<PartnerBalanceView>(201, "The balance, empty.", empty_example())
        .errors(&[Code::NotOffered, Code::PartnerBalanceExists])
}
