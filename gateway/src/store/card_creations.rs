//! Cards that are asked for now and made later: what became of each request. The work itself is a row of `card_requests`.

use sqlx::AnyConnection;
use time::OffsetDateTime;

use super::row::get;
use super::{Sequence, StoreError, Tx, millis};
use crate::domain::card::CardId;
use crate::domain::user::UserId;

/// The number of a request, by which its caller asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreationId(pub i64);

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreationState {
    /// The card is still to be made.
    Pending,
    /// The card is there.
    Done(CardId),
    /// There is no card: the code of the error.
    Failed(String),
}

impl CreationState {
    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Done(_) => "DONE",
            Self::Failed(_) => "FAILED",
        }
    }
}

/// Writes a request down.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx,
    user: UserId,
    card: CardId,
    now: OffsetDateTime,
) -> Result<CreationId, StoreError> {
    let id = tx.next_number(Sequence::CardCreations).await?;
    sqlx::query(
        "INSERT INTO card_creations (id, user_id, card_id, state, created_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(user.0)
    .bind(card.0)
    .bind(CreationState::Pending.as_str())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(CreationId(id))
}

/// Writes down how a request ended.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end(
    tx: &mut Tx,
    id: CreationId,
    state: &CreationState,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let code = match state {
        CreationState::Failed(code) => Some(code.as_str()),
        CreationState::Pending | CreationState::Done(_) => None,
    };
    sqlx::query(
        "UPDATE card_creations SET state = $2, code = $3, ended_at = $4 WHERE id = $1 AND state = 'PENDING'",
    )
    .bind(id.0)
    .bind(state.as_str())
    .bind(code)
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What became of a request about this user's cards.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    user: UserId,
    id: CreationId,
) -> Result<Option<CreationState>, StoreError> {
    let row = sqlx::query("SELECT card_id, state, code FROM card_creations WHERE id = $1 AND user_id = $2")
        .bind(id.0)
        .bind(user.0)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let state = match get::<String>(&row, "state")?.as_str() {
        "PENDING" => CreationState::Pending,
        "DONE" => CreationState::Done(CardId(get(&row, "card_id")?)),
        "FAILED" => CreationState::Failed(get(&row, "code")?),
        _ => return Err(StoreError::Corrupt("state")),
    };
    Ok(Some(state))
}

/// Forgets requests that ended before `before`. Returns how many.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sweep(tx: &mut Tx, before: OffsetDateTime) -> Result<u64, StoreError> {
    let swept = sqlx::query("DELETE FROM card_creations WHERE ended_at < $1")
        .bind(millis(before))
        .execute(&mut **tx)
        .await?;
    Ok(swept.rows_affected())
}
