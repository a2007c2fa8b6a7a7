//! Who saw a card: every answer with card data that left the vault, as its audit log has it. No card data itself.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Channel;
use crate::ids::CardToken;
use crate::thumbprint::Thumbprint;

/// Answer (200) of [`super::paths::reveals_of_holder`] and [`super::paths::reveals_of_card`]: `?after=&limit=`, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reveals {
    /// Answers with card data, in the order of the log.
    pub items: Vec<Reveal>,
}

/// One answer with card data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reveal {
    /// The index of its event in the audit log.
    pub index: u64,
    /// When, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Which card.
    pub card: CardToken,
    /// What was asked for, by the audit log's name: `issue`, `reveal`, `reset-cvv`, `export`.
    pub operation: String,
    /// Who vouched for it.
    pub proven_by: ProvenBy,
    /// The channel, as the gateway said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
}

/// Who vouched for an answer with card data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ProvenBy {
    /// A key enrolled for the holder.
    HolderKey {
        /// Its RFC 7638 thumbprint.
        thumbprint: Thumbprint,
    },
    /// The partner's registered key.
    Partner {
        /// Its identity.
        partner: String,
    },
    /// Nobody outside: two officers agreed on it.
    Officers,
}
