//! Enrol a key that may speak for a holder.

mod possession;
mod ticket;

use std::sync::Arc;

use shared::ids::{HolderToken, IdempotencyKey};
use shared::jws::holder_proof::Op;
use shared::mtls::identity::Identity;
use shared::public_key::PublicKey;
use shared::vault_api::holders::{EnrolKey, EnrolledKey as EnrolledKeyAnswer, HolderKeys, KeyState};
use time::OffsetDateTime;

use self::ticket::Ticket;
use super::lookup::{MOST_KEYS_EVER, count_keys};
use super::pending_keys;
use super::prove::{Claim, Proven};
use crate::audit::event::{Assurance, Event, Operation, Outcome};
use crate::challenges::Purpose;
use crate::domain::holder::{Acceptance, EnrolledKey, EnrolmentRefusal, Evidence, Holder, admit};
use crate::domain::program::Rules;
use crate::error::Error;
use crate::idempotency::Slot;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};

/// Admits a key: at first use, by co-signature, by possession of a card, by ticket, or as pending.
///
/// # Errors
/// The proofs', [`EnrolmentRefusal`]'s, a revoked key that comes again, a used-up budget.
pub async fn enrol_key(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    token: HolderToken,
    key: &IdempotencyKey,
    request: EnrolKey,
) -> Result<EnrolledKeyAnswer, Error> {
    let thumbprint = request.key.thumbprint();
    event.note = Some(thumbprint.to_string());
    let says = thumbprint.to_string();
    let slot = Slot::new(
        caller,
        Operation::EnrolKey,
        token.as_str(),
        key,
        &[says.as_bytes()],
        vault.now(),
    );
    if let Some(answer) = vault.replay(&slot, &event).await? {
        return Ok(answer);
    }
    let holder = vault.holder(&token)?.record;
    let program = vault.program(&holder.program)?;
    event.program = Some(holder.program.clone());
    let brought = Brought::judge(vault, &holder, &program, &request).await?;
    event.assurance = Some(brought.assurance.clone());
    vault
        .attempt(Some((&slot, &event)), async || {
            let holder = vault.holder(&token)?.record;
            let admission = Admission {
                holder: &holder,
                program: &program,
                brought: &brought,
            };
            admission.write(vault, event.clone(), &slot, &request).await
        })
        .await
}

/// What came along with the key, judged.
struct Brought {
    evidence: Evidence,
    assurance: Assurance,
    proven: Option<Proven>,
    ticket: Option<Ticket>,
}

impl Brought {
    async fn judge(
        vault: &Arc<OpenVault>,
        holder: &Holder,
        program: &Rules,
        request: &EnrolKey,
    ) -> Result<Self, Error> {
        let thumbprint = request.key.thumbprint();
        let plain = |evidence| Self {
            evidence,
            assurance: Assurance::Asserted,
            proven: None,
            ticket: None,
        };
        match (
            &request.enrolment_ticket,
            &request.enrolment_proof,
            &request.holder_proof,
        ) {
            (Some(ticket), Some(proof), _) => {
                let ticket = ticket::judge(vault, program, &thumbprint, ticket, proof).await?;
                let assurance = Assurance::ProvenByPartner(program.program().partner.clone());
                Ok(Self {
                    evidence: Evidence::Ticket,
                    assurance,
                    proven: None,
                    ticket: Some(ticket),
                })
            }
            (Some(_), None, _) => Err(Error::EnrolmentProofInvalid("a ticket without its secret")),
            (None, Some(proof), _) => {
                let card = possession::card_in_hand(vault, holder, &thumbprint, proof).await?;
                Ok(plain(Evidence::Possession(card)))
            }
            (None, None, Some(header)) => {
                let proven = co_signature(vault, holder, program, request, header)?;
                let assurance = vault.spend_proven(&proven).await?;
                let Assurance::ProvenByHolder(key) = assurance else {
                    return Err(Error::ProofInvalid(
                        "a key is co-signed by a key of the same holder".into(),
                    ));
                };
                let evidence = Evidence::CoSignature(key);
                Ok(Self {
                    evidence,
                    assurance,
                    proven: Some(proven),
                    ticket: None,
                })
            }
            (None, None, None) => Ok(plain(Evidence::None)),
        }
    }
}

fn co_signature(
    vault: &OpenVault,
    holder: &Holder,
    program: &Rules,
    request: &EnrolKey,
    header: &str,
) -> Result<Proven, Error> {
    let subject = request.key.thumbprint().to_string();
    // Nothing is sealed in this answer: the proof names the new key itself as its recipient.
    let recipient = PublicKey::from_jwk(&request.key.to_jwk());
    let recipient = recipient.map_err(|error| Error::Internal(error.to_string()))?;
    let purpose = Purpose::Holder(holder.token.clone());
    let claim = Claim {
        op: Op::EnrolKey,
        subject: &subject,
        purpose,
        holder,
        program,
        recipient: &recipient,
        payload: None,
    };
    vault.judge_given_proof(header, claim)
}

struct Admission<'a> {
    holder: &'a Holder,
    program: &'a Rules,
    brought: &'a Brought,
}

impl Admission<'_> {
    async fn write(
        self,
        vault: &Arc<OpenVault>,
        event: Event,
        slot: &Slot,
        request: &EnrolKey,
    ) -> Result<EnrolledKeyAnswer, Error> {
        let now = vault.now();
        let mut keys = vault.holder_keys(&self.holder.token)?;
        let enrolled = match self.decide(&keys, request, now)? {
            Decision::Known(answer) => {
                let mut event = event;
                event.outcome = Outcome::Replayed;
                vault.commit(event, |_, _| Ok(())).await?;
                return Ok(answer);
            }
            Decision::Enrol(enrolled) => enrolled,
        };
        keys.retain(|key| key.key.thumbprint() != enrolled.key.thumbprint());
        keys.push(enrolled.clone());
        let mut answer = render(&enrolled, now)?;
        if let Some(proven) = &self.brought.proven {
            answer.vault_proof = Some(vault.answer_proof(proven, None, count_keys(&keys, now))?);
        }
        let (slot, before, ticket) = (slot.clone(), self.holder.clone(), self.brought.ticket.clone());
        let by_possession = matches!(self.brought.evidence, Evidence::Possession(_));
        let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
            // What was decided stands only if the holder's history is still the same: two first keys at once are one
            // first key and one raced request.
            let mut holder: Holder = tx.get(&before.key())?.ok_or(Error::NotFound("holder"))?;
            if holder != before {
                return Err(Error::Raced);
            }
            if let Some(ticket) = ticket {
                ticket.spend(tx, &mut holder)?;
            }
            if by_possession {
                possession::forget_tries(tx, &before)?;
            }
            holder.ever_had_key = true;
            if holder != before {
                tx.put(&holder)?;
            }
            tx.put(&enrolled)?;
            pending_keys::follow(tx, &enrolled, &holder.program)?;
            slot.remember(tx, &answer)?;
            Ok(answer)
        };
        vault.commit(event, work).await
    }

    /// A key that is enrolled already is said again, except that evidence makes a pending one active, and a revoked one
    /// never comes back.
    fn decide(&self, keys: &[EnrolledKey], request: &EnrolKey, now: i64) -> Result<Decision, Error> {
        let thumbprint = request.key.thumbprint();
        let known = keys.iter().find(|key| key.key.thumbprint() == thumbprint);
        match known.map(|key| key.acceptance.state(now)) {
            Some(KeyState::Revoked) => {
                return Err(Error::conflict("HOLDER_KEY_REVOKED", "This key was revoked."));
            }
            Some(KeyState::Pending) if self.brought.evidence != Evidence::None => {}
            Some(KeyState::Active | KeyState::Pending) => {
                let answer = known.map(|key| render(key, now)).transpose()?;
                return answer.map(Decision::Known).ok_or(Error::NotFound("key"));
            }
            None if keys.len() >= MOST_KEYS_EVER => return Err(refusal(EnrolmentRefusal::TooManyKeys)),
            None => {}
        }
        let other = |key: &&EnrolledKey| key.key.thumbprint() != thumbprint;
        let live = |key: &&EnrolledKey| key.acceptance.state(now) != KeyState::Revoked;
        let live = keys.iter().filter(other).filter(live).count();
        let policy = &self.program.program().enrolment;
        let admitted = admit(self.holder, policy, live, self.brought.evidence.clone(), now);
        let (origin, acceptance) = admitted.map_err(refusal)?;
        let holder = self.holder.token.clone();
        Ok(Decision::Enrol(EnrolledKey {
            holder,
            key: request.key.clone(),
            origin,
            acceptance,
            enrolled_at: now,
        }))
    }
}

enum Decision {
    Known(EnrolledKeyAnswer),
    Enrol(EnrolledKey),
}

fn refusal(refusal: EnrolmentRefusal) -> Error {
    match refusal {
        EnrolmentRefusal::TicketRequired => Error::conflict(
            "ENROLMENT_TICKET_REQUIRED",
            "The program takes keys by enrolment ticket only.",
        ),
        EnrolmentRefusal::TooManyKeys => Error::conflict(
            "TOO_MANY_HOLDER_KEYS",
            "The holder has as many keys as are allowed.",
        ),
    }
}

fn render(key: &EnrolledKey, now: i64) -> Result<EnrolledKeyAnswer, Error> {
    let state = key.acceptance.state(now);
    let matures_at = match (state, key.acceptance) {
        (KeyState::Pending, Acceptance::Pending { matures_at: Some(at) }) => {
            let at = OffsetDateTime::from_unix_timestamp(at);
            Some(at.map_err(|error| Error::Corrupt(error.to_string()))?)
        }
        _ => None,
    };
    Ok(EnrolledKeyAnswer {
        thumbprint: key.key.thumbprint(),
        state,
        matures_at,
        vault_proof: None,
    })
}

/// All keys of a holder.
///
/// # Errors
/// Unknown holder.
pub fn list_keys(vault: &OpenVault, token: &HolderToken) -> Result<HolderKeys, Error> {
    vault.holder(token)?;
    let now = vault.now();
    let keys = vault.readable_keys(token)?;
    Ok(HolderKeys {
        keys: keys
            .iter()
            .map(|key| render(key, now))
            .collect::<Result<_, _>>()?,
    })
}
