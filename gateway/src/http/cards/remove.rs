//! `DELETE /customers/me/cards/{cardId}` and `DELETE /lifecycle/v1/users/{userId}/cards/{cardId}`: the card is gone for good.

use actix_web::HttpResponse;

use super::{CardCall, card, rules, settle};
use crate::domain::card::Action;
use crate::error::Error;
use crate::flows::cards;
use crate::http::answer::send;
use crate::http::doc::{Doc, Tag};

pub(in crate::http) async fn remove<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    send(cards::remove::remove(call.services(), &caller, card.id).await?)
}

pub(in crate::http) fn doc() -> Doc {
    let doc = Doc::new(Tag::Cards, "Remove a card")
        .says("Final: the vault closes the card at once and erases its secrets; the token stays as a tombstone. Again is 204 again.")
        .asks_vault()
        .answers_nothing(204, "The card is gone.");
    // One that is removed already stays so, and that is no error.
    doc.says(&rules::described(Action::Remove))
}
