//! `POST …/cards/physical`: a physical card, ordered at the bureau. Name and address come sealed to the vault, never in clear.

use actix_web::HttpResponse;
use shared::problem::FieldError;

use super::shapes;
use super::{CardCall, body, settle};
use crate::domain::card::CardId;
use crate::domain::lock::Party;
use crate::error::{Code, Error};
use crate::flows::cards::CardCaller;
use crate::flows::cards::order_physical::{self, NewPhysicalCard};
use crate::http::answer::send;
use crate::http::caller::Customer;
use crate::http::doc::shape::{Member, pattern, required};
use crate::http::doc::{Doc, Tag, words};
use crate::http::enc::{Enc, EncBody};

pub(in crate::http) async fn order<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let enc = CardCall::enc(&call).await?;
    let (call, caller) = settle(call).await?;
    place(call, &caller, enc, None).await
}

/// Places an order, of a card that takes the place of another where one is named.
pub(super) async fn place(
    mut call: Customer,
    caller: &CardCaller,
    enc: Enc,
    replaces: Option<CardId>,
) -> Result<HttpResponse, Error> {
    // An address in clear is refused unread.
    if !enc.encrypted {
        return Err(Code::EncryptionRequired.into());
    }
    let (body, request) = call.enc_body(&enc).await?;
    let payload = match body {
        EncBody::Sealed(text) => body::jwe(call.services(), caller, &text).await?,
        EncBody::Empty | EncBody::Plain(_) => return Err(Code::InvalidPayload.into()),
    };
    let order_key = call.idempotency_key()?;
    if order_key.is_none() && caller.party != Party::Operator {
        return Err(Error::invalid(vec![key_missing()]));
    }
    let new = NewPhysicalCard {
        payload,
        recipient: enc.public_key,
        holder_proof: call.holder_proof(),
        order_key,
        replaces,
    };
    let request = call.scoped(request);
    send(order_physical::order_physical(call.services(), caller, new, &request).await?)
}

fn key_missing() -> FieldError {
    FieldError {
        field: "Idempotency-Key".into(),
        code: "REQUIRED".into(),
        message: "The proof of an order names the request's Idempotency-Key.".into(),
    }
}

/// What is sealed to the vault.
pub(super) fn members() -> [Member; 3] {
    let embossed = pattern("^[A-Za-z][A-Za-z ./'-]{1,25}$", "JAN KOWALSKI")
        .saying("2 to 26 characters; small letters become capitals.");
    [
        required("balanceId", words::id()),
        required("embossedName", embossed),
        required("deliveryAddress", words::address()),
    ]
}

/// On each channel; an operator has no proof to give.
pub(in crate::http) fn doc(party: Party) -> Doc {
    let doc = Doc::new(Tag::Cards, "Order a physical card")
        .says(
            "The card is made by the personalisation bureau. It is `ORDERED`, and shown to nobody, until the bureau confirms \
             it (within 48 hours); then it is `INACTIVE` until it is activated. Name and address are sealed to the vault, \
             which alone reads them and passes them on, sealed, to the bureau.",
        )
        .sealed_body(members())
        .answers_sealed(201, "The masked card, `ORDERED`.", shapes::masked())
        .errors(&[
            Code::UserLocked,
            Code::KycRequired,
            Code::BalanceRequired,
            Code::NotFound,
            Code::NoBureau,
        ]);
    match party {
        Party::User | Party::Partner => doc
            .says("Under proof of `op: order`, whose `card` is the `Idempotency-Key`: that header is needed.")
            .proof_required()
            .enc(),
        Party::Operator | Party::Processor => doc.enc(),
    }
}
