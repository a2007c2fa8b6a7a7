//! Order plastic of a virtual card (Digital First): to the address on file, or to one that only the vault can read.

use shared::jwe::CompactJwe;
use shared::public_key::PublicKey;
use shared::vault_api::PublicMembers;
use shared::vault_api::cards::{Destination, PrintCard, Recipient};

use super::CardCaller;
use super::ask;
use super::carry_out::{carry_out, go_on};
use crate::domain::card::{Action, Card, CardId, CardType, OwnMembers, Standing};
use crate::error::{Code, Error};
use crate::flows::attempt::Attempt;
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::card_requests::{self, CardRequest, Print, Proof, Task};
use crate::store::idempotency::{Answer, Claim, Request};
use crate::store::{Tx, users};

/// What a caller asks for.
pub struct Plastic {
    /// A delivery address, sealed to the vault; without one the plastic goes to the address on file.
    pub payload: Option<CompactJwe>,
    /// To whom the answer is sealed.
    pub recipient: PublicKey,
    /// The proof `op: order`; one that cannot be read is told of unless the request was answered before.
    pub holder_proof: Result<Option<String>, Error>,
}

/// Orders plastic of a card.
///
/// # Errors
/// The proof's, the payload's, then `USER_LOCKED`, the card's state, `NOT_DIGITAL_FIRST`, `ADDRESS_REQUIRED`.
pub async fn print(
    services: &Services,
    caller: &CardCaller,
    card: CardId,
    plastic: Plastic,
    request: &Request,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let Plastic {
        payload,
        recipient,
        holder_proof,
    } = plastic;
    let holder_proof = holder_proof?;
    let fresh = holder_proof.clone().map(|holder_proof| Proof {
        holder_proof,
        issue_key: None,
    });
    if let Some(work) = card_requests::resume(&mut tx, claim.entry(), fresh, services.now()).await? {
        tx.commit().await?;
        return go_on(services, &work).await;
    }
    let card = caller.take(services, &mut tx, card).await?;
    let order = Order {
        caller,
        card,
        payload,
        recipient,
        holder_proof,
    };
    match order.write_down(services, &claim, &mut tx).await? {
        Ok(work) => {
            tx.commit().await?;
            carry_out(services, &work, Attempt::First).await
        }
        Err(verdict) => {
            tx.commit().await?;
            let told = order.refused(services, verdict).await;
            ask::end(services, &claim, Err(told)).await
        }
    }
}

struct Order<'a> {
    caller: &'a CardCaller,
    card: Card,
    payload: Option<CompactJwe>,
    recipient: PublicKey,
    holder_proof: Option<String>,
}

impl Order<'_> {
    /// Judges the state and writes the work down. The inner error is the state's verdict.
    async fn write_down(
        &self,
        services: &Services,
        claim: &Claim,
        tx: &mut Tx,
    ) -> Result<Result<CardRequest, Error>, Error> {
        let Self { caller, card, .. } = self;
        match users::find_for_update(tx, caller.user.id).await? {
            Some(user) if user.may_get_more() => {}
            Some(_) => return Ok(Err(Code::UserLocked.into())),
            None => return Ok(Err(Code::NotFound.into())),
        }
        if let Err(refusal) = card.standing.permits(Action::Print, caller.party, caller.rules) {
            return Ok(Err(refusal.into()));
        }
        let Some(destination) = self.destination(tx).await? else {
            return Ok(Err(Code::AddressRequired.into()));
        };
        let printed = Standing {
            kind: CardType::DigitalFirst,
            ..card.standing
        };
        let members = OwnMembers::standing_so(card, printed, caller.party, caller.rules).into_map();
        let task = Task::Print(Print {
            card: card.token.clone(),
            call: self.call(destination, members, false),
        });
        let now = services.now();
        Ok(Ok(card_requests::begin(
            tx,
            card.id,
            claim.entry(),
            services.vault_key()?,
            task,
            caller.stamp.clone(),
            now,
        )
        .await?))
    }

    async fn destination(&self, tx: &mut Tx) -> Result<Option<Destination>, Error> {
        if let Some(sealed) = self.sealed() {
            return Ok(Some(sealed));
        }
        let address = users::address(tx, self.caller.user.id).await?;
        Ok(address.map(|address| Destination::OnFile { address }))
    }

    fn sealed(&self) -> Option<Destination> {
        let payload = self.payload.as_ref()?;
        Some(Destination::Sealed {
            payload: payload.as_str().to_owned(),
        })
    }

    fn call(&self, destination: Destination, members: PublicMembers, refuse: bool) -> PrintCard {
        PrintCard {
            recipient: Recipient {
                public_key: self.recipient.clone(),
                members,
            },
            destination,
            holder_proof: self.holder_proof.clone(),
            refuse,
            actor: self.caller.actor.clone(),
        }
    }

    /// What the caller is told when the state forbids plastic: what is wrong with proof and payload before that. An order
    /// to the address on file needs neither, and has nothing for the vault to judge.
    async fn refused(&self, services: &Services, verdict: Error) -> Error {
        let Some(destination) = self.sealed() else {
            return verdict;
        };
        let key = match services.vault_key() {
            Ok(key) => key,
            Err(error) => return error,
        };
        let call = self.call(destination, PublicMembers::new(), true);
        let asked = services.vault.print(&key, &self.card.token, &call).await;
        ask::refusal(asked, verdict)
    }
}
