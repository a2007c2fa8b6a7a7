//! The bodies of card answers, made once and filed as they are sent.

use serde::Serialize;

use crate::domain::card::{Card, CardRules, MaskedCard};
use crate::domain::lock::Party;
use crate::error::Error;
use crate::store::idempotency::Answer;

const OK: u16 = 200;
const CREATED: u16 = 201;
const NO_CONTENT: u16 = 204;

/// What the vault sealed to the caller. The gateway cannot open it.
#[derive(Serialize)]
struct Sealed<'a> {
    payload: &'a str,
}

/// 201 with a sealed body.
pub(super) fn sealed_created(payload: &str, vault_proof: Option<String>) -> Result<Answer, Error> {
    with_body(CREATED, vault_proof, &Sealed { payload })
}

/// 200 with a sealed body.
pub(super) fn sealed(payload: &str, vault_proof: Option<String>) -> Result<Answer, Error> {
    with_body(OK, vault_proof, &Sealed { payload })
}

/// 200 with the masked card.
pub(super) fn masked(card: &Card, viewer: Party, rules: CardRules) -> Result<Answer, Error> {
    with_body(OK, None, &MaskedCard::of(card, viewer, rules))
}

/// 204.
pub(super) const fn nothing() -> Answer {
    Answer {
        status: NO_CONTENT,
        vault_proof: None,
        body: Vec::new(),
    }
}

fn with_body(status: u16, vault_proof: Option<String>, body: &impl Serialize) -> Result<Answer, Error> {
    let body = serde_json::to_vec(body).map_err(|_| Error::internal("an answer cannot be written"))?;
    Ok(Answer {
        status,
        vault_proof,
        body,
    })
}
