//! Tokenise: a card that exists already is brought in by the partner, and gets a token.
//!
//! That is an oracle for card numbers, so: the partner's own key signs for each number; a number of another program's range
//! is refused before anything is looked up; a number of another issuer leads to a card for its partner alone; and whatever
//! the look-up finds is counted, and told only of the very holder who has the card.

mod look;
mod payload;
mod row;
pub mod session;
mod verdict;

use std::sync::Arc;

use shared::ids::{HolderToken, IdempotencyKey};
use shared::jwe::BodyHash;
use shared::jws::holder_proof::Op;
use shared::mtls::identity::Identity;
use shared::public_key::PublicKey;
use shared::vault_api::cards::Recipient;
use shared::vault_api::tokens::{
    OpenTokenisePayload, TokeniseCard, TokenisePayload, Tokenised, TokenisedCard,
};

use self::look::{Found, look, seal_new};
use self::payload::{Wish, read};
pub use self::row::tokenise_row;
pub use self::verdict::judge_row;
use super::answer::Answer;
use super::prove::{Claim, Permit, Proven, invalid};
use crate::audit::event::{Assurance, Event, Operation, Outcome};
use crate::challenges::Purpose;
use crate::domain::card::Card;
use crate::domain::holder::Holder;
use crate::domain::program::Rules;
use crate::domain::tokenise::Issuer;
use crate::error::Error;
use crate::idempotency::Slot;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};

/// What an operation came to that was done as far as the vault is concerned: its event is written. The inner error is what
/// the look-up found, for the caller.
pub type Judged<T> = Result<T, Error>;

/// Judges proof and payload of a request to tokenise a card and gives the members that are not secret. Looks nothing up.
///
/// # Errors
/// The proof's, then the payload's.
pub async fn open_payload(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: HolderToken,
    request: OpenTokenisePayload,
) -> Result<TokenisePayload, Error> {
    let holder = vault.holder(&token)?.record;
    let program = vault.program(&holder.program)?;
    event.program = Some(holder.program.clone());
    let claim = claim(
        &holder,
        &program,
        &request.public_key,
        &request.payload,
        &request.tokenise_key,
    );
    let proven = judge(vault, request.holder_proof.as_deref(), claim)?;
    event.assurance = Some(proven.assurance().clone());
    let plain = vault.open_payload(&request.payload).await?;
    let wish = read(vault, &program, &plain)?;
    vault.commit(event, |_, _| Ok(())).await?;
    Ok(TokenisePayload {
        balance_id: wish.balance_id,
        name: wish.name,
        kind: wish.kind,
        foreign: wish.brought.issuer == Issuer::Foreign,
    })
}

fn claim<'a>(
    holder: &'a Holder,
    program: &'a Rules,
    recipient: &'a PublicKey,
    payload: &'a str,
    key: &'a IdempotencyKey,
) -> Claim<'a> {
    Claim {
        op: Op::Tokenise,
        subject: key.as_str(),
        purpose: Purpose::Holder(holder.token.clone()),
        holder,
        program,
        recipient,
        payload: Some(payload),
    }
}

/// No program lets this pass without a proof, and no holder's key makes one.
fn judge(vault: &OpenVault, header: Option<&str>, claim: Claim<'_>) -> Result<Proven, Error> {
    let proven = vault.judge_given_proof(header.ok_or(Error::ProofRequired)?, claim)?;
    match proven.assurance() {
        Assurance::ProvenByPartner(_) => Ok(proven),
        Assurance::ProvenByHolder(_) | Assurance::Asserted => {
            Err(invalid("a card is brought in by the partner's key alone"))
        }
    }
}

/// Gives a card a token, or finds the one that it has.
///
/// # Errors
/// The proof's, then the payload's, a used-up budget. Inside: `CARD_NOT_ACCEPTED`, `CARD_ALREADY_TOKENISED`, `CARD_REMOVED`.
pub async fn tokenise(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    token: HolderToken,
    key: &IdempotencyKey,
    request: TokeniseCard,
) -> Result<Judged<Tokenised>, Error> {
    let holder = vault.holder(&token)?.record;
    let program = vault.program(&holder.program)?;
    event.program = Some(holder.program.clone());
    let slot = slot(caller, &holder, key, &request, vault.now());
    if let Some(answer) = vault.replay::<TokenisedCard>(&slot, &event).await? {
        return Ok(Ok(Tokenised::Done(answer)));
    }
    let claim = claim(
        &holder,
        &program,
        &request.recipient.public_key,
        &request.payload,
        &request.tokenise_key,
    );
    let proven = judge(vault, request.holder_proof.as_deref(), claim)?;
    let plain = vault.open_payload(&request.payload).await?;
    let wish = read(vault, &program, &plain)?;
    event.assurance = Some(proven.assurance().clone());
    // Before anything is looked up: else the budget's refusal would come too late to keep a secret.
    vault.permits(&event)?;
    match look(vault, Some(&holder.token), &program, &wish.brought)? {
        // The proof is kept for the second call, which names the card.
        Found::Held(card) if request.held.is_none() => {
            event.card = Some(card.clone());
            event.note = Some("held already".to_owned());
            vault.commit(event, |_, _| Ok(())).await?;
            Ok(Ok(Tokenised::Held { card }))
        }
        Found::Refused(refusal) => {
            vault.spend_proven(&proven).await?;
            refuse(vault, event, refusal).await.map(Err)
        }
        Found::Held(_) | Found::Free => {
            vault.spend_proven(&proven).await?;
            let bringing = Bringing {
                vault,
                holder: &holder,
                program: &program,
                wish: &wish,
                request: &request,
                permit: Permit::Proven(Box::new(proven)),
                slot: &slot,
            };
            let attempt = async || bringing.place(event.clone()).await;
            let done = vault.attempt(Some((&slot, &event)), attempt).await?;
            Ok(Ok(Tokenised::Done(done)))
        }
    }
}

/// Writes down, and counts, that a look-up ended in a refusal; gives it back.
async fn refuse(vault: &Arc<OpenVault>, mut event: Event, refusal: Error) -> Result<Error, Error> {
    event.outcome = Outcome::NoMatch;
    event.note = Some(refusal.to_string());
    vault.commit(event, |_, _| Ok(())).await?;
    Ok(refusal)
}

/// The members are not part of it: those of the second call are of another card.
fn slot(caller: &Identity, holder: &Holder, key: &IdempotencyKey, request: &TokeniseCard, now: i64) -> Slot {
    let thumbprint = request.recipient.public_key.thumbprint().to_string();
    let says = [request.payload.as_bytes(), thumbprint.as_bytes()];
    Slot::new(
        caller,
        Operation::Tokenise,
        holder.token.as_str(),
        key,
        &says,
        now,
    )
}

/// All that bringing a card in takes.
struct Bringing<'a> {
    vault: &'a Arc<OpenVault>,
    holder: &'a Holder,
    program: &'a Rules,
    wish: &'a Wish,
    request: &'a TokeniseCard,
    permit: Permit,
    slot: &'a Slot,
}

impl Bringing<'_> {
    /// Once, over what is stored by now.
    async fn place(&self, event: Event) -> Result<TokenisedCard, Error> {
        let holder = Some(&self.holder.token);
        let found = look(self.vault, holder, self.program, &self.wish.brought)?;
        match (found, &self.request.held) {
            (Found::Free, None) => self.write(event).await,
            (Found::Held(card), Some(held)) if card == *held => self.show(event, &card).await,
            (Found::Refused(refusal), _) => Err(refusal),
            // The card came or went since the caller was told.
            (Found::Free | Found::Held(_), _) => Err(Error::Raced),
        }
    }

    /// A new card.
    async fn write(&self, mut event: Event) -> Result<TokenisedCard, Error> {
        let new = seal_new(self.vault, self.holder, self.program, self.wish)?;
        let mut answer = self.answer(new.card(), &mut event)?;
        let (slot, holder_key) = (self.slot.clone(), self.holder.key());
        let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
            let mut holder: Holder = tx.get(&holder_key)?.ok_or(Error::NotFound("holder"))?;
            new.put(tx, &mut holder)?;
            answer.audit_index = tx.audit_index();
            slot.remember(tx, &answer)?;
            Ok(answer)
        };
        self.vault.commit(event, work).await
    }

    /// The card that the holder has already.
    async fn show(&self, mut event: Event, card: &shared::ids::CardToken) -> Result<TokenisedCard, Error> {
        let stored = self.vault.card_alone(card)?;
        let mut answer = self.answer(&stored.record, &mut event)?;
        let slot = self.slot.clone();
        let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
            if !tx.is_unchanged(&stored)? {
                return Err(Error::Raced);
            }
            answer.audit_index = tx.audit_index();
            slot.remember(tx, &answer)?;
            Ok(answer)
        };
        self.vault.commit(event, work).await
    }

    fn answer(&self, card: &Card, event: &mut Event) -> Result<TokenisedCard, Error> {
        let Recipient { public_key, members } = &self.request.recipient;
        let payload = Answer::with(members)?
            .masked(card)
            .seal(&self.vault.sealers, public_key)?;
        let vault_proof = self.vault.vault_proof(&self.permit, Some(&payload))?;
        event.card = Some(card.token.clone());
        event.bdh = Some(BodyHash::of(&payload));
        Ok(TokenisedCard {
            card: card.token.clone(),
            masked_card_no: card.masked.clone(),
            exp: card.exp,
            foreign: card.foreign_of.is_some(),
            payload,
            vault_proof: vault_proof
                .ok_or_else(|| Error::Internal("a proof without an answer to it".to_owned()))?,
            // Known on the commit thread.
            audit_index: 0,
        })
    }
}
