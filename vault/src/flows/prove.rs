//! The gate: no card data leaves, and no card secret enters, without a proof by a key that the vault itself enrolled.
//!
//! Stages are types. A request comes with a header or none; [`OpenVault::judge_proof`] turns it into a [`Permit`];
//! spending the permit's nonce gives the [`Assurance`] for the audit log and lets the answer be sealed.

use shared::ids::Nonce;
use shared::jwe::BodyHash;
use shared::jws::HolderKey;
use shared::jws::holder_proof::{
    HolderProof, HolderProofClaims, Op, UnverifiedHolderProof, UnverifiedPartnerProof,
};
use shared::jws::vault_proof::{KeyCounts, VaultProofClaims};
use shared::mtls::identity::Identity;
use shared::public_key::PublicKey;
use shared::thumbprint::Thumbprint;
use shared::vault_api::governance::HolderProofPolicy;
use shared::vault_api::holders::KeyState;

use super::lookup::count_keys;
use crate::audit::event::Assurance;
use crate::challenges::Purpose;
use crate::domain::holder::{EnrolledKey, Holder};
use crate::domain::program::Rules;
use crate::domain::proof::{Expected, fits};
use crate::error::Error;
use crate::open_vault::OpenVault;

/// What a request claims to prove, and about what.
pub struct Claim<'a> {
    /// The operation.
    pub op: Op,
    /// Card token, idempotency key or thumbprint: what the proof's `card` must say.
    pub subject: &'a str,
    /// For what the nonce must be open.
    pub purpose: Purpose,
    /// The holder concerned.
    pub holder: &'a Holder,
    /// The holder's program.
    pub program: &'a Rules,
    /// To whom the answer is sealed.
    pub recipient: &'a PublicKey,
    /// The request's payload.
    pub payload: Option<&'a str>,
}

/// Leave to go on.
pub enum Permit {
    /// A proof that fits; its nonce is not spent yet.
    Proven(Box<Proven>),
    /// The program does not demand proofs of a holder who never had a key.
    Exempt,
}

/// A verified proof that fits its request.
pub struct Proven {
    claims: HolderProofClaims,
    purpose: Purpose,
    assurance: Assurance,
    keys: KeyCounts,
}

/// What a registered partner signed.
pub(super) struct SignedByPartner {
    pub(super) claims: HolderProofClaims,
    pub(super) assurance: Assurance,
    /// The key that signed.
    pub(super) key: Thumbprint,
}

impl OpenVault {
    /// Judges the proof of an operation that needs one.
    ///
    /// # Errors
    /// [`Error::ProofRequired`], [`Error::ProofInvalid`], [`Error::KeyPending`].
    pub fn judge_proof(&self, header: Option<&str>, claim: Claim<'_>) -> Result<Permit, Error> {
        let Some(header) = header else {
            let optional = claim.program.program().holder_proof == HolderProofPolicy::Optional;
            let exempt = optional && !claim.holder.ever_had_key;
            return if exempt {
                Ok(Permit::Exempt)
            } else {
                Err(Error::ProofRequired)
            };
        };
        self.judge_given_proof(header, claim)
            .map(|proven| Permit::Proven(Box::new(proven)))
    }

    /// Judges a proof that came along, needed or not.
    ///
    /// # Errors
    /// [`Error::ProofInvalid`], [`Error::KeyPending`].
    pub fn judge_given_proof(&self, header: &str, claim: Claim<'_>) -> Result<Proven, Error> {
        let now = self.now();
        let proof = HolderProof::parse(header).map_err(|_| invalid("malformed"))?;
        let keys = self.readable_keys(&claim.holder.token)?;
        let counts = count_keys(&keys, now);
        let (claims, assurance) = match proof {
            HolderProof::ByHolder(proof) => by_holder(proof, &keys, &claim.purpose, now)?,
            HolderProof::ByPartner(proof) => {
                let signed = self.by_partner(proof, claim.program)?;
                (signed.claims, signed.assurance)
            }
        };
        let recipient = claim.recipient.thumbprint();
        let expected = Expected {
            op: claim.op,
            subject: claim.subject,
            recipient: &recipient,
            payload: claim.payload.map(BodyHash::of),
        };
        fits(&claims, &expected, now).map_err(|mismatch| invalid(mismatch.to_string()))?;
        self.challenges
            .is_open(&self.records, &claim.purpose, &claims.nonce, now)?
            .map_err(|stale| invalid(stale.to_string()))?;
        Ok(Proven {
            claims,
            purpose: claim.purpose,
            assurance,
            keys: counts,
        })
    }

    /// A proof by the key of a partner's certificate: chain, revocation, register, and whose cards these are.
    ///
    /// # Errors
    /// [`Error::ProofInvalid`].
    pub(super) fn by_partner(
        &self,
        proof: UnverifiedPartnerProof,
        program: &Rules,
    ) -> Result<SignedByPartner, Error> {
        let certified = proof
            .verify()
            .map_err(|_| invalid("the signature is not by the certificate's key"))?;
        let peer = self
            .surroundings
            .partner_trust
            .check_client(certified.x5c().chain());
        let peer = peer.map_err(|error| invalid(format!("certificate: {error}")))?;
        let Identity::Partner(name) = &peer.identity else {
            return Err(invalid("the certificate is no partner's"));
        };
        if !self.registers().knows(&peer.identity, &peer.key) {
            return Err(invalid("the partner is not registered with this key"));
        }
        if name.as_str() != program.program().partner {
            return Err(invalid("the card is another partner's"));
        }
        let assurance = Assurance::ProvenByPartner(name.to_string());
        let key = certified.x5c().signer_key();
        let key = key.map_err(|_| invalid("the certificate's key does not read"))?;
        Ok(SignedByPartner {
            claims: certified.into_claims(),
            assurance,
            key: key.thumbprint(),
        })
    }

    /// Spends the nonce of a permit: from here on the proof is worth nothing to anybody else.
    ///
    /// # Errors
    /// [`Error::ProofInvalid`] when another request was faster.
    pub async fn spend(&self, permit: &Permit) -> Result<Assurance, Error> {
        match permit {
            Permit::Exempt => Ok(Assurance::Asserted),
            Permit::Proven(proven) => self.spend_proven(proven).await,
        }
    }

    /// As [`OpenVault::spend`], for a proof.
    ///
    /// # Errors
    /// [`Error::ProofInvalid`] when another request was faster.
    pub async fn spend_proven(&self, proven: &Proven) -> Result<Assurance, Error> {
        let Proven {
            claims,
            purpose,
            assurance,
            ..
        } = proven;
        let spent = self
            .challenges
            .spend(&self.records, purpose, &claims.nonce, &claims.jti, self.now())
            .await?;
        spent.map_err(|stale| invalid(stale.to_string()))?;
        Ok(assurance.clone())
    }

    /// Signs the vault's answer to a proof.
    ///
    /// # Errors
    /// No randomness.
    pub fn vault_proof(&self, permit: &Permit, payload: Option<&str>) -> Result<Option<String>, Error> {
        match permit {
            Permit::Exempt => Ok(None),
            Permit::Proven(proven) => self.answer_proof(proven, payload, proven.keys).map(Some),
        }
    }

    /// Signs the vault's answer to a proof that changed the holder's keys to `keys`.
    ///
    /// # Errors
    /// No randomness.
    pub fn answer_proof(
        &self,
        proven: &Proven,
        payload: Option<&str>,
        keys: KeyCounts,
    ) -> Result<String, Error> {
        let claims = VaultProofClaims {
            op: proven.claims.op,
            card: proven.claims.card.clone(),
            nonce: proven.claims.nonce.clone(),
            bdh: payload.map(BodyHash::of),
            keys,
        };
        let signed = claims.sign(&self.surroundings.signer.load());
        signed.map_err(|error| Error::Internal(error.to_string()))
    }
}

impl Proven {
    /// The key that signed, if it was a holder's.
    #[must_use]
    pub fn assurance(&self) -> &Assurance {
        &self.assurance
    }

    /// The challenge that was answered.
    #[must_use]
    pub fn nonce(&self) -> &Nonce {
        &self.claims.nonce
    }
}

/// A proof by one of the holder's keys. Pending keys are tried too, only to say so.
fn by_holder(
    proof: UnverifiedHolderProof,
    keys: &[EnrolledKey],
    purpose: &Purpose,
    now: i64,
) -> Result<(HolderProofClaims, Assurance), Error> {
    let card = match purpose {
        Purpose::Card(_, card) => Some(card),
        Purpose::Holder(_) => None,
    };
    let candidate =
        |key: &&EnrolledKey| key.speaks_for(card, now) || key.acceptance.state(now) == KeyState::Pending;
    let candidates: Vec<HolderKey> = keys.iter().filter(candidate).map(|key| key.key.clone()).collect();
    let verified = proof
        .verify_with(&candidates)
        .map_err(|_| invalid("signed by no key of the holder"))?;
    let signer = keys.iter().find(|key| key.key.thumbprint() == verified.key);
    if signer.is_some_and(|key| key.acceptance.state(now) == KeyState::Pending) {
        return Err(Error::KeyPending);
    }
    Ok((verified.claims, Assurance::ProvenByHolder(verified.key)))
}

pub(super) fn invalid(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::ProofInvalid(reason.into())
}
