//! Root key slots: the ways in which the root key is kept. Any one opens the vault.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ids::SlotName;
use crate::mtls::identity::Identity;

/// A slot to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum NewSlot {
    /// Split among custodians; shares are handed out sealed to their certificates' keys.
    Shamir {
        /// How many shares open; at least 2.
        threshold: u8,
        /// The custodians' certificates (PEM, P-256, role officer, registered with that key); at most 16.
        custodians: Vec<String>,
    },
    /// Wrapped by an AES key that does not leave its PKCS#11 token.
    #[serde(rename = "pkcs11")]
    Pkcs11 {
        /// The token's label.
        token: String,
        /// The label of the AES-256 key; made on the token when there is none.
        key: String,
    },
    /// In a file of the vault's host. Development only.
    KeyFile {
        /// The file, which must not exist yet.
        path: String,
    },
}

/// Whether a slot opens the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SlotState {
    /// Opens.
    Active,
    /// Made, and opens nothing before each custodian has shown that their share is right.
    Pending,
}

/// A slot, in lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlotInfo {
    /// Its name.
    pub id: SlotName,
    /// Whether it opens.
    pub state: SlotState,
    /// How the root key is kept.
    pub keeping: KeepingInfo,
    /// The slot that it replaces once it is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<SlotName>,
    /// Whether it keeps the next root key: when all such slots are verified, they take the place of every other.
    #[serde(default)]
    pub of_next_root: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last shown to open, by an unlock or a drill.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub proved_at: Option<OffsetDateTime>,
}

/// How a slot keeps the root key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum KeepingInfo {
    /// Split among custodians.
    Shamir {
        /// How many shares open.
        threshold: u8,
        /// Who holds which share.
        custodians: Vec<CustodianInfo>,
    },
    /// By a PKCS#11 token.
    #[serde(rename = "pkcs11")]
    Pkcs11 {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
    },
    /// In a file.
    KeyFile {
        /// The file.
        path: String,
    },
}

/// A custodian of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustodianInfo {
    /// The officer.
    pub identity: Identity,
    /// The number of the share.
    pub share: u8,
    /// Whether the custodian has shown that the share is right, to verify the slot, in a drill or in an unlock.
    pub verified: bool,
}

/// Answer (200) of [`super::paths::slot_share`]: a custodian's own share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SealedShare {
    /// A compact JWE (ECDH-ES, A256GCM) to the key of the custodian's certificate; the plaintext is the share's text.
    pub share: String,
}

/// Show that a slot opens. The body carries a secret: it has no `Debug` and is wiped by its owner.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShowShare {
    /// The custodian's share; absent for a slot without custodians.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<zeroize::Zeroizing<String>>,
}

/// Answer (200) to a share that was given to verify a pending slot, or to drill an active one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillProgress {
    /// Shares that were shown to be right.
    pub given: u8,
    /// Shares that are needed: the threshold to drill, every custodian's to verify; 0 for a slot without custodians.
    pub needed: u8,
    /// Whether the slot was shown to open with them.
    pub opens: bool,
    /// Where the slot stands now.
    pub state: SlotState,
}
