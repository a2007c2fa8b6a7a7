//! `POST /customers/me/cards/{cardId}/pin`: a PIN, sealed to the vault, under proof.

use actix_web::HttpResponse;

use super::shapes;
use super::{CardCall, body, card, rules, settle};
use crate::domain::card::Action;
use crate::error::{Code, Error};
use crate::flows::cards::set_pin::{self, NewPin};
use crate::http::answer::send;
use crate::http::doc::shape::{pattern, required};
use crate::http::doc::{Doc, Tag};
use crate::http::enc::EncBody;

pub(in crate::http) async fn set<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let enc = CardCall::enc(&call).await?;
    let (mut call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    // A PIN in clear is refused unread: it must not even be parsed here.
    if !enc.encrypted {
        return Err(Code::EncryptionRequired.into());
    }
    let (body, request) = call.enc_body(&enc).await?;
    let payload = match body {
        EncBody::Sealed(text) => body::jwe(call.services(), &caller, &text).await?,
        EncBody::Empty | EncBody::Plain(_) => return Err(Code::InvalidPayload.into()),
    };
    let pin = NewPin {
        payload,
        recipient: enc.public_key,
        holder_proof: call.holder_proof(),
    };
    let request = call.scoped(request);
    send(set_pin::set_pin(call.services(), &caller, &card, pin, &request).await?)
}

pub(in crate::http) fn doc() -> Doc {
    let doc = Doc::new(Tag::Cards, "Set the PIN")
        .says("Physical and Digital First cards. 4 digits, 4 to 12 by the program's setting; sealed to the vault, under proof of `op: set-pin`.")
        .sealed_body([required("pin", pattern("^[0-9]{4,12}$", "4829").secret())])
        .enc()
        .proof_required()
        .answers_sealed(200, "The PIN is set; the chip learns it with its next transaction.", shapes::pin_set());
    rules::govern(doc, Action::SetPin)
}
