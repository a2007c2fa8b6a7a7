//! Holders, their keys and their challenges.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Actor;
use crate::ids::{HolderToken, Nonce, ProgramName};
use crate::public_key::HolderKey;
use crate::thumbprint::Thumbprint;

/// Create a holder. The program fixes the partner, for good.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateHolder {
    /// The program under which the holder's cards will be issued.
    pub program: ProgramName,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Answer (201) to [`CreateHolder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HolderCreated {
    /// The new holder.
    pub holder: HolderToken,
}

/// Enrol a device's key for holder proofs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrolKey {
    /// The P-256 public key, as a JWK.
    pub key: HolderKey,
    /// A proof `op: enrol-key` by an active key of the same holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_proof: Option<String>,
    /// A partner's enrolment ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment_ticket: Option<String>,
    /// A compact JWE to the vault: with a ticket, of its `{secret, jkt}`; without, of a card in hand,
    /// `{cardNo, exp, cvv, jkt, nonce}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment_proof: Option<String>,
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// What a holder key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KeyState {
    /// Proofs by this key are accepted.
    Active,
    /// Enrolled on the gateway's word alone: waits for maturity or for two officers.
    Pending,
    /// Never accepted again.
    Revoked,
}

/// Answer (201) to [`EnrolKey`]; an item of the list of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrolledKey {
    /// RFC 7638 thumbprint of the key.
    pub thumbprint: Thumbprint,
    /// What the key may do now.
    pub state: KeyState,
    /// When a pending key matures by itself; absent when it never does.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub matures_at: Option<OffsetDateTime>,
    /// Answer to the proof, when one came along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_proof: Option<String>,
}

/// The keys of a holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HolderKeys {
    /// Every key that was ever enrolled, oldest first.
    pub keys: Vec<EnrolledKey>,
}

/// Revoke a key. The gateway may ask: it only takes away.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeKey {
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Ask for a challenge, for a holder or for a card.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateChallenge {
    /// For whom the gateway acts.
    pub actor: Actor,
}

/// Answer (201) to [`CreateChallenge`]: passed on to the client as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Challenge {
    /// Single use, bound to the holder (and card).
    pub nonce: Nonce,
    /// When the nonce ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}
