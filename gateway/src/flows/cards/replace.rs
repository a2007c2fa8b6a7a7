//! Put another card in the place of one that is locked as lost, stolen or replaced: same type, same balance, a number of its
//! own. The two name each other. A Digital First card gives its place to a virtual one, of which plastic may be ordered. The
//! successor of a physical card is ordered at the bureau: that is `order_physical`, told which card's place it takes.
//!
//! As with every new card, what is wrong with a proof is told before what the state forbids.

use super::carry_out::{carry_out, go_on};
use super::create_virtual::{Call, CardWish, IssueProof, write_down};
use super::{CardCaller, ask};
use crate::domain::card::{Action, Card, CardId};
use crate::error::Error;
use crate::flows::attempt::Attempt;
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::card_requests;
use crate::store::idempotency::{Answer, Request};
use shared::public_key::PublicKey;

/// What a caller asks for.
pub struct Replacement {
    /// To whom the answer is sealed.
    pub recipient: PublicKey,
    /// The proof `op: issue`, when one came along; one that cannot be read is told of unless the request was answered
    /// before.
    pub proof: Result<Option<IssueProof>, Error>,
}

/// Replaces the card `old`, which is not a physical one. Under proof the answer shows card data: `admit` then counts it, once
/// for all tries.
///
/// # Errors
/// The proof's, then the card's state, `NOT_REPLACEABLE`, `ALREADY_REPLACED`, `KYC_REQUIRED`, `BALANCE_REQUIRED`.
pub async fn replace(
    services: &Services,
    caller: &CardCaller,
    old: CardId,
    new: Replacement,
    request: &Request,
    admit: impl FnOnce() -> Result<(), Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let Replacement { recipient, proof } = new;
    let proof = proof?;
    let fresh = proof.as_ref().map(IssueProof::fresh);
    if let Some(work) = card_requests::resume(&mut tx, claim.entry(), fresh, services.now()).await? {
        tx.commit().await?;
        return go_on(services, &work).await;
    }
    if proof.is_some() {
        admit()?;
    }
    let call = Call {
        recipient,
        payload: None,
        proof,
    };
    // Held to the end of the transaction: nobody else replaces it meanwhile.
    let old = caller.take(services, &mut tx, old).await?;
    let judged = match old.standing.permits(Action::Replace, caller.party, caller.rules) {
        Ok(()) => write_down(services, caller, &claim, wish(old), &call, tx).await?,
        Err(refusal) => {
            tx.commit().await?;
            Err(refusal.into())
        }
    };
    match judged {
        Ok(work) => carry_out(services, &work, Attempt::First).await,
        Err(verdict) => {
            let told = call.refused(services, caller, verdict).await;
            ask::end(services, &claim, Err(told)).await
        }
    }
}

fn wish(old: Card) -> CardWish {
    CardWish {
        balance: old.balance,
        name: old.name,
        replaces: Some(old.id),
    }
}
