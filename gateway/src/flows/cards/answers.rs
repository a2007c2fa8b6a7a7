//! The bodies of card answers, made once and filed as they are sent.

use serde::{Deserialize, Serialize};
use shared::ids::CardToken;

use crate::domain::card::{Card, CardRules, MaskedCard};
use crate::domain::lock::Party;
use crate::error::Error;
use crate::store::idempotency::Answer;

const OK: u16 = 200;
const CREATED: u16 = 201;
const ACCEPTED: u16 = 202;
const NO_CONTENT: u16 = 204;

/// What the vault sealed to the caller. The gateway cannot open it.
#[derive(Serialize)]
struct Sealed<'a> {
    payload: &'a str,
}

/// A card that a row of a mass import brought in, as the row's result tells of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BroughtCard {
    card_id: i64,
    token: CardToken,
}

impl BroughtCard {
    /// Reads what the work on a row came to.
    ///
    /// # Errors
    /// It is another work's.
    pub(super) fn read(answer: &Answer) -> Result<Self, Error> {
        serde_json::from_slice(&answer.body)
            .map_err(|_| Error::internal("the work on a row came to another end"))
    }
}

/// What the vault says of a sealed answer, passed on as headers.
pub(super) struct VaultsWord {
    /// `Vault-Proof`.
    pub(super) vault_proof: Option<String>,
    /// `Audit-Index`.
    pub(super) audit_index: u64,
}

/// 201 with a sealed body.
pub(super) fn sealed_created(payload: &str, word: VaultsWord) -> Result<Answer, Error> {
    with_body(CREATED, Some(word), &Sealed { payload })
}

/// 202 with what is to be asked for later.
pub(super) fn accepted(body: &impl Serialize) -> Result<Answer, Error> {
    with_body(ACCEPTED, None, body)
}

/// 200 with a sealed body.
pub(super) fn sealed(payload: &str, word: VaultsWord) -> Result<Answer, Error> {
    with_body(OK, Some(word), &Sealed { payload })
}

/// 200 with the masked card.
pub(super) fn masked(card: &Card, viewer: Party, rules: CardRules) -> Result<Answer, Error> {
    with_body(OK, None, &MaskedCard::of(card, viewer, rules))
}

/// 200 with which card it is.
pub(super) fn brought(card: &Card) -> Result<Answer, Error> {
    let brought = BroughtCard {
        card_id: card.id.0,
        token: card.token.clone(),
    };
    with_body(OK, None, &brought)
}

/// 204.
pub(super) const fn nothing() -> Answer {
    Answer {
        status: NO_CONTENT,
        vault_proof: None,
        audit_index: None,
        body: Vec::new(),
    }
}

fn with_body(status: u16, word: Option<VaultsWord>, body: &impl Serialize) -> Result<Answer, Error> {
    let body = serde_json::to_vec(body).map_err(|_| Error::internal("an answer cannot be written"))?;
    let audit_index = word.as_ref().map(|word| word.audit_index);
    Ok(Answer {
        status,
        vault_proof: word.and_then(|word| word.vault_proof),
        audit_index,
        body,
    })
}
