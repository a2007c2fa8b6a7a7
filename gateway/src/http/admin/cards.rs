//! `/admin/cards/{cardId}…`: what operators do with cards and no other channel does, or does otherwise. An operator never sees
//! a card number or a CVV: there is no door to them here, and what is sealed to an operator's key is masked.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::domain::card::{Action, MaskedCard};
use crate::domain::operator::marker::{ResetCvv, ViewCards};
use crate::error::{Code, Error};
use crate::flows::cards::reset_cvv_unseen::reset_cvv_unseen;
use crate::http::answer::{send, send_json};
use crate::http::cards::rules;
use crate::http::cards::shapes;
use crate::http::cards::{CardCall as _, body, card, settle};
use crate::http::doc::{Doc, Tag, examples};
use crate::http::enc::EncBody;
use crate::http::operator::OperatorCall;

/// `GET /admin/cards/{cardId}` → 200 masked card.
pub(super) async fn get(call: OperatorCall<ViewCards>) -> Result<HttpResponse, Error> {
    let (call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    send_json(StatusCode::OK, &MaskedCard::of(&card, caller.party, caller.rules))
}

/// `POST /admin/cards/{cardId}/cvv` → 200 JWE without the CVV.
pub(super) async fn reset_cvv(call: OperatorCall<ResetCvv>) -> Result<HttpResponse, Error> {
    let enc = call.enc().await?;
    let (mut call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    let (body, request) = call.enc_body(&enc).await?;
    match body {
        EncBody::Empty => {}
        EncBody::Plain(fields) => body::none(fields)?,
        EncBody::Sealed(_) => return Err(Code::InvalidPayload.into()),
    }
    let request = call.scoped(request);
    send(reset_cvv_unseen(call.services(), &caller, &card, enc.public_key, &request).await?)
}

/// Of `GET /admin/cards/{cardId}`.
pub(super) fn get_doc() -> Doc {
    Doc::new(Tag::Cards, "Get a card")
        .says("Masked: an operator never sees a number or a CVV.")
        .answers::<MaskedCard>(200, "The card.", examples::masked_card())
}

/// Of `POST /admin/cards/{cardId}/cvv`.
pub(super) fn reset_cvv_doc() -> Doc {
    let doc = Doc::new(Tag::Cards, "Reset the CVV, unseen")
        .says("Virtual and Digital First cards. The old CVV is void at once; the answer is sealed and carries no CVV.")
        .no_members()
        .enc()
        .answers_sealed(200, "That it was reset.", shapes::cvv_unseen());
    rules::govern(doc, Action::ResetCvv)
}
