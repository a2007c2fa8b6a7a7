//! Reveal a card: number, expiry and CVC2, sealed to the key that a proven holder names.

use std::cell::Cell;
use std::sync::Arc;

use shared::ids::CardToken;
use shared::jwe::BodyHash;
use shared::jws::holder_proof::Op;
use shared::vault_api::cards::{ProvenOperation, SealedAnswer};

use super::answer::Answer;
use super::lookup::CardContext;
use super::prove::{Claim, Permit};
use crate::audit::event::Event;
use crate::challenges::Purpose;
use crate::domain::card::Card;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::Stored;

/// Judges, opens, seals, writes it down, answers.
///
/// # Errors
/// The proof's, the gateway's own state, a one-way flag, a used-up budget.
pub async fn reveal(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: CardToken,
    request: ProvenOperation,
) -> Result<SealedAnswer, Error> {
    let context = vault.card(&token)?;
    let permit = context.judge(vault, Op::Reveal, &request, None)?;
    event.assurance = Some(vault.spend(&permit).await?);
    if request.refuse {
        return Err(Error::StateRefused);
    }
    context.describe(&mut event);
    event.emitted = true;
    // The card that was judged is the card that is sealed; only after a lost race is it read anew.
    let judged = Cell::new(Some(context.card));
    let attempt = async || {
        let card = judged.take().map_or_else(|| vault.card_alone(&token), Ok)?;
        seal(vault, event.clone(), card, &request, &permit).await
    };
    vault.attempt(None, attempt).await
}

async fn seal(
    vault: &Arc<OpenVault>,
    mut event: Event,
    stored: Stored<Card>,
    request: &ProvenOperation,
    permit: &Permit,
) -> Result<SealedAnswer, Error> {
    let card = &stored.record;
    card.standing.permits_use()?;
    let secrets = vault.secrets(card)?;
    let answer = Answer::with(&request.recipient.members)?.token(card).expiry(card);
    let answer = answer.pan(&secrets.pan(card)?);
    // A card that was brought in may have none.
    let answer = match secrets.cvv(card)? {
        Some(cvv) => answer.cvv(&cvv),
        None => answer,
    };
    let payload = answer.seal(&vault.sealers, &request.recipient.public_key)?;
    let vault_proof = vault.vault_proof(permit, Some(&payload))?;
    event.bdh = Some(BodyHash::of(&payload));
    let audit_index = vault
        .commit(event, move |tx, _| {
            if tx.is_unchanged(&stored)? {
                Ok(tx.audit_index())
            } else {
                Err(Error::Raced)
            }
        })
        .await?;
    Ok(SealedAnswer {
        payload,
        vault_proof,
        order: None,
        audit_index,
    })
}

impl CardContext {
    /// Judges the proof of an operation on this card.
    ///
    /// # Errors
    /// The proof's.
    pub fn judge(
        &self,
        vault: &OpenVault,
        op: Op,
        request: &ProvenOperation,
        payload: Option<&str>,
    ) -> Result<Permit, Error> {
        let claim = self.claim(op, &request.recipient.public_key, payload);
        vault.judge_proof(request.holder_proof.as_deref(), claim)
    }

    /// What a proof of an operation on this card must say.
    #[must_use]
    pub fn claim<'a>(
        &'a self,
        op: Op,
        recipient: &'a shared::public_key::PublicKey,
        payload: Option<&'a str>,
    ) -> Claim<'a> {
        let card = &self.card.record;
        Claim {
            op,
            subject: card.token.as_str(),
            purpose: Purpose::Card(card.holder.clone(), card.token.clone()),
            holder: &self.holder.record,
            program: &self.program,
            recipient,
            payload,
        }
    }

    /// Names holder and program in an event.
    pub fn describe(&self, event: &mut Event) {
        event.holder = Some(self.card.record.holder.clone());
        event.program = Some(self.card.record.program.clone());
    }
}
