//! An event as partners read it: the body of a webhook, and the item of a list.

use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// An event.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Event)]
pub struct EventMessage {
    /// By which it is known: whoever has seen it has seen, or can list, all before it.
    pub id: i64,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When it happened, by the name of the Standard Webhooks specification.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: OffsetDateTime,
    /// The same instant, by the name that tells what it is.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub occurred_at: OffsetDateTime,
    /// What is told: `userId`, `cardId` and `cardSequence` where it is about a user or a card, and what is the kind's own.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
}
