//! A new CVV that nobody is told: an operator resets it, the holder looks at it with a proof of their own.
//!
//! The effect is the vault's alone. The audit trail says before that it is asked for, and after what came of it, so that no
//! crash leaves a reset without its entry.

use serde_json::json;
use shared::public_key::PublicKey;
use shared::vault_api::PublicMembers;
use shared::vault_api::cards::{Recipient, ResetCvvUnseen};

use super::answers::VaultsWord;
use super::{CardCaller, answers, ask, tell};
use crate::domain::card::{Action, Card};
use crate::domain::event::EventKind;
use crate::error::Error;
use crate::flows::attempt::Attempt;
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::Tx;
use crate::store::audit::{self, Outcome};
use crate::store::idempotency::{Answer, Claim, Request};

/// Resets a card's CVV and seals the masked card to `recipient`.
///
/// # Errors
/// The card's state; that the vault is away.
pub async fn reset_cvv_unseen(
    services: &Services,
    caller: &CardCaller,
    card: &Card,
    recipient: PublicKey,
    request: &Request,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let verdict = card
        .standing
        .permits(Action::ResetCvv, caller.party, caller.rules);
    if let Err(refusal) = verdict {
        note(services, caller, &mut tx, Outcome::Refused).await?;
        claim.abandon(&mut tx).await?;
        tx.commit().await?;
        return Err(refusal.into());
    }
    note(services, caller, &mut tx, Outcome::Asked).await?;
    tx.commit().await?;
    let outcome = ask_vault(services, caller, card, recipient, (request, &claim)).await;
    if outcome.as_ref().is_err_and(Error::vault_may_have_acted) {
        return outcome;
    }
    let mut tx = services.db.begin().await?;
    match &outcome {
        Ok(answer) => {
            note(services, caller, &mut tx, Outcome::Done).await?;
            let event = tell::about(EventKind::CvvReset, &caller.user.partner, card);
            tell::write(services, &mut tx, &event).await?;
            claim.complete(&mut tx, answer).await?;
        }
        Err(_) => {
            note(services, caller, &mut tx, Outcome::Refused).await?;
            claim.abandon(&mut tx).await?;
        }
    }
    tx.commit().await?;
    outcome
}

async fn note(services: &Services, caller: &CardCaller, tx: &mut Tx, outcome: Outcome) -> Result<(), Error> {
    if let Some(stamp) = &caller.stamp {
        audit::write(tx, stamp, outcome, services.now()).await?;
    }
    Ok(())
}

async fn ask_vault(
    services: &Services,
    caller: &CardCaller,
    card: &Card,
    recipient: PublicKey,
    (request, claim): (&Request, &Claim),
) -> Result<Answer, Error> {
    let operation = ResetCvvUnseen {
        recipient: Recipient {
            public_key: recipient,
            members: PublicMembers::from_iter([("id".to_owned(), json!(card.id.0))]),
        },
        actor: caller.actor.clone(),
    };
    let key = ask::vault_key(services, request, claim)?;
    let sealed = services
        .vault
        .reset_cvv_unseen(&key, &card.token, &operation)
        .await
        .map_err(|error| Attempt::of_claim(claim, services.now()).judge(error))?;
    let word = VaultsWord {
        vault_proof: sealed.vault_proof,
        audit_index: sealed.audit_index,
    };
    answers::sealed(&sealed.payload, word)
}
