//! `POST /lifecycle/v1/users/{userId}/cards`: a token for a card that exists already. Its number comes sealed to the vault,
//! signed for by the partner.

use actix_web::HttpResponse;

use super::shapes;
use super::{CardCall, body, settle};
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::cards::tokenise::{self, ExistingCard};
use crate::http::answer::send;
use crate::http::caller::PartnerCall;
use crate::http::doc::shape::{one_of, optional, pattern, required};
use crate::http::doc::{Doc, Tag, words};
use crate::http::enc::EncBody;
use shared::problem::FieldError;

const PROOF_NEEDS_KEY: Rule = Rule {
    code: "REQUIRED",
    message: "A Holder-Proof of op tokenise names the request's Idempotency-Key.",
};

pub(in crate::http) async fn tokenise(call: PartnerCall) -> Result<HttpResponse, Error> {
    let enc = CardCall::enc(&call).await?;
    let (mut call, caller) = settle(call).await?;
    // A number in clear is refused unread: it must not even be parsed here.
    if !enc.encrypted {
        return Err(Code::EncryptionRequired.into());
    }
    let (body, request) = call.enc_body(&enc).await?;
    let payload = match body {
        EncBody::Sealed(text) => body::jwe(call.services(), &caller, &text).await?,
        EncBody::Empty | EncBody::Plain(_) => return Err(Code::InvalidPayload.into()),
    };
    let Some(key) = call.idempotency_key()? else {
        let Rule { code, message } = PROOF_NEEDS_KEY;
        return Err(Error::invalid(vec![FieldError {
            field: "Idempotency-Key".into(),
            code: code.into(),
            message: message.into(),
        }]));
    };
    let card = ExistingCard {
        payload,
        recipient: enc.public_key,
        holder_proof: call.holder_proof(),
        key,
    };
    let request = call.scoped(request);
    send(tokenise::tokenise(call.services(), &caller, card, &request).await?)
}

pub(in crate::http) fn doc() -> Doc {
    Doc::new(Tag::Cards, "Tokenise an existing card")
        .says(
            "The card's number comes sealed to the vault, under proof of `op: tokenise` by the key of the client certificate; \
             the proof names the request's `Idempotency-Key`, which is needed. A number of the program's own range is from \
             then on like one that was issued here (`origin: TOKENISED`). One of no range is another issuer's (`FOREIGN`): it \
             can be shown, locked and removed, and its code is not kept. Without `balanceId` the card goes on the user's \
             first balance in use.",
        )
        .sealed_body([
            required("cardNo", shapes::card_no().secret()),
            required("exp", shapes::exp()),
            optional("cvv", pattern("^[0-9]{3,4}$", "017").secret()),
            optional("balanceId", words::id()),
            optional("name", words::card_name()),
            optional("type", one_of(["VIRTUAL", "PHYSICAL"])),
        ])
        .enc()
        .proof_required()
        .answers_sealed(201, "The masked card with its token.", shapes::masked())
        .answers_sealed(
            200,
            "The user has this very card already: its masked form, with the token that it has.",
            shapes::masked(),
        )
        .errors(&[
            Code::UserLocked,
            Code::KycRequired,
            Code::BalanceRequired,
            Code::CardAlreadyTokenised,
            Code::CardNotAccepted,
            Code::CardRemoved,
        ])
}
