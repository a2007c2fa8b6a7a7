//! What is held about a user beside the profile, for the user's own export: every row, also of what has ended.

use serde_json::Value;
use sqlx::AnyConnection;
use time::OffsetDateTime;

use super::cards;
use super::row::get;
use super::{StoreError, instant};
use crate::domain::card::Card;
use crate::domain::user::UserId;

/// Something that happened to the user's KYC.
pub struct KycEntry {
    /// What the status became.
    pub status: String,
    /// Who brought it about.
    pub source: String,
    /// Who established the identity.
    pub provider: Option<String>,
    /// Under which name the provider finds it again.
    pub reference: Option<String>,
    /// The application's data.
    pub application: Option<Value>,
    /// When.
    pub at: OffsetDateTime,
}

/// Something that the partner was told.
pub struct ToldEvent {
    /// The kind's name.
    pub kind: String,
    /// About which card.
    pub card: Option<i64>,
    /// What else was told.
    pub data: Value,
    /// When it happened.
    pub at: OffsetDateTime,
}

/// When the user was registered.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn registered_at(
    connection: &mut AnyConnection,
    user: UserId,
) -> Result<Option<OffsetDateTime>, StoreError> {
    sqlx::query("SELECT created_at FROM users WHERE id = $1")
        .bind(user.0)
        .fetch_optional(connection)
        .await?
        .map(|row| instant(get(&row, "created_at")?))
        .transpose()
}

/// The first `most` entries of the user's KYC.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn kyc(
    connection: &mut AnyConnection,
    user: UserId,
    most: i64,
) -> Result<Vec<KycEntry>, StoreError> {
    sqlx::query(
        "SELECT status, source, provider, reference, application, created_at FROM kyc_events WHERE user_id = $1 \
         ORDER BY id LIMIT $2",
    )
    .bind(user.0)
    .bind(most)
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| {
        Ok(KycEntry {
            status: get(row, "status")?,
            source: get(row, "source")?,
            provider: get(row, "provider")?,
            reference: get(row, "reference")?,
            application: get::<Option<String>>(row, "application")?
                .map(|json| json_of(&json, "application"))
                .transpose()?,
            at: instant(get(row, "created_at")?)?,
        })
    })
    .collect()
}

/// The first `most` events about the user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn events(
    connection: &mut AnyConnection,
    user: UserId,
    most: i64,
) -> Result<Vec<ToldEvent>, StoreError> {
    sqlx::query("SELECT kind, card_id, data, occurred_at FROM events WHERE user_id = $1 ORDER BY id LIMIT $2")
        .bind(user.0)
        .bind(most)
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| {
            Ok(ToldEvent {
                kind: get(row, "kind")?,
                card: get(row, "card_id")?,
                data: json_of(&get::<String>(row, "data")?, "data")?,
                at: instant(get(row, "occurred_at")?)?,
            })
        })
        .collect()
}

/// The first `most` cards that the user was ever shown, removed ones among them.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn cards(connection: &mut AnyConnection, user: UserId, most: i64) -> Result<Vec<Card>, StoreError> {
    sqlx::query("SELECT * FROM cards WHERE user_id = $1 AND state <> 'ORDERED' ORDER BY id LIMIT $2")
        .bind(user.0)
        .bind(most)
        .fetch_all(connection)
        .await?
        .iter()
        .map(cards::of_row)
        .collect()
}

fn json_of(text: &str, column: &'static str) -> Result<Value, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt(column))
}
