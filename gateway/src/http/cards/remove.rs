//! `DELETE /customers/me/cards/{cardId}` and `DELETE /lifecycle/v1/users/{userId}/cards/{cardId}`: the card is gone for good.

use actix_web::HttpResponse;

use super::{CardCall, card, settle};
use crate::error::Error;
use crate::flows::cards;
use crate::http::answer::send;

pub(in crate::http) async fn remove<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    send(cards::remove::remove(call.services(), &caller, card.id).await?)
}
