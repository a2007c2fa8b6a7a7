//! Plastic: ordering a physical card, and what the personalisation bureau does with orders.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Actor;
use super::cards::Recipient;
use crate::expiry::Expiry;
use crate::ids::{BatchToken, CardToken, IdempotencyKey, OrderToken, ProgramName};
use crate::masked::MaskedPan;
use crate::public_key::PublicKey;

/// Orders in one batch, at most.
pub const MOST_ORDERS: u16 = 25;

/// Judge proof and payload of a request to order a physical card and open the payload; changes nothing, spends no nonce.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenOrderPayload {
    /// The compact JWE of `{balanceId, embossedName, deliveryAddress}`.
    pub payload: String,
    /// The proof `op: order`; needed but on the operators' channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_proof: Option<String>,
    /// The caller's `Idempotency-Key`: what the proof's `card` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<IdempotencyKey>,
    /// The caller's key.
    pub public_key: PublicKey,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Answer (200) to [`OpenOrderPayload`]: the only member that is not personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderPayload {
    /// The gateway's balance id.
    pub balance_id: u64,
}

/// Order a physical card.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderCard {
    /// To whom the answer is sealed.
    pub recipient: Recipient,
    /// The compact JWE of `{balanceId, embossedName, deliveryAddress}`.
    pub payload: String,
    /// The proof `op: order`; needed but on the operators' channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_proof: Option<String>,
    /// The caller's `Idempotency-Key`: what the proof's `card` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<IdempotencyKey>,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Answer (201) to [`OrderCard`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderedCard {
    /// The card's token.
    pub card: CardToken,
    /// First six and last four digits.
    pub masked_card_no: MaskedPan,
    /// The month through which the card is valid.
    pub exp: Expiry,
    /// The order.
    pub order: OrderToken,
    /// The sealed answer for the caller: the masked card.
    pub payload: String,
    /// Answer to the proof, when one came along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_proof: Option<String>,
    /// The index of this answer's event in the audit log; of a replay, that of the replay's own event.
    pub audit_index: u64,
}

/// What is ordered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderKind {
    /// Plastic of a virtual card (Digital First): nothing of the card is printed on it, the chip is personalised.
    #[default]
    Print,
    /// A card that is plastic from the start.
    Physical,
}

/// Make a batch of what waits for the bureau, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MakeBatch {
    /// One of the bureau's programs.
    pub program: ProgramName,
    /// Orders, 1 to [`MOST_ORDERS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u16>,
}

/// Answer (201) to [`MakeBatch`], and (200) when it is fetched again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Its token.
    pub batch: BatchToken,
    /// The program.
    pub program: ProgramName,
    /// When it was made, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: OffsetDateTime,
    /// How many orders it holds.
    pub orders: u16,
    /// A compact JWE to the bureau's key of `{batch, program, orders: [{order, kind, renewal?, cardNo, exp, cvv2?,
    /// embossedName?, deliveryAddress}]}`. `cvv2` is there for `PHYSICAL` alone, on which it is printed. `renewal` is `true`
    /// for the next plastic of a card that nears its end; `exp` and `cvv2` are then the next ones.
    pub payload: String,
}

/// The plastic was handed to the carrier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShipOrder {
    /// Who carries it; at most 64 printable characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's name for the letter; at most 64 printable characters, and no card number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_reference: Option<String>,
}

/// The plastic was made: nothing more to say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfirmOrder {}

/// Why plastic will not come. A list and no text, so that nothing personal slips through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureReason {
    /// No blank cards, a machine that is down.
    Material,
    /// Chip or stripe could not be written.
    Personalisation,
    /// The address cannot be delivered to.
    Address,
    /// It was damaged.
    Damaged,
    /// The carrier lost it.
    Lost,
    /// The card was closed or locked for good meanwhile: the vault's own word.
    CardClosed,
    /// Anything else.
    Other,
}

impl FailureReason {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Material => "MATERIAL",
            Self::Personalisation => "PERSONALISATION",
            Self::Address => "ADDRESS",
            Self::Damaged => "DAMAGED",
            Self::Lost => "LOST",
            Self::CardClosed => "CARD_CLOSED",
            Self::Other => "OTHER",
        }
    }
}

/// Why plastic came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReturnReason {
    /// Nobody of that name lives there.
    AddresseeUnknown,
    /// There is no such address.
    AddressUnknown,
    /// It was not taken.
    Refused,
    /// Nobody fetched it.
    Unclaimed,
    /// It was damaged.
    Damaged,
    /// Anything else.
    Other,
}

impl ReturnReason {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddresseeUnknown => "ADDRESSEE_UNKNOWN",
            Self::AddressUnknown => "ADDRESS_UNKNOWN",
            Self::Refused => "REFUSED",
            Self::Unclaimed => "UNCLAIMED",
            Self::Damaged => "DAMAGED",
            Self::Other => "OTHER",
        }
    }
}

/// The plastic will not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailOrder {
    /// Why.
    pub reason: FailureReason,
}

/// The plastic came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReturnOrder {
    /// Why.
    pub reason: ReturnReason,
}

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStateName {
    /// Waits for the bureau.
    Ordered,
    /// In a batch.
    InProduction,
    /// Made.
    Confirmed,
    /// On its way.
    Shipped,
    /// Came back.
    Returned,
    /// Will not come.
    Failed,
}

/// Answer (200) to what the bureau says of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BureauOrder {
    /// The order.
    pub order: OrderToken,
    /// How far it is now.
    pub state: OrderStateName,
}

/// An order that the bureau has not confirmed: an item of [`super::paths::WAITING_ORDERS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingOrder {
    /// The order.
    pub order: OrderToken,
    /// Its program.
    pub program: ProgramName,
    /// When it was placed, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub placed_at: OffsetDateTime,
    /// The batch that the bureau has it in, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchToken>,
}
