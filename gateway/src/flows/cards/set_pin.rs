//! A PIN that the holder sealed to the vault. The gateway carries it and cannot read it.

use serde_json::json;
use shared::jwe::CompactJwe;
use shared::public_key::PublicKey;
use shared::vault_api::PublicMembers;
use shared::vault_api::cards::{Recipient, SetPin};

use super::answers::VaultsWord;
use super::ask;
use super::{CardCaller, answers, tell};
use crate::domain::card::{Action, Card};
use crate::domain::event::EventKind;
use crate::error::Error;
use crate::flows::attempt::Attempt;
use crate::flows::claimed::Opened;
use crate::services::Services;
use crate::store::idempotency::{Answer, Claim, Request};

/// Until an online chip transaction is seen, the chip on the plastic knows the old PIN, or none.
const OFFLINE_PIN_SYNC: &str = "PENDING";
/// What the seed asks users to be told.
const NOTICE: &str = "The new PIN reaches the chip of your card with the next chip & PIN transaction, best made at an ATM. \
    Until then terminals that check the PIN offline may answer \"Incorrect PIN\". Contactless payments use the new PIN at once.";

/// What a caller sends.
pub struct NewPin {
    /// The PIN, sealed to the vault.
    pub payload: CompactJwe,
    /// To whom the answer is sealed.
    pub recipient: PublicKey,
    /// The proof `op: set-pin`; one that cannot be read is told of unless the request was answered before.
    pub holder_proof: Result<Option<String>, Error>,
}

/// Sets a card's PIN.
///
/// # Errors
/// The proof's, the payload's, the budget's, then the card's state.
pub async fn set_pin(
    services: &Services,
    caller: &CardCaller,
    card: &Card,
    pin: NewPin,
    request: &Request,
) -> Result<Answer, Error> {
    let NewPin {
        payload,
        recipient,
        holder_proof,
    } = pin;
    let mut proof = None;
    let opened = ask::begin(services, request, |_| {
        proof = holder_proof?;
        Ok(())
    });
    let claim = match opened.await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let asked = set(
        services,
        caller,
        card,
        (payload, recipient, proof),
        (request, &claim),
    )
    .await;
    let event = tell::about(EventKind::PinSet, &caller.user.partner, card);
    ask::end_telling(services, &claim, asked, &event).await
}

async fn set(
    services: &Services,
    caller: &CardCaller,
    card: &Card,
    (payload, recipient, holder_proof): (CompactJwe, PublicKey, Option<String>),
    (request, claim): (&Request, &Claim),
) -> Result<Answer, Error> {
    let verdict = card.standing.permits(Action::SetPin, caller.party, caller.rules);
    let members = PublicMembers::from_iter([
        ("id".to_owned(), json!(card.id.0)),
        ("offlinePinSync".to_owned(), json!(OFFLINE_PIN_SYNC)),
        ("notice".to_owned(), json!(NOTICE)),
    ]);
    let operation = SetPin {
        recipient: Recipient {
            public_key: recipient,
            members,
        },
        payload: payload.as_str().to_owned(),
        holder_proof,
        refuse: verdict.is_err(),
        actor: caller.actor.clone(),
    };
    let key = ask::vault_key(services, request, claim)?;
    let asked = services.vault.set_pin(&key, &card.token, &operation).await;
    let sealed = ask::settle(
        asked,
        verdict.map_err(Error::from),
        Attempt::of_claim(claim, services.now()),
    )?;
    let word = VaultsWord {
        vault_proof: sealed.vault_proof,
        audit_index: sealed.audit_index,
    };
    answers::sealed(&sealed.payload, word)
}
