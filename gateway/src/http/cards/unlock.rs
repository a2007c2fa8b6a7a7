//! `POST …/cards/{cardId}/unlock`: lift the lock. No reason is asked for.

use actix_web::HttpResponse;

use super::{CardCall, body, card, settle};
use crate::error::Error;
use crate::flows::cards;
use crate::http::answer::send;

pub(in crate::http) async fn unlock<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (mut call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    let (fields, request) = call.fields().await?;
    body::none(fields)?;
    let request = call.scoped(request);
    send(cards::unlock::unlock(call.services(), &caller, card.id, &request).await?)
}
