//! The vault's doors as types: what the gateway, officers, processors and auditors send and what the vault answers.
//!
//! JSON over mutual TLS, camelCase, unknown request members refused. Every mutation takes the header `Idempotency-Key`;
//! the vault scopes it to certificate, operation and subject. Errors are problem+json (`crate::problem`).

pub mod audit;
pub mod bulk;
pub mod cards;
pub mod governance;
pub mod holders;
pub mod jobs;
pub mod keys;
pub mod notices;
pub mod paths;
pub mod plastic;
pub mod processor;
pub mod reports;
pub mod reveals;
pub mod slots;
pub mod tokens;

use serde::{Deserialize, Serialize};

/// The header that carries a client's proof (`5-proofs` of the contract).
pub const HOLDER_PROOF: &str = "Holder-Proof";
/// The header of an answer to a request that carried a proof.
pub const VAULT_PROOF: &str = "Vault-Proof";
/// The header of an answer whose event has this index in the vault's audit log.
pub const AUDIT_INDEX: &str = "Audit-Index";
/// The header that makes a mutation repeatable.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The problem code with which the vault answers when everything it judges was in order and the gateway had said, through
/// `refuse`, that the state of the card or user forbids the operation.
pub const STATE_REFUSED: &str = "STATE_REFUSED";

/// The channel through which the gateway was called; goes into the audit log as the gateway's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A mobile app with a session.
    Customers,
    /// A partner's server with a client certificate.
    Secure,
    /// A partner's server on the life-cycle paths.
    Lifecycle,
    /// An operator.
    Admin,
    /// A job of the gateway's own.
    System,
}

/// For whom the gateway says it acts. *Asserted*: the vault writes it down and decides nothing by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Actor {
    /// The channel of the call.
    pub channel: Channel,
    /// The gateway's id of the user, partner or operator, e.g. `user:1125`; at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The gateway's id of the installation; at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The trace id that joins the logs of both sides; at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// The gateway's own members of an answer that the vault seals (`id`, `state`, `name`, …). The vault refuses card data and
/// its own members in here: `cardNo`, `cvv`, `pin`, and at the top level `token`, `maskedCardNo`, `exp`.
pub type PublicMembers = serde_json::Map<String, serde_json::Value>;
