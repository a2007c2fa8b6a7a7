//! `POST …/cards/virtual`: a new virtual card, asked for in clear or sealed to the vault.

use actix_web::HttpResponse;
use shared::ids::IdempotencyKey;
use shared::problem::FieldError;

use super::shapes;
use super::{CardCall, body, settle};
use crate::domain::balance::BalanceId;
use crate::domain::card::CardName;
use crate::domain::lock::Party;
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::cards::create_virtual::{self, CardWish, IssueProof, NewCardBody, NewVirtualCard};
use crate::http::answer::send;
use crate::http::body::Fields;
use crate::http::doc::shape::{integer, optional, required};
use crate::http::doc::{Doc, Tag, words};
use crate::http::enc::EncBody;

const KEY_HEADER: &str = "Idempotency-Key";
const PROOF_NEEDS_KEY: Rule = Rule {
    code: "REQUIRED",
    message: "A Holder-Proof of op issue names the request's Idempotency-Key.",
};

pub(in crate::http) async fn create<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let enc = CardCall::enc(&call).await?;
    let (mut call, caller) = settle(call).await?;
    let (body, request) = call.enc_body(&enc).await?;
    let proof = call.holder_proof();
    let key = call.idempotency_key()?;
    let missing = key.is_none() && matches!(proof, Ok(Some(_)));
    let body = match body {
        EncBody::Sealed(text) => {
            let jwe = body::jwe(call.services(), &caller, &text).await?;
            if missing {
                return Err(Error::invalid(vec![key_missing()]));
            }
            NewCardBody::Sealed(jwe)
        }
        EncBody::Empty if enc.encrypted => return Err(Code::InvalidPayload.into()),
        EncBody::Empty => NewCardBody::Plain(wish(Fields::empty(), missing)?),
        EncBody::Plain(fields) => NewCardBody::Plain(wish(fields, missing)?),
    };
    let new = NewVirtualCard {
        body,
        recipient: enc.public_key,
        proof: proof.map(|proof| issue_proof(proof, key)),
    };
    let request = call.scoped(request);
    let admit = || call.rates().reveals.check(&caller.user.id);
    send(create_virtual::create_virtual(call.services(), &caller, new, &request, admit).await?)
}

pub(super) fn wish(mut fields: Fields, key_missing: bool) -> Result<CardWish, Error> {
    // A number beyond every balance is nobody's balance: the state's matter, not the shape's.
    let balance = fields.integer("balanceId", |number| Ok(BalanceId(number)));
    let name = fields.optional_text("name", CardName::parse);
    if key_missing {
        fields.refuse(KEY_HEADER, PROOF_NEEDS_KEY);
    }
    fields.finish(|| {
        Some(CardWish {
            balance: balance?,
            name,
            replaces: None,
        })
    })
}

pub(super) fn issue_proof(holder_proof: Option<String>, key: Option<IdempotencyKey>) -> Option<IssueProof> {
    Some(IssueProof {
        holder_proof: holder_proof?,
        issue_key: key?,
    })
}

pub(super) fn key_missing() -> FieldError {
    let Rule { code, message } = PROOF_NEEDS_KEY;
    FieldError {
        field: KEY_HEADER.into(),
        code: code.into(),
        message: message.into(),
    }
}

/// On each channel; an operator's request carries no proof, so an operator is never shown a number.
pub(in crate::http) fn doc(party: Party) -> Doc {
    let doc = Doc::new(Tag::Cards, "Create a virtual card")
        .says(
            "The user's KYC is accepted and the balance is the user's. The vault draws the number and seals the answer; it \
             carries the masked number.",
        )
        .plain_or_sealed_body([
            required("balanceId", integer(1, i64::MAX, 1042)),
            optional("name", words::card_name()),
        ])
        .enc()
        .errors(&[Code::UserLocked, Code::KycRequired, Code::BalanceRequired, Code::NotFound]);
    match party {
        Party::User | Party::Partner => doc
            .proof_optional()
            .says(
                "With a `Holder-Proof` of `op: issue`, which names the request's `Idempotency-Key`, the answer also carries \
                 `cardNo` and `cvv`.",
            )
            .answers_sealed(201, "The card.", shapes::created()),
        Party::Operator | Party::Processor => doc.answers_sealed(201, "The masked card.", shapes::masked()),
    }
}
