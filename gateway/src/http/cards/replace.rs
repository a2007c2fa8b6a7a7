//! `POST …/cards/{cardId}/replace`: another card in the place of one that is lost, stolen or replaced. For a physical card it
//! is an order: sealed, and under proof of `op: order`.

use actix_web::HttpResponse;

use super::create_virtual::{issue_proof, key_missing};
use super::{CardCall, body, card, order_physical, rules, settle, shapes};
use crate::domain::card::{Action, CardType};
use crate::domain::lock::Party;
use crate::error::{Code, Error};
use crate::flows::cards::replace::{self, Replacement};
use crate::http::answer::send;
use crate::http::doc::{Doc, Tag};
use crate::http::enc::EncBody;

pub(in crate::http) async fn replace<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let enc = call.enc().await?;
    let (mut call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    // A card that is physical is so from its first day to its last.
    if card.standing.kind == CardType::Physical {
        return order_physical::place(call, &caller, enc, Some(card.id)).await;
    }
    let (body, request) = call.enc_body(&enc).await?;
    match body {
        EncBody::Empty => {}
        EncBody::Plain(fields) => body::none(fields)?,
        EncBody::Sealed(_) => return Err(Code::InvalidPayload.into()),
    }
    let proof = call.holder_proof();
    let key = call.idempotency_key()?;
    if key.is_none() && matches!(proof, Ok(Some(_))) {
        return Err(Error::invalid(vec![key_missing()]));
    }
    let new = Replacement {
        recipient: enc.public_key,
        proof: proof.map(|proof| issue_proof(proof, key)),
    };
    let request = call.scoped(request);
    let admit = || call.rates().reveals.check(&caller.user.id);
    send(replace::replace(call.services(), &caller, card.id, new, &request, admit).await?)
}

pub(in crate::http) fn doc(party: Party) -> Doc {
    let doc = Doc::new(Tag::Cards, "Replace a card")
        .says(
            "Another card in the place of one that is locked as lost, stolen or replaced, once: on the same balance, under the \
             same name, with a number of its own. The two name each other as `replaces` and `replacedBy`. A Digital First card \
             gives its place to a virtual one, of which plastic may be ordered.",
        )
        .says(
            "For a virtual or a Digital First card there is no body. For a physical one the request is an order, with the body \
             of one sealed to the vault: the same `balanceId` as the card's, name and address. The answer is the new card, \
             `ORDERED`; it is shown to its user when the bureau has confirmed it. If the bureau cannot make it, the old card \
             may be replaced anew.",
        )
        .sealed_body_or_none(order_physical::members())
        .enc()
        .errors(&[
            Code::UserLocked,
            Code::KycRequired,
            Code::BalanceRequired,
            Code::NoBureau,
        ]);
    let doc = match party {
        Party::User | Party::Partner => doc
            .proof_optional()
            .says(
                "With a `Holder-Proof` of `op: issue`, which names the request's `Idempotency-Key`, the answer also carries \
                 `cardNo` and `cvv`. The order of a physical card needs a proof of `op: order`, whose `card` is the \
                 `Idempotency-Key`, and its answer carries neither.",
            )
            .errors(&[Code::HolderProofRequired])
            .answers_sealed(201, "The new card.", shapes::created()),
        Party::Operator | Party::Processor => {
            doc.answers_sealed(201, "The new card, masked.", shapes::masked())
        }
    };
    rules::govern(doc, Action::Replace)
}
