//! `POST /lifecycle/v1/imports/sessions`: what a partner needs before it signs the cards of an import.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::json as literal;
use shared::ids::Nonce;
use shared::vault_api::tokens::MOST_SESSION_ROWS;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::domain::import::is_import_name;
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::cards::tokenise;
use crate::http::answer::send_json;
use crate::http::caller::PartnerCall;
use crate::http::doc::shape::{integer, required, text};
use crate::http::doc::{Doc, Tag};

pub(super) const NOT_A_NAME: Rule = Rule {
    code: "NOT_A_NAME",
    message: "Must be 1 to 40 letters, digits, - and _, at most 11 digits in a row.",
};
const NOT_A_COUNT: Rule = Rule {
    code: "OUT_OF_RANGE",
    message: "Must be 1 to 100000.",
};
/// The nonce under which the partner signs the card rows of an import.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ImportSession)]
struct SessionView {
    /// What each row's proof names as `nonce`.
    #[schema(value_type = String)]
    nonce: Nonce,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: OffsetDateTime,
    /// Most rows under it.
    rows: u32,
}

/// `POST /lifecycle/v1/imports/sessions`: `{import, rows}` → 201.
pub(in crate::http) async fn session(mut call: PartnerCall) -> Result<HttpResponse, Error> {
    let (mut fields, _) = call.fields().await?;
    let import = fields.text("import", |text| {
        if is_import_name(text) {
            Ok(text.to_owned())
        } else {
            Err(NOT_A_NAME)
        }
    });
    let rows = fields.integer("rows", |rows| {
        u32::try_from(rows)
            .ok()
            .filter(|rows| (1..=MOST_SESSION_ROWS).contains(rows))
            .ok_or(NOT_A_COUNT)
    });
    let (import, rows) = fields.finish(|| Some((import?, rows?)))?;
    let opened = tokenise::session(call.services(), call.partner(), &import, rows, call.actor()).await?;
    let view = SessionView {
        nonce: opened.nonce,
        expires_at: opened.expires_at,
        rows: opened.rows,
    };
    send_json(StatusCode::CREATED, &view)
}

/// Of `POST /lifecycle/v1/imports/sessions`.
pub(in crate::http) fn session_doc() -> Doc {
    let example =
        literal!({ "nonce": "n_7Zt0mQ2xVb5cY8kLw3RfTg", "expiresAt": "2026-11-27T21:30:00Z", "rows": 2000 });
    Doc::new(Tag::Users, "Open a session for card rows")
        .says(
            "Before a file with cards is sent: the vault gives a nonce, under which the partner signs each card of the import with \
             the key of its client certificate, as a `Holder-Proof` of `op: tokenise`. Its `card` is `{import}:{line}`, or \
             `{import}:{line}.{n}` for the n-th card of a line, its `rpk` the thumbprint of that very key, its `bdh` the hash of \
             the card's `payload`. Good for a day and so many cards.",
        )
        .body([
            required("import", text(1, 40, "batch-2026-11")),
            required("rows", integer(1, 100_000, 2000)),
        ])
        .minted_anew()
        .asks_vault()
        .answers::<SessionView>(201, "The session.", example)
        .errors(&[Code::TooManyImports])
}
