//! `GET …/cards`: the user's masked cards, page by page.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::{CardCall, settle};
use crate::domain::card::{CardId, MaskedCard};
use crate::error::Error;
use crate::flows::cards;
use crate::http::answer::send_json;
use crate::http::doc::{Doc, Tag, examples};
use crate::http::page::Page;

pub(in crate::http) async fn list<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (call, caller) = settle(call).await?;
    let page = Page::of_query(call.query(), call.services().config.limits.page_items)?;
    let found = cards::list::list(call.services(), &caller, CardId(page.after), page.rows()).await?;
    let listed = page.of_rows(
        found,
        |card| card.id.0,
        |card| {
            serde_json::to_value(MaskedCard::of(&card, caller.party, caller.rules))
                .map_err(|_| Error::internal("a card cannot be written"))
        },
    )?;
    send_json(StatusCode::OK, &listed)
}

pub(in crate::http) fn doc() -> Doc {
    Doc::new(Tag::Cards, "List cards")
        .says("Masked; `allowedActions` says what this caller may do with each now. Cards on order are not shown.")
        .answers_page::<MaskedCard>("A page of cards, oldest first.", examples::masked_card())
}
