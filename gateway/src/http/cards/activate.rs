//! `POST …/cards/{cardId}/activate`: the physical card is in its holder's hands. No body.

use actix_web::HttpResponse;

use super::{CardCall, body, card, rules, settle};
use crate::domain::card::{Action, MaskedCard};
use crate::error::{Code, Error};
use crate::flows::cards;
use crate::http::answer::send;
use crate::http::doc::{Doc, Tag, examples};

pub(in crate::http) async fn activate<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (mut call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    let (fields, request) = call.fields().await?;
    body::none(fields)?;
    let request = call.scoped(request);
    send(cards::activate::activate(call.services(), &caller, card.id, &request).await?)
}

pub(in crate::http) fn doc() -> Doc {
    let doc = Doc::new(Tag::Cards, "Activate a physical card or its next plastic")
        .says(
            "Once the plastic is in its holder's hands. Until then every authorisation is rejected. While the plastic lies \
             at the bureau again, or will not come, there is nothing to activate. The next plastic of a card that nears its \
             end is activated in the same way, also after that end: number and PIN stay, `exp` is the next one, and the old \
             plastic stops working.",
        )
        .no_members()
        .answers::<MaskedCard>(200, "The card, now `ACTIVE`.", examples::masked_card())
        .asks_vault()
        .errors(&[Code::CardReturned]);
    rules::govern(doc, Action::Activate)
}
