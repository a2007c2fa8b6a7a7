//! `POST …/cards/{cardId}/print`: plastic of a virtual card. Without a body it goes to the address on file; another
//! address comes sealed to the vault, under proof.

use actix_web::HttpResponse;
use shared::jwe::CompactJwe;

use super::shapes;
use super::{CardCall, body, card, rules, settle};
use crate::domain::card::Action;
use crate::domain::lock::Party;
use crate::error::{Code, Error};
use crate::flows::cards::CardCaller;
use crate::flows::cards::print::{self, Plastic};
use crate::http::answer::send;
use crate::http::doc::shape::required;
use crate::http::doc::{Doc, Tag, words};
use crate::http::enc::EncBody;
use crate::services::Services;

/// The members with which a caller would send an address in clear, or say that it is sealed without saying so in the header.
const ADDRESS_MEMBERS: [&str; 2] = ["deliveryAddress", "payload"];

pub(in crate::http) async fn print<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let enc = CardCall::enc(&call).await?;
    let (mut call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    let (body, request) = call.enc_body(&enc).await?;
    let payload = payload(call.services(), &caller, body).await?;
    let plastic = Plastic {
        payload,
        recipient: enc.public_key,
        holder_proof: call.holder_proof(),
    };
    let request = call.scoped(request);
    send(print::print(call.services(), &caller, card.id, plastic, &request).await?)
}

async fn payload(
    services: &Services,
    caller: &CardCaller,
    body: EncBody,
) -> Result<Option<CompactJwe>, Error> {
    match body {
        EncBody::Empty => Ok(None),
        // Another address needs the holder's proof, and an operator has none.
        EncBody::Sealed(_) if caller.party == Party::Operator => Err(Code::InvalidPayload.into()),
        EncBody::Sealed(text) => body::jwe(services, caller, &text).await.map(Some),
        EncBody::Plain(fields)
            if caller.party != Party::Operator && ADDRESS_MEMBERS.iter().any(|name| fields.has(name)) =>
        {
            Err(Code::EncryptionRequired.into())
        }
        EncBody::Plain(fields) => body::none(fields).map(|()| None),
    }
}

/// On each channel; another address needs the holder's proof, and an operator has none.
pub(in crate::http) fn doc(party: Party) -> Doc {
    let doc = Doc::new(Tag::Cards, "Order plastic of a virtual card")
        .says("Digital First: same number, state and locks, and nothing to activate. Without a body it goes to the user's address on file.")
        .answers_sealed(201, "The masked card, now `DIGITAL_FIRST`.", shapes::masked())
        .errors(&[Code::UserLocked, Code::AddressRequired]);
    let doc = rules::govern(doc, Action::Print);
    match party {
        Party::User | Party::Partner => doc
            .says("Another address comes sealed to the vault, under proof of `op: order`.")
            .sealed_body_or_none([required("deliveryAddress", words::address())])
            .proof_optional()
            .errors(&[Code::HolderProofRequired])
            .enc(),
        Party::Operator | Party::Processor => doc.no_members().enc(),
    }
}
