//! `POST …/cards/{cardId}/lock`: lock the card, for a reason of the table.

use actix_web::HttpResponse;

use super::{CardCall, card, rules, settle};
use crate::domain::card::{Action, MaskedCard};
use crate::domain::lock::LockCode;
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::cards;
use crate::http::answer::send;
use crate::http::body::Fields;
use crate::http::doc::shape::required;
use crate::http::doc::{Doc, Tag, examples, words};

const NOT_A_LOCK_CODE: Rule = Rule {
    code: "NOT_A_LOCK_CODE",
    message: "Must be a reason code, 1 to 8.",
};

pub(in crate::http) async fn lock<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (mut call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    let (fields, request) = call.fields().await?;
    let code = reason(fields)?;
    let request = call.scoped(request);
    send(cards::lock::lock(call.services(), &caller, card.id, code, &request).await?)
}

fn reason(mut fields: Fields) -> Result<LockCode, Error> {
    let code = fields.integer("reasonCode", |number| {
        LockCode::from_number(number).ok_or(NOT_A_LOCK_CODE)
    });
    fields.finish(|| code)
}

pub(in crate::http) fn doc() -> Doc {
    let doc = Doc::new(Tag::Cards, "Lock a card")
        .says(
            "From now on every authorisation is rejected with the action code of the reason. 1, 2, 5 and 8 are final. A \
             reversible lock may be raised to a final one, never back.",
        )
        .body([required("reasonCode", words::reason_code())])
        .asks_vault()
        .answers::<MaskedCard>(200, "The card, locked.", examples::locked_card())
        .errors(&[Code::LockNotYours]);
    rules::govern(doc, Action::Lock)
}
