//! Tokens that reach an operator by mail: invitations and password resets. Kept as SHA-256 of themselves, good once.

use sqlx::AnyConnection;
use time::OffsetDateTime;

use super::row::get;
use super::{StoreError, Tx, millis};
use crate::domain::operator::OperatorId;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To set password and second factor for the first time.
    Invitation,
    /// To set another password.
    PasswordReset,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "INVITATION",
            Self::PasswordReset => "PASSWORD_RESET",
        }
    }
}

/// Issues a token; an earlier one of the same purpose is void.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn replace(
    tx: &mut Tx,
    token_hash: &[u8; 32],
    (operator, purpose): (OperatorId, Purpose),
    expires_at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    void(tx, operator, purpose).await?;
    sqlx::query(
        "INSERT INTO operator_tokens (token_hash, operator_id, purpose, expires_at, created_at) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(token_hash.as_slice())
    .bind(operator.0)
    .bind(purpose.as_str())
    .bind(millis(expires_at))
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Voids the operator's token of this purpose, if there is one.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn void(tx: &mut Tx, operator: OperatorId, purpose: Purpose) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM operator_tokens WHERE operator_id = $1 AND purpose = $2")
        .bind(operator.0)
        .bind(purpose.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Whose token this is, if it is good.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    token_hash: &[u8; 32],
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<Option<OperatorId>, StoreError> {
    let row = sqlx::query(
        "SELECT operator_id FROM operator_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3",
    )
    .bind(token_hash.as_slice())
    .bind(purpose.as_str())
    .bind(millis(now))
    .fetch_optional(connection)
    .await?;
    row.map(|row| get(&row, "operator_id").map(OperatorId))
        .transpose()
}

/// Uses up a token. Whose it was, if it was good.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn spend(
    tx: &mut Tx,
    token_hash: &[u8; 32],
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<Option<OperatorId>, StoreError> {
    let row = sqlx::query(
        "DELETE FROM operator_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING operator_id",
    )
    .bind(token_hash.as_slice())
    .bind(purpose.as_str())
    .bind(millis(now))
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| get(&row, "operator_id").map(OperatorId))
        .transpose()
}

/// Deletes tokens that have lapsed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sweep(tx: &mut Tx, now: OffsetDateTime) -> Result<u64, StoreError> {
    let swept = sqlx::query("DELETE FROM operator_tokens WHERE expires_at <= $1")
        .bind(millis(now))
        .execute(&mut **tx)
        .await?;
    Ok(swept.rows_affected())
}
