//! Cards: issue, reveal, CVV, PIN, plastic, final lock, erase.

use serde::{Deserialize, Serialize};

use super::plastic::OrderKind;
use super::{Actor, PublicMembers};
use crate::expiry::Expiry;
use crate::ids::{CardToken, IdempotencyKey, OrderToken};
use crate::masked::MaskedPan;
use crate::public_key::PublicKey;

/// What every operation that answers a JWE has in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recipient {
    /// The caller's key, from the header `Public-Key`: the answer is sealed to it.
    pub public_key: PublicKey,
    /// The gateway's members of the answer.
    #[serde(default)]
    pub members: PublicMembers,
}

/// Judge proof and payload of a request to create a card and open the payload; changes nothing, spends no nonce.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenIssuePayload {
    /// The compact JWE of the request's body.
    pub payload: String,
    /// The proof `op: issue`, when one came along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_proof: Option<String>,
    /// The caller's `Idempotency-Key`: what the proof's `card` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue_key: Option<IdempotencyKey>,
    /// The caller's key.
    pub public_key: PublicKey,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Answer (200) to [`OpenIssuePayload`]: only members that are not secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuePayload {
    /// The gateway's balance id.
    pub balance_id: u64,
    /// The holder's name for the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Issue a virtual card.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssueCard {
    /// To whom the answer is sealed; absent for asynchronous creation, which answers no JWE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient>,
    /// The compact JWE of the request's body, when it was encrypted: what the proof's `bdh` names. Not opened again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The proof `op: issue`: with it the answer carries `cardNo` and `cvv`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_proof: Option<String>,
    /// The caller's `Idempotency-Key`: what the proof's `card` names. Needed with a proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue_key: Option<IdempotencyKey>,
    /// The gateway's state forbids it: judge the proof, then answer [`super::STATE_REFUSED`].
    #[serde(default)]
    pub refuse: bool,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Answer (201) to [`IssueCard`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuedCard {
    /// The card's token.
    pub card: CardToken,
    /// First six and last four digits.
    pub masked_card_no: MaskedPan,
    /// The month through which the card is valid.
    pub exp: Expiry,
    /// The sealed answer for the caller; absent when no recipient was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Answer to the proof, when one came along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_proof: Option<String>,
    /// The index of this answer's event in the audit log; of a replay, that of the replay's own event. The event holds the
    /// hash of `payload` as `bdh`.
    pub audit_index: u64,
}

/// Reveal a card, or reset its CVV: operations that answer card data and take no body from the client.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProvenOperation {
    /// To whom the answer is sealed.
    pub recipient: Recipient,
    /// The proof for this operation on this card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_proof: Option<String>,
    /// The gateway's state forbids it: judge the proof, then answer [`super::STATE_REFUSED`].
    #[serde(default)]
    pub refuse: bool,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// An administrator's CVV reset: no proof, and no CVV in the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResetCvvUnseen {
    /// To whom the masked answer is sealed.
    pub recipient: Recipient,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Set a PIN.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetPin {
    /// To whom the answer is sealed.
    pub recipient: Recipient,
    /// A compact JWE to the vault's key of `{"pin":"1234"}`.
    pub payload: String,
    /// The proof `op: set-pin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_proof: Option<String>,
    /// The gateway's state forbids it: judge proof and content, then answer [`super::STATE_REFUSED`].
    #[serde(default)]
    pub refuse: bool,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// A postal address, as the bureau prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostalAddress {
    /// Street and number; 1 to 100 characters.
    pub line1: String,
    /// Anything more; at most 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line2: Option<String>,
    /// 1 to 100 characters.
    pub city: String,
    /// 1 to 16 characters.
    pub postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

/// Order the plastic of a virtual card (Digital First): to an address that the holder sealed, under proof, or to the
/// address on file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrintCard {
    /// To whom the answer is sealed.
    pub recipient: Recipient,
    /// Where the plastic goes.
    pub destination: Destination,
    /// The proof `op: order`; needed with a sealed address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_proof: Option<String>,
    /// The gateway's state forbids it: judge proof and content, then answer [`super::STATE_REFUSED`].
    #[serde(default)]
    pub refuse: bool,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Where plastic goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Destination {
    /// The user's address as the gateway has it on file.
    OnFile {
        /// The address.
        address: PostalAddress,
    },
    /// A compact JWE to the vault's key of `{"deliveryAddress":{…}}`.
    Sealed {
        /// The compact JWE.
        payload: String,
    },
}

/// Answer (200, or 201 to an order) to an operation whose answer is sealed to the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SealedAnswer {
    /// The compact JWE for the caller.
    pub payload: String,
    /// Answer to the proof, when one came along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_proof: Option<String>,
    /// The order, when one was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderToken>,
    /// The index of this answer's event in the audit log; of a replay, that of the replay's own event. The event holds the
    /// hash of `payload` as `bdh`.
    pub audit_index: u64,
}

/// Renew a card that nears its end: same number, a later end, another CVV that nobody is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenewCard {
    /// The end that the card has as the gateway knows it. One that ends later by now was renewed before.
    pub ends: Expiry,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Answer (200) to [`RenewCard`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewedCard {
    /// The card's token.
    pub card: CardToken,
    /// The last month of its life, now.
    pub exp: Expiry,
}

/// Order the next plastic of a card that nears its end: same number, a later end, and for plastic that shows one another
/// CVV2. The old plastic goes on until the new one takes over.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenewPlastic {
    /// The end that the card has as the gateway knows it. For each end there is one order under way, however often it is
    /// asked for.
    pub ends: Expiry,
    /// What is embossed; needed for plastic that has a name on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embossed_name: Option<String>,
    /// The user's address as the gateway has it on file.
    pub address: PostalAddress,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Answer (201) to [`RenewPlastic`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewalOrdered {
    /// The card's token.
    pub card: CardToken,
    /// The last month of its life once the new plastic has taken over.
    pub exp: Expiry,
    /// The order.
    pub order: OrderToken,
    /// What is made. `PRINT` takes over when the bureau confirms it, `PHYSICAL` when its holder activates it.
    pub kind: OrderKind,
}

/// The renewed plastic is in its holder's hands: from now on its end and its CVV2 hold, and the old ones do not.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActivateRenewal {
    /// The end that the card has as the gateway knows it. Of one that ends later by now the renewal was activated before.
    pub ends: Expiry,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Set the one-way flag of an irreversible lock.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LockFinally {
    /// The lock's code: 1, 2, 5 or 8.
    pub code: u8,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// An operation on a card that needs no more than its name: clear the PIN tries, erase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CardOperation {
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Answer (200) to operations without data of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CardStanding {
    /// The card's token.
    pub card: CardToken,
    /// What the vault allows.
    pub standing: Standing,
}

/// The vault's own, one-way view of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// In use.
    Open,
    /// Locked for good.
    LockedFinally,
    /// Closed; its secrets are destroyed after the grace time.
    Closed,
}
