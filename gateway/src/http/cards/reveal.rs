//! `GET …/cards/{cardId}`: number, expiry and CVV, sealed to the caller, under proof.

use actix_web::HttpResponse;

use super::shapes;
use super::{CardCall, card, rules, settle};
use crate::domain::card::Action;
use crate::error::Error;
use crate::flows::cards;
use crate::http::answer::send;
use crate::http::doc::{Doc, Tag};

pub(in crate::http) async fn reveal<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let enc = CardCall::enc(&call).await?;
    let (call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    let proof = call.holder_proof()?;
    call.rates().reveals.check(&caller.user.id)?;
    send(cards::reveal::reveal(call.services(), &caller, &card, enc.public_key, proof).await?)
}

pub(in crate::http) fn doc() -> Doc {
    let doc = Doc::new(Tag::Cards, "Reveal a card")
        .says(
            "Number, expiry and CVV, sealed by the vault to the caller's key, under a proof of `op: reveal` over a nonce of \
             `POST …/challenge`. The gateway sees none of it.",
        )
        .enc()
        .proof_required()
        .answers_sealed(200, "The card.", shapes::full());
    rules::govern(doc, Action::Reveal)
}
