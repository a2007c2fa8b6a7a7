//! Operators' sessions. Tokens are kept as SHA-256 of themselves, as customers' are.

use sqlx::AnyConnection;
use time::OffsetDateTime;

use super::operators::operator_of_row;
use super::row::get;
use super::{StoreError, Tx, instant, millis};
use crate::domain::operator::{Operator, OperatorId};

/// A session that has not ended.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who logged in.
    pub operator: Operator,
    /// When it ends, whatever happens in between.
    pub expires_at: OffsetDateTime,
}

/// Begins a session; `request` is the idempotency entry of the request that earned it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx,
    token_hash: &[u8; 32],
    operator: OperatorId,
    request: Option<i64>,
    expires_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO operator_sessions (token_hash, operator_id, request_id, expires_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(token_hash.as_slice())
    .bind(operator.0)
    .bind(request)
    .bind(millis(expires_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Gives the session of this request another token; the former one is void. None when the session has ended.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn replace_token(
    tx: &mut Tx,
    request: i64,
    token_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let row = sqlx::query(
        "UPDATE operator_sessions SET token_hash = $2 WHERE request_id = $1 AND expires_at > $3 RETURNING expires_at",
    )
    .bind(request)
    .bind(token_hash.as_slice())
    .bind(millis(now))
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| instant(get(&row, "expires_at")?)).transpose()
}

/// The session of this token, if it has not ended and its operator may log in.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    token_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<Session>, StoreError> {
    let row = sqlx::query(
        "SELECT o.id, o.login, o.role, o.partner, o.state, s.expires_at \
         FROM operator_sessions s JOIN operators o ON o.id = s.operator_id \
         WHERE s.token_hash = $1 AND s.expires_at > $2 AND o.state = 'ACTIVE'",
    )
    .bind(token_hash.as_slice())
    .bind(millis(now))
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Session {
        operator: operator_of_row(&row, "id")?,
        expires_at: instant(get(&row, "expires_at")?)?,
    }))
}

/// Ends the session of this token.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn delete(tx: &mut Tx, token_hash: &[u8; 32]) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM operator_sessions WHERE token_hash = $1")
        .bind(token_hash.as_slice())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Ends all sessions of an operator.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn delete_of(tx: &mut Tx, operator: OperatorId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM operator_sessions WHERE operator_id = $1")
        .bind(operator.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Deletes sessions that have ended.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sweep(tx: &mut Tx, now: OffsetDateTime) -> Result<u64, StoreError> {
    let swept = sqlx::query("DELETE FROM operator_sessions WHERE expires_at <= $1")
        .bind(millis(now))
        .execute(&mut **tx)
        .await?;
    Ok(swept.rows_affected())
}
