//! `/admin/partner-balances…`: an Admin and what limits partners. Money comes in under four eyes, and by the platform's Admins
//! alone; a partner's Admin looks at the partner's own and sets the level below which the partner is told.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json as literal};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::domain::ledger::{Amount, BankReference, LowLevel};
use crate::domain::operator::marker::ManagePartnerBalances;
use crate::domain::partner_balance::{
    PartnerBalance, PartnerBalanceId, PartnerBalanceState, PartnerReload, PartnerReloadId,
};
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::operators::note_view::note_view;
use crate::flows::partner_balances::create::{NewPartnerBalance, create as run_create};
use crate::flows::partner_balances::decide_reload::{Decision, decide_reload};
use crate::flows::partner_balances::only_platform;
use crate::flows::partner_balances::propose_reload::{SeenTransfer, propose_reload};
use crate::flows::partner_balances::set_low_level::set_low_level;
use crate::flows::partner_balances::set_state::set_state;
use crate::http::answer::{json, send, send_json};
use crate::http::balances::currency;
use crate::http::body::Fields;
use crate::http::doc::shape::{amount, line, one_of, optional, pattern, required};
use crate::http::doc::{Doc, Tag, words};
use crate::http::operator::OperatorCall;
use crate::http::page::Page;
use crate::http::partner_balances::{PartnerBalanceView, empty_example, example, kind, listed};
use crate::store::{partner_balances, partner_reloads};

const NOT_A_PARTNER: Rule = Rule {
    code: "NOT_A_PARTNER",
    message: "Must be the name of a partner that has a program.",
};
const NOT_A_LEVEL: Rule = Rule {
    code: "OUT_OF_RANGE",
    message: "Must be a positive amount in minor units, rearmLevel not below level; leave out both to be told nothing.",
};

type Managing = OperatorCall<ManagePartnerBalances>;

/// A reload as Admins are shown it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PartnerReload)]
struct ReloadView<'a> {
    id: i64,
    partner_balance_id: i64,
    /// Minor units of the balance's currency.
    amount: i64,
    bank_reference: &'a str,
    #[schema(schema_with = words::reload_state)]
    state: &'static str,
    proposed_by: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<i64>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<OffsetDateTime>,
}

impl<'a> ReloadView<'a> {
    fn of(reload: &'a PartnerReload) -> Self {
        Self {
            id: reload.id.0,
            partner_balance_id: reload.balance.0,
            amount: reload.amount.minor(),
            bank_reference: &reload.bank_reference,
            state: reload.state.as_str(),
            proposed_by: reload.proposed_by.0,
            decided_by: reload.decided_by.map(|by| by.0),
            created_at: reload.created_at,
            decided_at: reload.decided_at,
        }
    }
}

/// A reload, and the balance once it was decided.
#[derive(Serialize, ToSchema)]
#[schema(as = DecidedReload)]
struct DecidedView<'a> {
    reload: ReloadView<'a>,
    balance: PartnerBalanceView<'a>,
}

/// `GET /admin/partner-balances` → 200.
pub(super) async fn list(call: Managing) -> Result<HttpResponse, Error> {
    let page = Page::of_query(call.query(), call.services().config.limits.page_items)?;
    note_view(call.services(), &call.stamp().named("VIEW_PARTNER_BALANCES")).await?;
    send_json(
        StatusCode::OK,
        &listed(&call, &call.operator().scope, page).await?,
    )
}

/// `GET /admin/partner-balances/{partnerBalanceId}` → 200.
pub(super) async fn get(call: Managing) -> Result<HttpResponse, Error> {
    let balance = own(&call).await?;
    note_view(call.services(), &call.stamp().named("VIEW_PARTNER_BALANCES")).await?;
    send_json(StatusCode::OK, &PartnerBalanceView::of(&balance)?)
}

/// The balance that the path names, if the operator may know of it.
async fn own(call: &Managing) -> Result<PartnerBalance, Error> {
    let id = PartnerBalanceId(call.number("partnerBalanceId")?);
    let mut read = call.services().db.read().await?;
    partner_balances::find(&mut read, id)
        .await?
        .filter(|balance| balance.is_within(&call.operator().scope))
        .ok_or_else(|| Code::NotFound.into())
}

/// `POST /admin/partner-balances`: `{partner, kind, currency}` → 201. An Admin of the platform.
pub(super) async fn create(mut call: Managing) -> Result<HttpResponse, Error> {
    only_platform(call.operator())?;
    let (mut fields, request) = call.fields().await?;
    let request = call.scoped(request);
    let services = call.services();
    let program = fields.text("partner", |text| {
        let partner = text.parse().map_err(|_| NOT_A_PARTNER)?;
        let program = services.config.default_program(&partner).ok_or(NOT_A_PARTNER)?;
        Ok((partner, program.name.clone()))
    });
    let kind = fields.text("kind", kind);
    let currency = fields.text("currency", currency);
    let new = fields.finish(|| {
        let (partner, program) = program?;
        Some(NewPartnerBalance {
            partner,
            program,
            kind: kind?,
            currency: currency?,
        })
    })?;
    let shown = |balance: &PartnerBalance| json(StatusCode::CREATED, &PartnerBalanceView::of(balance)?);
    send(run_create(services, &request, Some(&call.stamp()), &new, shown).await?)
}

/// `GET /admin/partner-balances/{partnerBalanceId}/reloads` → 200.
pub(super) async fn list_reloads(call: Managing) -> Result<HttpResponse, Error> {
    let balance = own(&call).await?;
    let page = Page::of_query(call.query(), call.services().config.limits.page_items)?;
    note_view(call.services(), &call.stamp().named("VIEW_PARTNER_BALANCES")).await?;
    let mut read = call.services().db.read().await?;
    let rows = partner_reloads::list(&mut read, balance.id, page.after, page.rows()).await?;
    let listed = page.of_rows(
        rows,
        |row| row.id.0,
        |row| {
            serde_json::to_value(ReloadView::of(&row))
                .map_err(|_| Error::internal("a reload cannot be written"))
        },
    )?;
    send_json(StatusCode::OK, &listed)
}

/// `POST /admin/partner-balances/{partnerBalanceId}/reload`: `{amount, bankReference}` → 202, a proposal. Another Admin decides it.
pub(super) async fn reload(mut call: Managing) -> Result<HttpResponse, Error> {
    let balance = own(&call).await?;
    only_platform(call.operator())?;
    let (mut fields, request) = call.fields().await?;
    let request = call.scoped(request);
    let minor = fields.integer("amount", Amount::parse);
    let bank_reference = fields.text("bankReference", BankReference::parse);
    let seen = fields.finish(|| {
        Some(SeenTransfer {
            amount: minor?,
            bank_reference: bank_reference?,
        })
    })?;
    let by = (call.operator(), &call.stamp());
    let shown = |reload: &PartnerReload| json(StatusCode::ACCEPTED, &ReloadView::of(reload));
    send(propose_reload(call.services(), &request, by, (balance.id, &seen), shown).await?)
}

/// `POST …/reloads/{reloadId}/approve` → 200: credited.
pub(super) async fn approve(call: Managing) -> Result<HttpResponse, Error> {
    decide(call, Decision::Approve).await
}

/// `POST …/reloads/{reloadId}/reject` → 200.
pub(super) async fn reject(call: Managing) -> Result<HttpResponse, Error> {
    decide(call, Decision::Reject).await
}

async fn decide(mut call: Managing, decision: Decision) -> Result<HttpResponse, Error> {
    let balance = own(&call).await?;
    only_platform(call.operator())?;
    let reload = PartnerReloadId(call.number("reloadId")?);
    let (fields, request): (Fields, _) = call.fields().await?;
    let request = call.scoped(request);
    fields.finish(|| Some(()))?;
    let by = (call.operator(), &call.stamp());
    let shown = |reload: &PartnerReload, balance: &PartnerBalance| {
        let view = DecidedView {
            reload: ReloadView::of(reload),
            balance: PartnerBalanceView::of(balance)?,
        };
        json(StatusCode::OK, &view)
    };
    let what = (balance.id, reload, decision);
    send(decide_reload(call.services(), &request, by, what, shown).await?)
}

/// `PUT /admin/partner-balances/{partnerBalanceId}/low-level`: `{level, rearmLevel}`, or neither → 200.
pub(super) async fn put_low_level(mut call: Managing) -> Result<HttpResponse, Error> {
    let balance = own(&call).await?;
    let (mut fields, _) = call.fields().await?;
    let has_one = fields.has("level") || fields.has("rearmLevel");
    let level = if has_one {
        let level = fields.integer("level", |minor| Amount::parse(minor).map(Amount::minor));
        let rearm = fields.integer("rearmLevel", |minor| Amount::parse(minor).map(Amount::minor));
        let both = level.zip(rearm).map(|(level, rearm)| LowLevel::new(level, rearm));
        if both == Some(None) {
            fields.refuse("rearmLevel", NOT_A_LEVEL);
        }
        both.flatten()
    } else {
        None
    };
    let level = fields.finish(|| Some(level))?;
    let by = (call.operator(), &call.stamp());
    let changed = set_low_level(call.services(), by, balance.id, level).await?;
    send_json(StatusCode::OK, &PartnerBalanceView::of(&changed)?)
}

/// `POST /admin/partner-balances/{partnerBalanceId}/lock` → 200: no authorisation of the partner's users passes in its currency.
pub(super) async fn lock(call: Managing) -> Result<HttpResponse, Error> {
    put_state(call, PartnerBalanceState::Locked).await
}

/// `POST /admin/partner-balances/{partnerBalanceId}/unlock` → 200.
pub(super) async fn unlock(call: Managing) -> Result<HttpResponse, Error> {
    put_state(call, PartnerBalanceState::Active).await
}

async fn put_state(mut call: Managing, state: PartnerBalanceState) -> Result<HttpResponse, Error> {
    let balance = own(&call).await?;
    only_platform(call.operator())?;
    let (fields, request): (Fields, _) = call.fields().await?;
    let request = call.scoped(request);
    fields.finish(|| Some(()))?;
    let by = (call.operator(), &call.stamp());
    let shown = |balance: &PartnerBalance| json(StatusCode::OK, &PartnerBalanceView::of(balance)?);
    send(set_state(call.services(), &request, by, (balance.id, state), shown).await?)
}

fn reload_example(state: &str) -> Value {
    let mut reload = literal!({
        "id": 1017, "partnerBalanceId": 1003, "amount": 5_000_000, "bankReference": "NB 2026/11/07-33", "state": state,
        "proposedBy": 1001, "createdAt": "2026-11-26T21:31:00Z",
    });
    if let (Some(reload), true) = (reload.as_object_mut(), state != "PROPOSED") {
        reload.extend([
            ("decidedBy".to_owned(), literal!(1002)),
            ("decidedAt".to_owned(), literal!("2026-11-26T22:02:00Z")),
        ]);
    }
    reload
}

/// Of `GET /admin/partner-balances`.
pub(super) fn list_doc() -> Doc {
    Doc::new(Tag::PartnerBalances, "List partner balances")
        .says("A partner's Admin sees the partner's own; COMPANY balances are the platform's to see.")
        .answers_page::<PartnerBalanceView>("A page of partner balances.", example())
}

/// Of `GET /admin/partner-balances/{partnerBalanceId}`.
pub(super) fn get_doc() -> Doc {
    Doc::new(Tag::PartnerBalances, "Get a partner balance")
        .says("What is in it, and what can still be spent.")
        .answers::<PartnerBalanceView>(200, "The balance.", example())
}

/// Of `POST /admin/partner-balances`.
pub(super) fn create_doc() -> Doc {
    let partner = pattern("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "acme").saying("One that has a program.");
    Doc::new(Tag::PartnerBalances, "Create a partner balance")
        .says("By an Admin of the platform. A partner has a credit or a deposit balance in a currency, never both.")
        .body([
            required("partner", partner),
            required("kind", one_of(["CREDIT", "DEPOSIT"])),
            required("currency", words::currency()),
        ])
        .answers::<PartnerBalanceView>(201, "The balance, empty.", empty_example())
        .errors(&[Code::PlatformOnly, Code::PartnerBalanceExists])
}

/// Of `GET /admin/partner-balances/{partnerBalanceId}/reloads`.
pub(super) fn list_reloads_doc() -> Doc {
    Doc::new(Tag::PartnerBalances, "List reloads of a partner balance")
        .says("Those that wait for another Admin, and those that were decided, oldest first.")
        .answers_page::<ReloadView>("A page of reloads.", reload_example("PROPOSED"))
}

/// Of `POST /admin/partner-balances/{partnerBalanceId}/reload`.
pub(super) fn reload_doc() -> Doc {
    let reference = line(64, "NB 2026/11/07-33").with("minLength", 4);
    let reference = reference
        .saying("What the bank calls it: credited once, however it is spelt. No 13 digits in a row.");
    Doc::new(Tag::PartnerBalances, "Propose the reload of a partner balance")
        .says("An Admin of the platform has seen a bank transfer. Nothing moves before another one approves.")
        .body([
            required("amount", amount(Amount::REQUEST_MAX, 5_000_000)),
            required("bankReference", reference),
        ])
        .answers::<ReloadView>(202, "The proposal.", reload_example("PROPOSED"))
        .errors(&[Code::PlatformOnly, Code::BankReferenceUsed])
}

/// Of `POST …/reloads/{reloadId}/approve`.
pub(super) fn approve_doc() -> Doc {
    decide_doc("Approve a reload", "APPROVED")
        .says("By another Admin of the platform than who proposed it. The money is credited.")
}

/// Of `POST …/reloads/{reloadId}/reject`.
pub(super) fn reject_doc() -> Doc {
    decide_doc("Reject a reload", "REJECTED")
        .says("By another Admin of the platform than who proposed it. The bank reference is free to be proposed again.")
}

fn decide_doc(summary: &'static str, state: &str) -> Doc {
    let decided = literal!({ "reload": reload_example(state), "balance": example() });
    Doc::new(Tag::PartnerBalances, summary)
        .no_members()
        .answers::<DecidedView>(200, "The reload, and the balance afterwards.", decided)
        .errors(&[Code::PlatformOnly, Code::OwnProposal, Code::ReloadDecided])
}

/// Of `PUT /admin/partner-balances/{partnerBalanceId}/low-level`.
pub(super) fn put_low_level_doc() -> Doc {
    let level = amount(Amount::REQUEST_MAX, 1_000_000).saying("Below this, what is available is told, once.");
    let rearm = amount(Amount::REQUEST_MAX, 1_500_000)
        .saying("Only above this it is watched anew. Not below `level`.");
    Doc::new(Tag::PartnerBalances, "Set when the partner is told that it runs low")
        .says("Exactly one event on the way down, in the transaction that crosses the level. Without members nothing is told any more.")
        .body([optional("level", level), optional("rearmLevel", rearm)])
        .answers::<PartnerBalanceView>(200, "The balance.", example())
        .errors(&[Code::NotALimit])
}

/// Of `POST /admin/partner-balances/{partnerBalanceId}/lock`.
pub(super) fn lock_doc() -> Doc {
    state_doc("Lock a partner balance", "LOCKED")
        .says("No authorisation of the partner's users passes in its currency; what was approved before is settled.")
}

/// Of `POST /admin/partner-balances/{partnerBalanceId}/unlock`.
pub(super) fn unlock_doc() -> Doc {
    state_doc("Unlock a partner balance", "ACTIVE").says("Authorisations pass again.")
}

fn state_doc(summary: &'static str, state: &str) -> Doc {
    let mut balance = example();
    if let Some(balance) = balance.as_object_mut() {
        balance.insert("state".to_owned(), literal!(state));
    }
    Doc::new(Tag::PartnerBalances, summary)
        .no_members()
        .answers::<PartnerBalanceView>(200, "The balance.", balance)
        .errors(&[Code::PlatformOnly, Code::NotALimit])
}
