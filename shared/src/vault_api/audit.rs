//! The audit log as auditors read it: events, signed checkpoints, proofs.

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

/// One event and its place in the log. Exports and mirrors hold one a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Position in the log, from 0.
    pub index: u64,
    /// The event's exact bytes (JSON text): what the log hashes.
    pub event: String,
    /// Hex of the leaf, SHA-256(0x00 ‖ event) (RFC 6962 §2.1). It proves nothing; it lets a verifier name the line that was
    /// touched, where it otherwise could only say between which checkpoints.
    pub hash: String,
}

/// Answer (200) of [`super::paths::AUDIT_CHECKPOINT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditCheckpoint {
    /// The signed note (C2SP tlog-checkpoint): origin, size and root of the log, and the audit key's signature.
    pub note: String,
    /// The audit key (C2SP signed-note): `name+hex(key id)+base64(0x01 ‖ public key)`.
    pub vkey: String,
    /// A compact JWS, `typ: audit-key+jwt`, over `{vkey, iat, exp}`, signed by the vault's certificate.
    pub attestation: String,
    /// Checkpoints by which earlier audit keys named their successors, oldest first. A verifier that pinned an earlier key
    /// follows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handovers: Vec<String>,
}

/// Answer (200) of [`super::paths::AUDIT_INCLUSION`] and [`super::paths::AUDIT_CONSISTENCY`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditProof {
    /// Hashes from the leaves to the root (RFC 6962 §2.1.1, §2.1.2), base64.
    pub hashes: Vec<String>,
}
