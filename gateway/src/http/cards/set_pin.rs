//! `POST /customers/me/cards/{cardId}/pin`: a PIN, sealed to the vault, under proof.

use actix_web::HttpResponse;

use super::{CardCall, body, card, settle};
use crate::error::{Code, Error};
use crate::flows::cards::set_pin::{self, NewPin};
use crate::http::answer::send;
use crate::http::enc::EncBody;

pub(in crate::http) async fn set<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let enc = call.enc()?;
    let (mut call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    // A PIN in clear is refused unread: it must not even be parsed here.
    if !enc.encrypted {
        return Err(Code::EncryptionRequired.into());
    }
    let (body, request) = call.enc_body(&enc).await?;
    let payload = match body {
        EncBody::Sealed(text) => body::jwe(call.services(), &caller, &text)?,
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
