//! `GET /admin/summary/balances`: what all users own, and what users and partners own, in each currency (seed, "Balance
//! Summary in Administration Panel").

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

use crate::domain::operator::marker::ViewSummary;
use crate::error::Error;
use crate::flows::operators::note_view::note_view;
use crate::http::answer::send_json;
use crate::http::doc::{Doc, Tag};
use crate::http::operator::OperatorCall;
use crate::store::ledger::totals::{self, Total};
use serde_json::json;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
struct Summaries {
    summaries: Vec<Summary>,
}

#[derive(Serialize, ToSchema)]
struct Summary {
    currency: &'static str,
    /// The sum of all user balances, in minor units.
    users: i64,
    /// The sum of all user balances and all partner balances (CREDIT and DEPOSIT), in minor units.
    wallet: i64,
}

/// `GET /admin/summary/balances` → 200 `{summaries: [{currency, users, wallet}]}`, over what the operator may know of.
pub(super) async fn balances(call: OperatorCall<ViewSummary>) -> Result<HttpResponse, Error> {
    let services = call.services();
    note_view(services, &call.stamp()).await?;
    let mut read = services.db.read().await?;
    let summary = |total: Total| Summary {
        currency: total.currency.code(),
        users: total.users,
        wallet: total.wallet,
    };
    let totals = totals::of_scope(&mut read, &call.operator().scope).await?;
    let summaries = totals.into_iter().map(summary).collect();
    send_json(StatusCode::OK, &Summaries { summaries })
}

/// Of `GET /admin/summary/balances`.
pub(super) fn doc() -> Doc {
    let example = json!({ "summaries": [{ "currency": "EUR", "users": 1_250_000, "wallet": 6_250_000 }] });
    Doc::new(Tag::Balances, "What all balances are worth")
        .says("In each currency, over what the operator may know of: *Users* is the sum of user balances, *Wallet* of those and the partners'.")
        .answers::<Summaries>(200, "The sums.", example)
}
