//! `POST …/cards/virtual/async` and `GET …/cards/requests/{requestId}`: a virtual card that is asked for now and made soon.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::json;

use super::create_virtual::wish;
use super::{CardCall, settle};
use crate::error::{Code, Error};
use crate::flows::cards::create_async::{self, CardRequestStatus};
use crate::http::answer::{send, send_json};
use crate::http::doc::shape::{integer, optional, required};
use crate::http::doc::{Doc, Tag, words};
use crate::store::card_creations::CreationId;

pub(in crate::http) async fn create<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (mut call, caller) = settle(call).await?;
    let (fields, request) = call.fields().await?;
    let wish = wish(fields, false)?;
    let request = call.scoped(request);
    send(create_async::create_async(call.services(), &caller, wish, &request).await?)
}

pub(in crate::http) async fn status<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (call, caller) = settle(call).await?;
    let id = CreationId(call.number("requestId")?);
    let status = create_async::status(call.services(), &caller, id).await?;
    send_json(StatusCode::OK, &status)
}

pub(in crate::http) fn doc() -> Doc {
    Doc::new(Tag::Cards, "Create a virtual card, asynchronously")
        .says(
            "As creating a virtual card, for whoever does not wait: KYC and balance are judged at once, the card is made as soon \
             as the vault is there, and the partner is told by `card.created` or `card.request_failed`. Nothing is sealed to \
             anybody: whoever wants the card's data reveals it.",
        )
        .body([
            required("balanceId", integer(1, i64::MAX, 1042)),
            optional("name", words::card_name()),
        ])
        .answers::<CardRequestStatus>(202, "It is under way.", json!({ "requestId": 1007, "status": "PENDING" }))
        .errors(&[Code::UserLocked, Code::KycRequired, Code::BalanceRequired, Code::NotFound])
}

pub(in crate::http) fn status_doc() -> Doc {
    Doc::new(Tag::Cards, "Ask what became of a card that was asked for")
        .says("For 30 days after it was settled. `cardId` once the card is there, `code` (of an error) when there will be none.")
        .answers::<CardRequestStatus>(
            200,
            "`PENDING`, `DONE` or `FAILED`.",
            json!({ "requestId": 1007, "status": "DONE", "cardId": 1125 }),
        )
}
