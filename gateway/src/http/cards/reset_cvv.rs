//! `POST /customers/me/cards/{cardId}/cvv`: a new CVV, for the holder's eyes.

use actix_web::HttpResponse;

use super::shapes;
use super::{CardCall, body, card, rules, settle};
use crate::domain::card::Action;
use crate::error::{Code, Error};
use crate::flows::cards;
use crate::http::answer::send;
use crate::http::doc::{Doc, Tag};
use crate::http::enc::EncBody;

pub(in crate::http) async fn reset<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let enc = CardCall::enc(&call).await?;
    let (mut call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    let (body, request) = call.enc_body(&enc).await?;
    match body {
        EncBody::Empty => {}
        EncBody::Plain(fields) => body::none(fields)?,
        EncBody::Sealed(_) => return Err(Code::InvalidPayload.into()),
    }
    let proof = call.holder_proof();
    let request = call.scoped(request);
    let recipient = enc.public_key;
    let admit = || call.rates().reveals.check(&caller.user.id);
    let services = call.services();
    send(cards::reset_cvv::reset_cvv(services, &caller, &card, recipient, proof, &request, admit).await?)
}

pub(in crate::http) fn doc() -> Doc {
    let doc = Doc::new(Tag::Cards, "Reset the CVV")
        .says("Virtual and Digital First cards. Under proof of `op: reset-cvv`; the old CVV is void at once.")
        .no_members()
        .enc()
        .proof_required()
        .answers_sealed(200, "The new CVV.", shapes::new_cvv());
    rules::govern(doc, Action::ResetCvv)
}
