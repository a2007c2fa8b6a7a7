//! `PUT …/cards/{cardId}/renewal`: whether the card is renewed by itself.

use actix_web::HttpResponse;

use super::{CardCall, card, rules, settle};
use crate::domain::card::{Action, MaskedCard};
use crate::domain::rule::Rule;
use crate::error::Error;
use crate::flows::cards;
use crate::http::answer::send;
use crate::http::doc::shape::{boolean, required};
use crate::http::doc::{Doc, Tag, examples};

const NOT_A_BOOLEAN: Rule = Rule {
    code: "NOT_A_BOOLEAN",
    message: "Must be true or false.",
};

pub(in crate::http) async fn set<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (mut call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    let (mut fields, _) = call.fields().await?;
    let automatic = fields.required("automatic", |value| value.as_bool().ok_or(NOT_A_BOOLEAN));
    let automatic = fields.finish(|| automatic)?;
    send(cards::set_renewal::set_renewal(call.services(), &caller, card.id, automatic).await?)
}

pub(in crate::http) fn doc() -> Doc {
    let doc = Doc::new(Tag::Cards, "Decide whether a card is renewed")
        .says(
            "A card whose program renews goes on before its end, unless this says `false`: the number stays, the end and the CVV \
             are others. A virtual card gets them at once. Of a card with plastic the next is ordered to the user's address \
             (`delivery`, `nextExp`), and the old one goes on until that takes over: Digital First when the bureau has made \
             it, a physical card when it is activated. What cannot be ordered is told as `card.not_renewed`.",
        )
        .body([required("automatic", boolean(false))])
        .answers::<MaskedCard>(200, "The card.", examples::masked_card());
    rules::govern(doc, Action::SetRenewal)
}
