//! What officers and auditors read of keys, backups, retention and pending holder keys.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ids::{BackupToken, CardToken, HolderToken, ProgramName};
use crate::thumbprint::Thumbprint;

/// Answer (200) of [`super::paths::KEY_INVENTORY`] (PCI DSS 3.6.1.1, 12.3.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyInventory {
    /// Every version of every key that was ever made.
    pub keys: Vec<KeyEntry>,
    /// The number of the epoch.
    pub epoch: u32,
    /// When the epoch began.
    #[serde(with = "time::serde::rfc3339")]
    pub epoch_since: OffsetDateTime,
    /// The algorithms in use, generated from the code.
    pub cryptography: Vec<CryptographyEntry>,
}

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyEntry {
    /// What it is for: `card-kek`, `records`, `fingerprint`, `jwe`, `audit`.
    pub purpose: String,
    /// Counts from 1.
    pub version: u32,
    /// `active`, `retiring`, `grace` or `destroyed`.
    pub state: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was destroyed, or when its grace time ends.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub ends_at: Option<OffsetDateTime>,
    /// How often it sealed or wrapped; at most some thousands behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
    /// How often it may (SP 800-38D §8.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_uses: Option<u64>,
    /// What is to be done about it: too old, used up by 80 % and more. Empty when nothing is.
    pub warnings: Vec<String>,
}

/// One use of cryptography.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CryptographyEntry {
    /// For what.
    pub purpose: String,
    /// The algorithm, with key size.
    pub algorithm: String,
    /// The standard.
    pub source: String,
    /// Which library does it.
    pub library: String,
}

/// A backup that was made, and is kept track of until its life ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// Its token.
    pub id: BackupToken,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: OffsetDateTime,
    /// Until when its epoch secret is kept.
    #[serde(with = "time::serde::rfc3339")]
    pub life_ends_at: OffsetDateTime,
    /// The epoch whose secret opens it.
    pub epoch: u32,
    /// Entries in it.
    pub records: u64,
    /// Events in its audit log.
    pub log_size: u64,
    /// Hex SHA-256 of the file.
    pub sha256: String,
    /// The file's name in the backup directory.
    pub file: String,
}

/// Answer (200) of [`super::paths::RETENTION`] (PCI DSS 3.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetentionReport {
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
    /// Days between closing and destroying.
    pub grace_days: u16,
    /// Days after its expiry until a card is closed by itself; absent when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_after_expiry_days: Option<u16>,
    /// Until when destroying is halted by two officers.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub halted_until: Option<OffsetDateTime>,
    /// Cards in use or locked for good.
    pub kept: u64,
    /// Cards closed, in their grace time.
    pub in_grace: u64,
    /// Cards whose secrets are gone from the store.
    pub destroyed: u64,
    /// The latest purge that is done: whatever was destroyed before it does not open from any earlier copy of the store.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub purged_at: Option<OffsetDateTime>,
    /// Destroyed cards, newest first, at most 1000.
    pub cards: Vec<DestroyedCard>,
}

/// A card whose secrets were destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DestroyedCard {
    /// The card.
    pub card: CardToken,
    /// Its program; absent where its record did not open any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramName>,
    /// When its secrets were deleted from the store.
    #[serde(with = "time::serde::rfc3339")]
    pub destroyed_at: OffsetDateTime,
    /// From when it is beyond recovery everywhere, backups and copies of the disk included; absent while a purge is
    /// due.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub beyond_recovery_at: Option<OffsetDateTime>,
}

/// A holder key that waits, as officers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingKey {
    /// Whose.
    pub holder: HolderToken,
    /// Under which program.
    pub program: ProgramName,
    /// Its thumbprint.
    pub key: Thumbprint,
    /// Since when it waits.
    #[serde(with = "time::serde::rfc3339")]
    pub enrolled_at: OffsetDateTime,
    /// When it matures by itself; absent when it never does.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub matures_at: Option<OffsetDateTime>,
}

/// What kind of thing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateKind {
    /// The vault's own certificate.
    Own,
    /// A root that the vault trusts.
    Authority,
    /// The revocation list of such a root.
    RevocationList,
    /// What a peer showed when it was last here.
    Peer,
}

impl CertificateKind {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Authority => "authority",
            Self::RevocationList => "revocation-list",
            Self::Peer => "peer",
        }
    }
}

/// An item of the answer (200) of [`super::paths::CERTIFICATES`] (PCI DSS 4.2.1.1), the soonest end first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateEntry {
    /// What it is.
    pub kind: CertificateKind,
    /// Which: `own`, `internal-ca`, `internal-crl`, `partner-ca`, `partner-crl`, or a peer's identity.
    pub name: String,
    /// When a revocation list was issued.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub issued_at: Option<OffsetDateTime>,
    /// The last valid instant; of a revocation list, when the next one is due.
    #[serde(with = "time::serde::rfc3339")]
    pub ends_at: OffsetDateTime,
    /// When the peer was last here, since the process began.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub last_seen_at: Option<OffsetDateTime>,
}
