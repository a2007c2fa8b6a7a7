//! Order a physical card, perhaps in the place of another. The body is sealed to the vault and holds a name and an address:
//! of it the gateway is told the balance alone. Proof and payload are judged there first; then the state here; then the card
//! is drawn and ordered.

use shared::ids::IdempotencyKey;
use shared::jwe::CompactJwe;
use shared::problem::FieldError;
use shared::public_key::PublicKey;
use shared::vault_api::PublicMembers;
use shared::vault_api::cards::Recipient;
use shared::vault_api::plastic::{OpenOrderPayload, OrderCard};

use super::carry_out::{carry_out, go_on};
use super::create_virtual::verdict;
use super::{CardCaller, ask};
use crate::domain::balance::BalanceId;
use crate::domain::card::{Action, Card, CardId, NewCard, OwnMembers};
use crate::error::Error;
use crate::flows::attempt::Attempt;
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::card_requests::{CardRequest, Order, Proof, Task};
use crate::store::cards::life;
use crate::store::idempotency::{Answer, Claim, Request};
use crate::store::{Sequence, Tx, card_requests};

/// What a caller asks for.
pub struct NewPhysicalCard {
    /// Balance, embossed name and delivery address, sealed to the vault.
    pub payload: CompactJwe,
    /// To whom the answer is sealed.
    pub recipient: PublicKey,
    /// The proof `op: order`; none of an operator. One that cannot be read is told of unless the request was answered before.
    pub holder_proof: Result<Option<String>, Error>,
    /// The header `Idempotency-Key`, which the proof names.
    pub order_key: Option<IdempotencyKey>,
    /// The card whose place it is to take, one of the user's: the balance is that card's too.
    pub replaces: Option<CardId>,
}

/// Orders a card.
///
/// # Errors
/// The proof's, the payload's, then the state's of a card that is to be replaced, `USER_LOCKED`, `KYC_REQUIRED`,
/// `BALANCE_REQUIRED`, `NOT_FOUND` for a balance that is not the user's.
pub async fn order_physical(
    services: &Services,
    caller: &CardCaller,
    new: NewPhysicalCard,
    request: &Request,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let NewPhysicalCard {
        payload,
        recipient,
        holder_proof,
        order_key,
        replaces,
    } = new;
    let wish = Wish {
        payload,
        recipient,
        holder_proof: holder_proof?,
        order_key,
        replaces,
    };
    if let Some(work) = card_requests::resume(&mut tx, claim.entry(), wish.fresh(), services.now()).await? {
        tx.commit().await?;
        return go_on(services, &work).await;
    }
    tx.commit().await?;
    let balance = match wish.open(services, caller).await {
        Ok(balance) => balance,
        Err(error) => return ask::end(services, &claim, Err(error)).await,
    };
    match write_down(services, caller, &claim, &wish, balance).await? {
        Ok(work) => carry_out(services, &work, Attempt::First).await,
        Err(verdict) => ask::end(services, &claim, Err(verdict)).await,
    }
}

/// The request as it goes to the vault, twice.
struct Wish {
    payload: CompactJwe,
    recipient: PublicKey,
    holder_proof: Option<String>,
    order_key: Option<IdempotencyKey>,
    replaces: Option<CardId>,
}

impl Wish {
    fn fresh(&self) -> Option<Proof> {
        let holder_proof = self.holder_proof.clone()?;
        Some(Proof {
            holder_proof,
            issue_key: self.order_key.clone(),
        })
    }

    /// Lets the vault judge proof and payload; gives the balance.
    async fn open(&self, services: &Services, caller: &CardCaller) -> Result<BalanceId, Error> {
        let request = OpenOrderPayload {
            payload: self.payload.as_str().to_owned(),
            holder_proof: self.holder_proof.clone(),
            order_key: self.order_key.clone(),
            public_key: self.recipient.clone(),
            actor: caller.actor.clone(),
        };
        let key = services.vault_key()?;
        let opened = services
            .vault
            .open_order_payload(&key, &caller.user.holder, &request)
            .await?;
        // A number beyond every balance is nobody's balance.
        Ok(BalanceId(i64::try_from(opened.balance_id).unwrap_or(i64::MAX)))
    }

    fn call(&self, caller: &CardCaller, members: PublicMembers) -> OrderCard {
        OrderCard {
            recipient: Recipient {
                public_key: self.recipient.clone(),
                members,
            },
            payload: self.payload.as_str().to_owned(),
            holder_proof: self.holder_proof.clone(),
            order_key: self.order_key.clone(),
            actor: caller.actor.clone(),
        }
    }
}

/// The card that is to be replaced, held to the end of the transaction: nobody else replaces it meanwhile. The inner error is
/// the verdict: first on the payload, which was sealed for the balance of that card or for none of ours, then on its state.
async fn old_one(
    services: &Services,
    caller: &CardCaller,
    tx: &mut Tx,
    id: CardId,
    balance: BalanceId,
) -> Result<Result<Card, Error>, Error> {
    let card = caller.take(services, tx, id).await?;
    if card.balance != balance {
        return Ok(Err(Error::invalid(vec![FieldError {
            field: "balanceId".into(),
            code: "NOT_THE_CARDS".into(),
            message: "A card is replaced on its own balance.".into(),
        }])));
    }
    let permitted = card.standing.permits(Action::Replace, caller.party, caller.rules);
    Ok(permitted.map(|()| card).map_err(Error::from))
}

/// Judges the state and writes the work down, in one transaction. The inner error is the state's verdict.
async fn write_down(
    services: &Services,
    caller: &CardCaller,
    claim: &Claim,
    wish: &Wish,
    balance: BalanceId,
) -> Result<Result<CardRequest, Error>, Error> {
    let mut tx = services.db.begin().await?;
    let old = match wish.replaces {
        None => None,
        Some(id) => match old_one(services, caller, &mut tx, id, balance).await? {
            Ok(card) => Some(card),
            Err(verdict) => {
                tx.commit().await?;
                return Ok(Err(verdict));
            }
        },
    };
    if let Some(code) = verdict(&mut tx, caller, balance).await? {
        tx.commit().await?;
        return Ok(Err(code.into()));
    }
    let now = services.now();
    let id = CardId(tx.next_number(Sequence::Cards).await?);
    let card = NewCard {
        id,
        user: caller.user.id,
        balance,
        replaces: old.as_ref().map(|old| old.id),
        name: old.and_then(|old| old.name),
        created_at: now,
    };
    if let Some(old) = card.replaces {
        life::reserve(&mut tx, old, id).await?;
    }
    let members = OwnMembers::of_ordered(&card, caller.party, caller.rules).into_map();
    let task = Task::Order(Order::new(
        caller.user.holder.clone(),
        &card,
        wish.call(caller, members),
    ));
    let (key, stamp) = (services.vault_key()?, caller.stamp.clone());
    let stamp = stamp.map(|stamp| stamp.about_card(id));
    let work = card_requests::begin(&mut tx, id, claim.entry(), key, task, stamp, now).await?;
    tx.commit().await?;
    Ok(Ok(work))
}
