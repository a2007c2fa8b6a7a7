//! Enrol a key that may speak for a holder.

use std::sync::Arc;

use shared::ids::{HolderToken, IdempotencyKey};
use shared::jws::holder_proof::Op;
use shared::mtls::identity::Identity;
use shared::public_key::PublicKey;
use shared::vault_api::holders::{EnrolKey, EnrolledKey as EnrolledKeyAnswer, HolderKeys, KeyState};
use time::OffsetDateTime;

use super::lookup::count_keys;
use super::prove::{Claim, Proven};
use crate::audit::event::{Assurance, Event, Operation};
use crate::challenges::Purpose;
use crate::domain::holder::{Acceptance, EnrolledKey, EnrolmentRefusal, Evidence, Holder, admit};
use crate::domain::program::Rules;
use crate::error::Error;
use crate::idempotency::Slot;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};

/// Admits a key: at first use, by co-signature, or as pending.
///
/// # Errors
/// The proof's, [`EnrolmentRefusal`]'s, a revoked key that comes again, a used-up budget.
pub async fn enrol_key(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    token: HolderToken,
    key: &IdempotencyKey,
    request: EnrolKey,
) -> Result<EnrolledKeyAnswer, Error> {
    let thumbprint = request.key.thumbprint();
    let says = thumbprint.to_string();
    let slot = Slot::new(
        caller,
        Operation::EnrolKey,
        token.as_str(),
        key,
        &[says.as_bytes()],
        vault.now(),
    );
    if let Some(answer) = slot.replay(&vault.records)? {
        return Ok(answer);
    }
    let holder = vault.holder(&token)?.record;
    let program = vault.program(&holder.program)?;
    event.program = Some(holder.program.clone());
    event.note = Some(thumbprint.to_string());
    let proven = judge(vault, &holder, &program, &request)?;
    event.assurance = Some(match &proven {
        Some(proven) => vault.spend_proven(proven)?,
        None => Assurance::Asserted,
    });
    let evidence = evidence(proven.as_ref())?;
    vault
        .attempt(Some(&slot), async || {
            let holder = vault.holder(&token)?.record;
            let admission = Admission {
                holder: &holder,
                program: &program,
                evidence: evidence.clone(),
            };
            admission
                .write(vault, event.clone(), &slot, &request, proven.as_ref())
                .await
        })
        .await
}

fn judge(
    vault: &OpenVault,
    holder: &Holder,
    program: &Rules,
    request: &EnrolKey,
) -> Result<Option<Proven>, Error> {
    let Some(header) = &request.holder_proof else {
        return Ok(None);
    };
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
    vault.judge_given_proof(header, claim).map(Some)
}

fn evidence(proven: Option<&Proven>) -> Result<Evidence, Error> {
    match proven.map(Proven::assurance) {
        None => Ok(Evidence::None),
        Some(Assurance::ProvenByHolder(key)) => Ok(Evidence::CoSignature(*key)),
        Some(Assurance::ProvenByPartner(_) | Assurance::Asserted) => Err(Error::ProofInvalid(
            "a key is co-signed by a key of the same holder".into(),
        )),
    }
}

struct Admission<'a> {
    holder: &'a Holder,
    program: &'a Rules,
    evidence: Evidence,
}

impl Admission<'_> {
    async fn write(
        self,
        vault: &Arc<OpenVault>,
        event: Event,
        slot: &Slot,
        request: &EnrolKey,
        proven: Option<&Proven>,
    ) -> Result<EnrolledKeyAnswer, Error> {
        let now = vault.now();
        let mut keys = vault.holder_keys(&self.holder.token)?;
        let thumbprint = request.key.thumbprint();
        if let Some(known) = keys.iter().find(|key| key.key.thumbprint() == thumbprint) {
            return again(known, now);
        }
        let live = keys
            .iter()
            .filter(|key| key.acceptance.state(now) != KeyState::Revoked)
            .count();
        let policy = &self.program.program().enrolment;
        let admitted = admit(self.holder, policy, live, self.evidence, now);
        let (origin, acceptance) = admitted.map_err(refusal)?;
        let holder = self.holder.token.clone();
        let enrolled = EnrolledKey {
            holder,
            key: request.key.clone(),
            origin,
            acceptance,
            enrolled_at: now,
        };
        keys.push(enrolled.clone());
        let mut answer = render(&enrolled, now)?;
        if let Some(proven) = proven {
            answer.vault_proof = Some(vault.answer_proof(proven, None, count_keys(&keys, now))?);
        }
        let (slot, before) = (slot.clone(), self.holder.clone());
        let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
            // What was decided stands only if the holder's history is still the same: two first keys at once are one
            // first key and one raced request.
            let holder: Holder = tx.get(&before.key())?.ok_or(Error::NotFound("holder"))?;
            if holder != before || tx.exists::<EnrolledKey>(&enrolled.key())? {
                return Err(Error::Raced);
            }
            if !holder.ever_had_key {
                tx.put(&Holder {
                    ever_had_key: true,
                    ..holder
                })?;
            }
            tx.put(&enrolled)?;
            slot.remember(tx, &answer)?;
            Ok(answer)
        };
        vault.commit(event, work).await
    }
}

/// A key that is enrolled already: said again, except that a revoked one never comes back.
fn again(known: &EnrolledKey, now: i64) -> Result<EnrolledKeyAnswer, Error> {
    match known.acceptance.state(now) {
        KeyState::Active | KeyState::Pending => render(known, now),
        KeyState::Revoked => Err(Error::conflict("HOLDER_KEY_REVOKED", "This key was revoked.")),
    }
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
    let keys = vault.holder_keys(token)?;
    Ok(HolderKeys {
        keys: keys
            .iter()
            .map(|key| render(key, now))
            .collect::<Result<_, _>>()?,
    })
}
