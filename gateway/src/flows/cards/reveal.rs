//! Full card data, sealed by the vault to the caller. Nothing changes here, and nothing is remembered.

use serde_json::json;
use shared::public_key::PublicKey;
use shared::vault_api::PublicMembers;
use shared::vault_api::cards::{ProvenOperation, Recipient};

use super::answers::VaultsWord;
use super::{CardCaller, answers, ask};
use crate::domain::card::{Action, Card};
use crate::error::Error;
use crate::flows::attempt::Attempt;
use crate::services::Services;
use crate::store::idempotency::Answer;

/// Reveals a card to `recipient`.
///
/// # Errors
/// The proof's, the budget's, then the card's state.
pub async fn reveal(
    services: &Services,
    caller: &CardCaller,
    card: &Card,
    recipient: PublicKey,
    holder_proof: Option<String>,
) -> Result<Answer, Error> {
    let verdict = card.standing.permits(Action::Reveal, caller.party, caller.rules);
    let request = ProvenOperation {
        recipient: Recipient {
            public_key: recipient,
            members: members(card),
        },
        holder_proof,
        refuse: verdict.is_err(),
        actor: caller.actor.clone(),
    };
    let asked = services
        .vault
        .reveal(&services.vault_key()?, &card.token, &request)
        .await;
    let sealed = ask::settle(asked, verdict.map_err(Error::from), Attempt::First)?;
    let word = VaultsWord {
        vault_proof: sealed.vault_proof,
        audit_index: sealed.audit_index,
    };
    answers::sealed(&sealed.payload, word)
}

/// Token, number, CVV and expiry are the vault's to add.
fn members(card: &Card) -> PublicMembers {
    PublicMembers::from_iter([
        ("id".to_owned(), json!(card.id.0)),
        ("type".to_owned(), json!(card.standing.kind.as_str())),
        ("state".to_owned(), json!(card.standing.state.as_str())),
    ])
}
