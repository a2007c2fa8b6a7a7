//! The audit log as auditors read it.

use serde::{Deserialize, Serialize};

/// A page of [`super::paths::AUDIT_EVENTS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditPage {
    /// Events in order.
    pub events: Vec<AuditEntry>,
    /// The index to ask for next; absent when the log's end was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// One event and its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Position in the log, from 0.
    pub index: u64,
    /// The event's exact bytes (JSON text): what the chain hashes.
    pub event: String,
    /// Hex of SHA-256(0x01 ‖ previous hash ‖ SHA-256(0x00 ‖ event)).
    pub hash: String,
}

/// Answer (200) of [`super::paths::AUDIT_HEAD`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditHead {
    /// How many events the log holds.
    pub size: u64,
    /// Hex of the last event's hash; of 32 zero bytes for an empty log.
    pub hash: String,
    /// A compact JWS, `typ: audit-head+jwt`, over `{size, hash, iat}`, signed by the vault's certificate.
    pub signature: String,
}
