//! Issue a virtual card: draw a PAN that nobody has, seal it, and answer with the number only to a proven holder.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::expiry::Expiry;
use shared::ids::{CardToken, HolderToken, IdempotencyKey};
use shared::jws::holder_proof::Op;
use shared::mtls::identity::Identity;
use shared::public_key::PublicKey;
use shared::vault_api::cards::{IssueCard, IssuePayload, IssuedCard, OpenIssuePayload, Recipient};

use super::answer::Answer;
use super::new_card::{Clear, NewCard};
use super::prove::{Claim, Permit, Proven};
use crate::audit::event::{Assurance, Event, Operation};
use crate::challenges::Purpose;
use crate::crypto::fingerprint::PanFingerprint;
use crate::domain::card::Card;
use crate::domain::cvv::Cvv;
use crate::domain::holder::Holder;
use crate::domain::pan::Pan;
use crate::domain::program::Rules;
use crate::error::Error;
use crate::idempotency::{Logged, Slot};
use crate::open_vault::OpenVault;
use crate::records::Record;
use crate::store::Tree;

/// Longest name of a card.
const MOST_NAME_CHARACTERS: usize = 64;

/// Which card has a PAN. The key is the keyed fingerprint.
#[derive(Serialize, Deserialize)]
pub struct PanIndex {
    #[serde(skip)]
    fingerprint: Vec<u8>,
    /// The card.
    pub card: CardToken,
}

impl PanIndex {
    /// The entry of a card's PAN.
    #[must_use]
    pub fn new(fingerprint: &PanFingerprint, card: CardToken) -> Self {
        Self {
            fingerprint: fingerprint.to_key(),
            card,
        }
    }
}

impl Record for PanIndex {
    const TREE: Tree = Tree::Fingerprints;
    fn key(&self) -> Vec<u8> {
        self.fingerprint.clone()
    }
}

/// Judges proof and payload of a request to create a card and gives the members that are not secret. Spends nothing.
///
/// # Errors
/// The proof's, then the payload's.
pub async fn open_issue_payload(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: HolderToken,
    request: OpenIssuePayload,
) -> Result<IssuePayload, Error> {
    let holder = vault.holder(&token)?.record;
    let program = vault.program(&holder.program)?;
    event.program = Some(holder.program.clone());
    if let Some(header) = &request.holder_proof {
        let issue_key = request.issue_key.as_ref();
        let claim = claim(
            &holder,
            &program,
            &request.public_key,
            Some(&request.payload),
            issue_key,
        )?;
        event.assurance = Some(vault.judge_given_proof(header, claim)?.assurance().clone());
    }
    let plain = vault.open_payload(&request.payload).await?;
    let payload = read_payload(&plain)?;
    vault.commit(event, |_, _| Ok(())).await?;
    Ok(payload)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PayloadMembers {
    balance_id: u64,
    #[serde(default)]
    name: Option<String>,
}

fn read_payload(plain: &[u8]) -> Result<IssuePayload, Error> {
    // serde's own words may repeat what was in the payload.
    let members: PayloadMembers =
        serde_json::from_slice(plain).map_err(|_| Error::InvalidPayload("not {balanceId, name?}".into()))?;
    if members
        .name
        .as_ref()
        .is_some_and(|name| name.chars().count() > MOST_NAME_CHARACTERS)
    {
        let message = format!("at most {MOST_NAME_CHARACTERS} characters");
        return Err(Error::Validation {
            field: "name",
            code: "TOO_LONG",
            message: message.into(),
        });
    }
    Ok(IssuePayload {
        balance_id: members.balance_id,
        name: members.name,
    })
}

fn claim<'a>(
    holder: &'a Holder,
    program: &'a Rules,
    recipient: &'a PublicKey,
    payload: Option<&'a str>,
    issue_key: Option<&'a IdempotencyKey>,
) -> Result<Claim<'a>, Error> {
    let issue_key = issue_key.ok_or(Error::Validation {
        field: "Idempotency-Key",
        code: "REQUIRED",
        message: "a proof of issue names the request's Idempotency-Key".into(),
    })?;
    let purpose = Purpose::Holder(holder.token.clone());
    Ok(Claim {
        op: Op::Issue,
        subject: issue_key.as_str(),
        purpose,
        holder,
        program,
        recipient,
        payload,
    })
}

/// Issues a card.
///
/// # Errors
/// The proof's, the gateway's own state, a used-up budget.
pub async fn issue(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    token: HolderToken,
    key: &IdempotencyKey,
    request: IssueCard,
) -> Result<IssuedCard, Error> {
    let holder = vault.holder(&token)?.record;
    let program = vault.program(&holder.program)?;
    let slot = slot(caller, &holder, key, &request, vault.now())?;
    if let Some(answer) = vault.replay(&slot, &event).await? {
        return Ok(answer);
    }
    let proven = judge(vault, &holder, &program, &request)?;
    let assurance = match &proven {
        Some(proven) => Some(vault.spend_proven(proven).await?),
        None => None,
    };
    if request.refuse {
        return Err(Error::StateRefused);
    }
    event.program = Some(holder.program.clone());
    event.emitted = proven.is_some();
    event.assurance = Some(assurance.unwrap_or(Assurance::Asserted));
    let permit = proven.map(|proven| Permit::Proven(Box::new(proven)));
    vault
        .attempt(Some((&slot, &event)), async || {
            let draft = Draft::draw(vault, &holder, &program)?;
            let answer = draft.answer(vault, request.recipient.as_ref(), permit.as_ref())?;
            draft.commit(vault, event.clone(), &holder, &slot, answer).await
        })
        .await
}

fn slot(
    caller: &Identity,
    holder: &Holder,
    key: &IdempotencyKey,
    request: &IssueCard,
    now: i64,
) -> Result<Slot, Error> {
    let recipient = request.recipient.as_ref();
    let members = serde_json::to_vec(&recipient.map(|recipient| &recipient.members));
    let members = members.map_err(|error| Error::Internal(error.to_string()))?;
    let thumbprint = recipient
        .map(|recipient| recipient.public_key.thumbprint().to_string())
        .unwrap_or_default();
    let payload = request.payload.as_deref().unwrap_or_default();
    let says = [members.as_slice(), thumbprint.as_bytes(), payload.as_bytes()];
    Ok(Slot::new(
        caller,
        Operation::Issue,
        holder.token.as_str(),
        key,
        &says,
        now,
    ))
}

fn judge(
    vault: &OpenVault,
    holder: &Holder,
    program: &Rules,
    request: &IssueCard,
) -> Result<Option<Proven>, Error> {
    let Some(header) = &request.holder_proof else {
        return Ok(None);
    };
    let recipient = request.recipient.as_ref();
    let recipient = recipient.ok_or(Error::Malformed("a proof needs a recipient".into()))?;
    let claim = claim(
        holder,
        program,
        &recipient.public_key,
        request.payload.as_deref(),
        request.issue_key.as_ref(),
    )?;
    vault.judge_given_proof(header, claim).map(Some)
}

/// A card that is drawn and sealed, and not yet anybody's.
struct Draft {
    new: NewCard,
    pan: Pan,
    cvv: Cvv,
}

impl Draft {
    fn draw(vault: &OpenVault, holder: &Holder, program: &Rules) -> Result<Self, Error> {
        let random = &vault.surroundings.random;
        let (pan, cvv) = (random.pan(program.bin())?, random.cvv()?);
        let exp = Expiry::months_after(vault.surroundings.clock.now(), program.program().validity_months);
        let clear = Clear {
            pan: &pan,
            exp,
            cvv: Some(&cvv),
            pin: None,
        };
        let new = NewCard::seal(vault, holder, &clear)?;
        Ok(Self { new, pan, cvv })
    }

    fn answer(
        &self,
        vault: &OpenVault,
        recipient: Option<&Recipient>,
        permit: Option<&Permit>,
    ) -> Result<IssuedCard, Error> {
        let mut payload = None;
        if let Some(recipient) = recipient {
            let mut answer = Answer::with(&recipient.members)?.masked(self.new.card());
            if permit.is_some() {
                answer = answer.pan(&self.pan).cvv(&self.cvv);
            }
            payload = Some(answer.seal(&vault.sealers, &recipient.public_key)?);
        }
        let vault_proof = match permit {
            Some(permit) => vault.vault_proof(permit, payload.as_deref())?,
            None => None,
        };
        let Card {
            token, masked, exp, ..
        } = self.new.card();
        let (card, masked_card_no) = (token.clone(), masked.clone());
        Ok(IssuedCard {
            card,
            masked_card_no,
            exp: *exp,
            payload,
            vault_proof,
            // Known on the commit thread.
            audit_index: 0,
        })
    }

    async fn commit(
        self,
        vault: &Arc<OpenVault>,
        mut event: Event,
        holder: &Holder,
        slot: &Slot,
        mut answer: IssuedCard,
    ) -> Result<IssuedCard, Error> {
        let new = self.new;
        event.card = Some(new.card().token.clone());
        event.bdh = answer.body_hash();
        let (slot, holder_key) = (slot.clone(), holder.key());
        let work = move |tx: &mut crate::records::Tx<'_, '_>, _: &mut Event| {
            let mut holder: Holder = tx.get(&holder_key)?.ok_or(Error::NotFound("holder"))?;
            // Somebody may have this number already: then another is drawn.
            new.put(tx, &mut holder)?;
            answer.audit_index = tx.audit_index();
            slot.remember(tx, &answer)?;
            Ok(answer)
        };
        vault.commit(event, work).await
    }
}
