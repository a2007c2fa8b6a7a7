//! `GET …/cards/{cardId}`: number, expiry and CVV, sealed to the caller, under proof.

use actix_web::HttpResponse;

use super::{CardCall, card, settle};
use crate::error::Error;
use crate::flows::cards;
use crate::http::answer::send;

pub(in crate::http) async fn reveal<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let enc = call.enc()?;
    let (call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    let proof = call.holder_proof()?;
    call.rates().reveals.check(&caller.user.id)?;
    send(cards::reveal::reveal(call.services(), &caller, &card, enc.public_key, proof).await?)
}
