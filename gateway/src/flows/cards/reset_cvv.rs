//! A new CVV, told to the holder alone.

use serde_json::json;
use shared::public_key::PublicKey;
use shared::vault_api::PublicMembers;
use shared::vault_api::cards::{ProvenOperation, Recipient};

use super::answers::VaultsWord;
use super::ask;
use super::{CardCaller, answers, tell};
use crate::domain::card::{Action, Card};
use crate::domain::event::EventKind;
use crate::error::Error;
use crate::flows::attempt::Attempt;
use crate::flows::claimed::Opened;
use crate::services::Services;
use crate::store::idempotency::{Answer, Claim, Request};

/// Resets a card's CVV and seals the new one to `recipient`. `holder_proof` may be one that cannot be read, and `admit`
/// counts the reset: neither is looked at when the request was answered before, the second once for all tries.
///
/// # Errors
/// The proof's, the budget's, then the card's state.
pub async fn reset_cvv(
    services: &Services,
    caller: &CardCaller,
    card: &Card,
    recipient: PublicKey,
    holder_proof: Result<Option<String>, Error>,
    request: &Request,
    admit: impl FnOnce() -> Result<(), Error>,
) -> Result<Answer, Error> {
    let mut proof = None;
    let opened = ask::begin(services, request, |claim| {
        proof = holder_proof?;
        match claim.resumed_from() {
            None => admit(),
            Some(_) => Ok(()),
        }
    });
    let claim = match opened.await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let asked = reset(services, caller, card, recipient, proof, (request, &claim)).await;
    let event = tell::about(EventKind::CvvReset, &caller.user.partner, card);
    ask::end_telling(services, &claim, asked, &event).await
}

async fn reset(
    services: &Services,
    caller: &CardCaller,
    card: &Card,
    recipient: PublicKey,
    holder_proof: Option<String>,
    (request, claim): (&Request, &Claim),
) -> Result<Answer, Error> {
    let verdict = card
        .standing
        .permits(Action::ResetCvv, caller.party, caller.rules);
    let members = PublicMembers::from_iter([("id".to_owned(), json!(card.id.0))]);
    let operation = ProvenOperation {
        recipient: Recipient {
            public_key: recipient,
            members,
        },
        holder_proof,
        refuse: verdict.is_err(),
        actor: caller.actor.clone(),
    };
    let key = ask::vault_key(services, request, claim)?;
    let asked = services.vault.reset_cvv(&key, &card.token, &operation).await;
    let sealed = ask::settle(
        asked,
        verdict.map_err(Error::from),
        Attempt::of_claim(claim, services.now()),
    )?;
    let word = VaultsWord {
        vault_proof: sealed.vault_proof,
        audit_index: sealed.audit_index,
    };
    answers::sealed(&sealed.payload, word)
}
