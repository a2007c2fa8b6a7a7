//! Create a virtual card: one operation from the client's key to the vault's.
//!
//! Proof and payload are the vault's to judge and come before the gateway's own state. An encrypted body is opened first,
//! which changes nothing; a plain one under proof that the state forbids goes to the vault to be refused there.

use shared::ids::IdempotencyKey;
use shared::jwe::CompactJwe;
use shared::problem::FieldError;
use shared::public_key::PublicKey;
use shared::vault_api::PublicMembers;
use shared::vault_api::cards::{IssueCard, OpenIssuePayload, Recipient};

use super::carry_out::{carry_out, go_on};
use super::{CardCaller, ask};
use crate::domain::balance::{BalanceId, BalanceState};
use crate::domain::card::{CardId, CardName, NewCard, OwnMembers};
use crate::domain::kyc::KycStatus;
use crate::error::{Code, Error};
use crate::flows::attempt::Attempt;
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::card_requests::{CardRequest, Issue, Proof, Task};
use crate::store::cards::life;
use crate::store::idempotency::{Answer, Claim, Request};
use crate::store::{Sequence, StoreError, Tx, balances, card_requests, users};

/// What a caller asks for.
pub struct NewVirtualCard {
    /// Balance and name.
    pub body: NewCardBody,
    /// To whom the answer is sealed.
    pub recipient: PublicKey,
    /// The proof `op: issue`, when one came along; one that cannot be read is told of unless the request was answered
    /// before.
    pub proof: Result<Option<IssueProof>, Error>,
}

/// A proof and the `Idempotency-Key` that it names.
pub struct IssueProof {
    /// The header `Holder-Proof`.
    pub holder_proof: String,
    /// The header `Idempotency-Key`.
    pub issue_key: IdempotencyKey,
}

impl IssueProof {
    pub(super) fn fresh(&self) -> Proof {
        Proof {
            holder_proof: self.holder_proof.clone(),
            issue_key: Some(self.issue_key.clone()),
        }
    }
}

/// Balance and name of a new card.
pub enum NewCardBody {
    /// In clear.
    Plain(CardWish),
    /// Sealed to the vault.
    Sealed(CompactJwe),
}

/// On which balance, and under which name.
#[derive(Clone)]
pub struct CardWish {
    /// The balance.
    pub balance: BalanceId,
    /// What the user calls the card.
    pub name: Option<CardName>,
    /// The card whose place it is to take.
    pub replaces: Option<CardId>,
}

/// Creates a card. Under proof the answer shows card data: `admit` then counts it, once for all tries.
///
/// # Errors
/// The proof's, the payload's, then `USER_LOCKED`, `KYC_REQUIRED`, `BALANCE_REQUIRED`, `NOT_FOUND` for a balance that is not the user's.
pub async fn create_virtual(
    services: &Services,
    caller: &CardCaller,
    new: NewVirtualCard,
    request: &Request,
    admit: impl FnOnce() -> Result<(), Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let NewVirtualCard {
        body,
        recipient,
        proof,
    } = new;
    let proof = proof?;
    let fresh = proof.as_ref().map(IssueProof::fresh);
    if let Some(work) = card_requests::resume(&mut tx, claim.entry(), fresh, services.now()).await? {
        tx.commit().await?;
        return go_on(services, &work).await;
    }
    if proof.is_some() {
        admit()?;
    }
    let (wish, payload, tx) = match body {
        NewCardBody::Plain(wish) => (wish, None, tx),
        NewCardBody::Sealed(payload) => {
            tx.commit().await?;
            match open_body(services, caller, &payload, &recipient, proof.as_ref()).await {
                Ok(wish) => (wish, Some(payload), services.db.begin().await?),
                Err(error) => return ask::end(services, &claim, Err(error)).await,
            }
        }
    };
    let call = Call {
        recipient,
        payload,
        proof,
    };
    match write_down(services, caller, &claim, wish, &call, tx).await? {
        Ok(work) => carry_out(services, &work, Attempt::First).await,
        Err(verdict) => {
            let told = call.refused(services, caller, verdict).await;
            ask::end(services, &claim, Err(told)).await
        }
    }
}

/// Lets the vault judge the proof and open the body; the name is judged by our rules too.
async fn open_body(
    services: &Services,
    caller: &CardCaller,
    payload: &CompactJwe,
    recipient: &PublicKey,
    proof: Option<&IssueProof>,
) -> Result<CardWish, Error> {
    let request = OpenIssuePayload {
        payload: payload.as_str().to_owned(),
        holder_proof: proof.map(|proof| proof.holder_proof.clone()),
        issue_key: proof.map(|proof| proof.issue_key.clone()),
        public_key: recipient.clone(),
        actor: caller.actor.clone(),
    };
    let opened = services
        .vault
        .open_issue_payload(&services.vault_key()?, &caller.user.holder, &request)
        .await?;
    let name = opened
        .name
        .as_deref()
        .map(CardName::parse)
        .transpose()
        .map_err(|rule| {
            let (code, message) = (rule.code.into(), rule.message.into());
            Error::invalid(vec![FieldError {
                field: "name".into(),
                code,
                message,
            }])
        })?;
    // A number beyond every balance is nobody's balance.
    let balance = BalanceId(i64::try_from(opened.balance_id).unwrap_or(i64::MAX));
    Ok(CardWish {
        balance,
        name,
        replaces: None,
    })
}

/// What goes to the vault beside the card itself.
pub(super) struct Call {
    pub(super) recipient: PublicKey,
    pub(super) payload: Option<CompactJwe>,
    pub(super) proof: Option<IssueProof>,
}

impl Call {
    fn issue(&self, caller: &CardCaller, members: PublicMembers, refuse: bool) -> IssueCard {
        IssueCard {
            recipient: Some(Recipient {
                public_key: self.recipient.clone(),
                members,
            }),
            payload: self.payload.as_ref().map(|payload| payload.as_str().to_owned()),
            holder_proof: self.proof.as_ref().map(|proof| proof.holder_proof.clone()),
            issue_key: self.proof.as_ref().map(|proof| proof.issue_key.clone()),
            refuse,
            actor: caller.actor.clone(),
        }
    }

    /// What the caller is told when the state forbids the card: a bad proof before that. With an encrypted body the vault
    /// has judged the proof already.
    pub(super) async fn refused(&self, services: &Services, caller: &CardCaller, verdict: Error) -> Error {
        if self.payload.is_some() || self.proof.is_none() {
            return verdict;
        }
        let key = match services.vault_key() {
            Ok(key) => key,
            Err(error) => return error,
        };
        let call = self.issue(caller, PublicMembers::new(), true);
        ask::refusal(
            services.vault.issue(&key, &caller.user.holder, &call).await,
            verdict,
        )
    }
}

/// Judges the state and writes the work down, in one transaction. The inner error is the state's verdict.
pub(super) async fn write_down(
    services: &Services,
    caller: &CardCaller,
    claim: &Claim,
    wish: CardWish,
    call: &Call,
    mut tx: Tx,
) -> Result<Result<CardRequest, Error>, Error> {
    if let Some(code) = verdict(&mut tx, caller, wish.balance).await? {
        tx.commit().await?;
        return Ok(Err(code.into()));
    }
    let now = services.now();
    let CardWish {
        balance,
        name,
        replaces,
    } = wish;
    let id = CardId(tx.next_number(Sequence::Cards).await?);
    let card = NewCard {
        id,
        user: caller.user.id,
        balance,
        name,
        created_at: now,
        replaces,
    };
    if let Some(old) = replaces {
        life::reserve(&mut tx, old, id).await?;
    }
    let members = OwnMembers::of_new(&card, caller.party, caller.rules).into_map();
    let task = Task::Issue(Issue::new(
        caller.user.holder.clone(),
        &card,
        call.issue(caller, members, false),
    ));
    let (key, stamp) = (services.vault_key()?, caller.stamp.clone());
    let stamp = stamp.map(|stamp| stamp.about_card(id));
    let work = card_requests::begin(&mut tx, id, claim.entry(), key, task, stamp, now).await?;
    tx.commit().await?;
    Ok(Ok(work))
}

/// What the user lacks for a card on this balance.
pub(super) async fn verdict(
    tx: &mut Tx,
    caller: &CardCaller,
    balance: BalanceId,
) -> Result<Option<Code>, StoreError> {
    let user = caller.user.id;
    match users::find_for_update(tx, user).await? {
        Some(user) if !user.may_get_more() => return Ok(Some(Code::UserLocked)),
        Some(user) if user.kyc == KycStatus::Accepted => {}
        Some(_) | None => return Ok(Some(Code::KycRequired)),
    }
    Ok(match balances::find(tx, user, balance).await? {
        Some(balance) if balance.state == BalanceState::Active => None,
        Some(_) => Some(Code::BalanceRequired),
        None if balances::list(tx, user, 0, 1).await?.is_empty() => Some(Code::BalanceRequired),
        None => Some(Code::NotFound),
    })
}
