//! Tokenise a card that exists already: the partner seals its number to the vault and signs for it; here it is judged whose
//! it may become, written down, and carried out like a new card.
//!
//! Rows of mass imports come by [`row`], one call a row, under a session that the vault opened for the import; a dry run asks
//! for the vault's verdict on them alone ([`judge_row`]).

mod effect;
mod row;

use shared::ids::IdempotencyKey;
use shared::jwe::CompactJwe;
use shared::problem::FieldError;
use shared::public_key::PublicKey;
use shared::vault_api::PublicMembers;
use shared::vault_api::cards::Recipient;
use shared::vault_api::tokens::{OpenTokenisePayload, TokeniseCard, TokenisePayload};

pub(super) use self::effect::{ask_vault, row_tokenised, tokenised};
pub use self::row::{CardRow, ask_for_verdict, judge_row, row, session};
pub use super::answers::BroughtCard;
use super::carry_out::{carry_out, go_on};
use super::{CardCaller, ask};
use crate::domain::balance::{BalanceId, BalanceState};
use crate::domain::card::{CardId, CardName, NewCard, OwnMembers};
use crate::domain::kyc::KycStatus;
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::flows::attempt::Attempt;
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::card_requests::{self, CardRequest, Proof, Task, Tokenise, brought_in};
use crate::store::idempotency::{Answer, Claim, Request};
use crate::store::{Sequence, StoreError, Tx, balances, users};

/// Balances of a user among which the first in use is looked for.
const MOST_BALANCES: i64 = 100;

/// What a partner asks for.
pub struct ExistingCard {
    /// Number, expiry and the rest, sealed to the vault.
    pub payload: CompactJwe,
    /// To whom the answer is sealed.
    pub recipient: PublicKey,
    /// The proof `op: tokenise`; one that cannot be read is told of unless the request was answered before.
    pub holder_proof: Result<Option<String>, Error>,
    /// The header `Idempotency-Key`, which the proof names.
    pub key: IdempotencyKey,
}

/// Tokenises a card.
///
/// # Errors
/// The proof's, the payload's, then `USER_LOCKED`, `KYC_REQUIRED`, `BALANCE_REQUIRED`, `NOT_FOUND` for a balance that is not the user's, then
/// `CARD_NOT_ACCEPTED`, `CARD_ALREADY_TOKENISED`, `CARD_REMOVED`.
pub async fn tokenise(
    services: &Services,
    caller: &CardCaller,
    card: ExistingCard,
    request: &Request,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let ExistingCard {
        payload,
        recipient,
        holder_proof,
        key,
    } = card;
    let holder_proof = holder_proof?;
    let fresh = holder_proof.clone().map(|holder_proof| Proof {
        holder_proof,
        issue_key: None,
    });
    let earlier = card_requests::resume(&mut tx, claim.entry(), fresh, services.now()).await?;
    tx.commit().await?;
    if let Some(work) = earlier {
        return go_on(services, &work).await;
    }
    let asking = Asking {
        services,
        caller,
        call: TokeniseCard {
            recipient: Recipient {
                public_key: recipient,
                members: PublicMembers::new(),
            },
            payload: payload.as_str().to_owned(),
            holder_proof,
            tokenise_key: key,
            held: None,
            actor: caller.actor.clone(),
        },
    };
    let work = match asking.open_payload().await {
        Ok(opened) => asking.write_down(&claim, opened).await?,
        Err(error) => Err(error),
    };
    match work {
        Ok(work) => carry_out(services, &work, Attempt::First).await,
        Err(told) => ask::end(services, &claim, Err(told)).await,
    }
}

struct Asking<'a> {
    services: &'a Services,
    caller: &'a CardCaller,
    call: TokeniseCard,
}

impl Asking<'_> {
    /// Lets the vault judge the proof and open the body. Nothing is looked up there.
    async fn open_payload(&self) -> Result<TokenisePayload, Error> {
        let TokeniseCard {
            recipient,
            payload,
            holder_proof,
            tokenise_key,
            actor,
            ..
        } = &self.call;
        let request = OpenTokenisePayload {
            payload: payload.clone(),
            holder_proof: holder_proof.clone(),
            tokenise_key: tokenise_key.clone(),
            public_key: recipient.public_key.clone(),
            actor: actor.clone(),
        };
        let Self { services, caller, .. } = self;
        let key = services.vault_key()?;
        let opened = services
            .vault
            .open_tokenise_payload(&key, &caller.user.holder, &request);
        Ok(opened.await?)
    }

    /// Judges the state and writes the work down, in one transaction. The inner error is the verdict.
    async fn write_down(
        self,
        claim: &Claim,
        opened: TokenisePayload,
    ) -> Result<Result<CardRequest, Error>, Error> {
        let Self {
            services,
            caller,
            mut call,
        } = self;
        let name = opened.name.as_deref().map(CardName::parse).transpose();
        let name = match name {
            Ok(name) => name,
            Err(rule) => {
                return Ok(Err(Error::invalid(vec![FieldError {
                    field: "name".into(),
                    code: rule.code.into(),
                    message: rule.message.into(),
                }])));
            }
        };
        // A number beyond every balance is nobody's balance.
        let balance = opened.balance_id;
        let balance = balance.map(|number| BalanceId(i64::try_from(number).unwrap_or(i64::MAX)));
        let mut tx = services.db.begin().await?;
        let balance = match place(&mut tx, caller.user.id, balance).await? {
            Ok(balance) => balance,
            Err(code) => {
                tx.commit().await?;
                return Ok(Err(code.into()));
            }
        };
        let now = services.now();
        let id = CardId(tx.next_number(Sequence::Cards).await?);
        let card = NewCard {
            id,
            user: caller.user.id,
            balance,
            name,
            created_at: now,
            replaces: None,
        };
        let standing = brought_in(opened.kind, opened.foreign);
        let members = OwnMembers::of_new_standing_so(&card, standing, caller.party, caller.rules);
        call.recipient.members = members.into_map();
        let holder = caller.user.holder.clone();
        let task = Task::Tokenise(Tokenise::new(holder, &card, (opened.kind, opened.foreign), call));
        let key = services.vault_key()?;
        let work = card_requests::begin(&mut tx, id, claim.entry(), key, task, None, now).await?;
        tx.commit().await?;
        Ok(Ok(work))
    }
}

/// On which balance a card of the user may be put: the one that was named, else the first in use.
pub async fn place(
    tx: &mut Tx,
    user: UserId,
    named: Option<BalanceId>,
) -> Result<Result<BalanceId, Code>, StoreError> {
    match users::find_for_update(tx, user).await? {
        Some(user) if !user.may_get_more() => return Ok(Err(Code::UserLocked)),
        Some(user) if user.kyc == KycStatus::Accepted => {}
        Some(_) => return Ok(Err(Code::KycRequired)),
        // Removed meanwhile.
        None => return Ok(Err(Code::NotFound)),
    }
    let all = balances::list(tx, user, 0, MOST_BALANCES).await?;
    let in_use = |state| state == BalanceState::Active;
    let Some(named) = named else {
        let first = all.iter().find(|balance| in_use(balance.state));
        return Ok(first.map(|balance| balance.id).ok_or(Code::BalanceRequired));
    };
    Ok(match balances::find(tx, user, named).await? {
        Some(balance) if in_use(balance.state) => Ok(named),
        Some(_) => Err(Code::BalanceRequired),
        None if all.is_empty() => Err(Code::BalanceRequired),
        None => Err(Code::NotFound),
    })
}
