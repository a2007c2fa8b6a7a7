//! `POST …/cards/{cardId}/challenge`: a nonce for a proof about this card.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::{CardCall, body, card, settle};
use crate::error::Error;
use crate::flows::cards;
use crate::http::answer::send_json;
use crate::http::doc::{Doc, Tag, words};

pub(in crate::http) async fn challenge<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (mut call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    // A challenge keeps no secret: with the same Idempotency-Key it is simply made anew.
    let (fields, _) = call.fields().await?;
    body::none(fields)?;
    call.rates().challenges.check(&caller.user.id)?;
    let challenge = cards::challenge::challenge(call.services(), &caller, &card).await?;
    send_json(StatusCode::CREATED, &challenge)
}

pub(in crate::http) fn doc() -> Doc {
    Doc::new(Tag::Proofs, "A nonce for a proof about this card")
        .says("Goes into the `Holder-Proof` of a reveal, a CVV reset, a PIN or a delivery address. Good once and for a minute.")
        .no_members()
        .minted_anew()
        .asks_vault()
        .answers_shape(201, "A fresh nonce.", words::challenge())
}
