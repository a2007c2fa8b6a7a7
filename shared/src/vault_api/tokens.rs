//! Tokens for cards that exist already: a partner brings in a number, sealed to the vault and signed for with the key of
//! its certificate, one at a time or row by row of a mass import.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Actor;
use super::cards::Recipient;
use crate::expiry::Expiry;
use crate::ids::{CardToken, HolderToken, IdempotencyKey, Nonce, ProgramName};
use crate::masked::MaskedPan;
use crate::mtls::identity::Name;
use crate::public_key::PublicKey;

/// What a card that is brought in is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CardKind {
    /// A number without plastic.
    #[default]
    Virtual,
    /// Plastic that its holder has already.
    Physical,
}

/// Judge proof and payload of a request to tokenise a card, and open the payload; looks nothing up, spends no nonce.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenTokenisePayload {
    /// The compact JWE of the request's body, of `{cardNo, exp, cvv?, balanceId?, name?, type?}`.
    pub payload: String,
    /// The proof `op: tokenise`, by the partner's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_proof: Option<String>,
    /// The caller's `Idempotency-Key`: what the proof's `card` names.
    pub tokenise_key: IdempotencyKey,
    /// The caller's key.
    pub public_key: PublicKey,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Answer (200) to [`OpenTokenisePayload`]: only members that are not secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenisePayload {
    /// The gateway's balance id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance_id: Option<u64>,
    /// The holder's name for the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the card is made of.
    #[serde(rename = "type")]
    pub kind: CardKind,
    /// Whether the number lies in no program's range: another issuer gave it out.
    pub foreign: bool,
}

/// Tokenise a card.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokeniseCard {
    /// To whom the answer is sealed, and the gateway's members of it.
    pub recipient: Recipient,
    /// The compact JWE of the request's body.
    pub payload: String,
    /// The proof `op: tokenise`, by the partner's key. Always needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_proof: Option<String>,
    /// The caller's `Idempotency-Key`: what the proof's `card` names.
    pub tokenise_key: IdempotencyKey,
    /// The card that the number belongs to already, as [`Tokenised::Held`] told: the members are those of that card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<CardToken>,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Answer (200) to [`TokeniseCard`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "outcome")]
pub enum Tokenised {
    /// The card has a token, and the answer is sealed.
    Done(TokenisedCard),
    /// This very card of this very holder has a token already. Nothing was done, and the proof is still good: ask again with
    /// `held` and the members of that card.
    Held {
        /// The token.
        card: CardToken,
    },
}

/// A card that was brought in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenisedCard {
    /// The card's token.
    pub card: CardToken,
    /// First six and last four digits at most.
    pub masked_card_no: MaskedPan,
    /// The month through which the card is valid.
    pub exp: Expiry,
    /// Whether another issuer gave out the number.
    pub foreign: bool,
    /// The sealed answer for the caller: the masked card.
    pub payload: String,
    /// Answer to the proof.
    pub vault_proof: String,
    /// The index of this answer's event in the audit log; of a replay, that of the replay's own event. The event holds the
    /// hash of `payload` as `bdh`.
    pub audit_index: u64,
}

/// Open a session for the card rows of a mass import: one nonce under which a partner signs for many rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenImportSession {
    /// Whose import it is; only this partner's proofs are taken under the nonce.
    pub partner: Name,
    /// The partner's own name of the import, 1 to 64 of `A-Z a-z 0-9 - _ .`; the name of every row begins with it.
    pub import: String,
    /// Most rows that may be tokenised under the nonce: 1 to [`MOST_SESSION_ROWS`].
    pub rows: u32,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Most rows of one session.
pub const MOST_SESSION_ROWS: u32 = 100_000;

/// Answer (201) to [`OpenImportSession`]: passed on to the partner as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportSession {
    /// What the proof of every row names as `nonce`.
    pub nonce: Nonce,
    /// When the session ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Most rows.
    pub rows: u32,
}

/// Tokenise one row of a mass import. The same row again gives the same answer and does nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokeniseRow {
    /// The import, as it was named when the session was opened.
    pub import: String,
    /// The row's name, `{import}:{row}`: what the proof's `card` says.
    pub row: String,
    /// A compact JWE to the vault of `{cardNo, exp, cvv?, type?}`.
    pub payload: String,
    /// The proof `op: tokenise` over the session's nonce, by the partner's key. Its `rpk` names that very key.
    pub holder_proof: String,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Answer (200) to [`TokeniseRow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenisedRow {
    /// The card's token.
    pub card: CardToken,
    /// First six and last four digits at most.
    pub masked_card_no: MaskedPan,
    /// The month through which the card is valid.
    pub exp: Expiry,
    /// What the card is made of.
    #[serde(rename = "type")]
    pub kind: CardKind,
    /// Whether another issuer gave out the number.
    pub foreign: bool,
    /// Whether the holder had this card before.
    pub held: bool,
    /// The index of the event in the audit log under which the row was tokenised first.
    pub audit_index: u64,
}

/// Judge one row of a mass import as tokenising it would, for a dry run: nothing is written but the event, and the row stays
/// to be tokenised under the same signature. Looked up and counted like a row that is tokenised.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JudgeRow {
    /// Whose card it would be.
    pub owner: RowOwner,
    /// The row, as it would be tokenised.
    pub row: TokeniseRow,
}

/// Whose the card of a row would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RowOwner {
    /// A holder's.
    Holder(HolderToken),
    /// That of a holder of this program who is not there yet: of a user whom a dry run does not make.
    Program(ProgramName),
}

/// Answer (200) to [`JudgeRow`]: the row would be tokenised. What a card in it is, is not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JudgedRow {
    /// The index of the event in the audit log.
    pub audit_index: u64,
}
