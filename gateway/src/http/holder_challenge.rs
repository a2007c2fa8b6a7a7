//! Challenges for a holder's operations, on both channels: the vault's, passed on as it is.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::answer::send_json;
use super::caller::Customer;
use super::doc::{Doc, Tag, words};
use crate::error::Error;
use crate::flows::challenge_holder::challenge_holder;

/// `POST …/challenge` → 201 `{nonce, expiresAt}`. A retry makes another challenge; the first one just lapses.
pub(super) async fn create(mut customer: Customer) -> Result<HttpResponse, Error> {
    let (fields, _) = customer.fields().await?;
    fields.finish(|| Some(()))?;
    customer.rates().challenges.check(&customer.user.id)?;
    let challenge = challenge_holder(customer.services(), &customer.user, customer.actor.clone()).await?;
    send_json(StatusCode::CREATED, &challenge)
}

pub(super) fn doc() -> Doc {
    Doc::new(Tag::Proofs, "A nonce for a proof about the user's things")
        .says("For proofs that name no card: of creating one, or of enrolling a key. Good once and for a minute.")
        .no_members()
        .minted_anew()
        .asks_vault()
        .answers_shape(201, "A fresh nonce.", words::challenge())
}
