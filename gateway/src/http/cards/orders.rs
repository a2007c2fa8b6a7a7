//! `GET …/cards/orders`: the customer's orders of plastic and how far each is, also of cards that the customer is not shown
//! yet. For partners and operators.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::{CardCall, settle};
use crate::domain::order::ShownOrder;
use crate::error::Error;
use crate::flows::cards;
use crate::http::answer::send_json;
use crate::http::doc::{Doc, Tag, examples};
use crate::http::page::Page;

pub(in crate::http) async fn list<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (call, caller) = settle(call).await?;
    let page = Page::of_query(call.query(), call.services().config.limits.page_items)?;
    let found = cards::orders::list(call.services(), &caller, page.after, page.rows()).await?;
    let listed = page.of_rows(
        found,
        |(id, _)| *id,
        |(_, order)| {
            serde_json::to_value(ShownOrder::from(&order))
                .map_err(|_| Error::internal("an order cannot be written"))
        },
    )?;
    send_json(StatusCode::OK, &listed)
}

pub(in crate::http) fn doc() -> Doc {
    Doc::new(Tag::Cards, "List orders of plastic")
        .says(
            "How far each order is, also of cards that the customer is not shown yet. `overdue` says that the bureau did not \
             confirm within 48 hours.",
        )
        .answers_page::<ShownOrder>("A page of orders, oldest first.", examples::order())
}
