//! Who was given everything that is held about a user, and when.

use sqlx::AnyConnection;
use time::OffsetDateTime;

use super::row::get;
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::lock::Party;
use crate::domain::user::UserId;

/// An export that was given.
pub struct Export {
    /// `USER` or `PARTNER`.
    pub asked_by: String,
    /// When.
    pub at: OffsetDateTime,
}

/// Writes down that the export is given.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx,
    user: UserId,
    asked_by: Party,
    trace: &str,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let id = tx.next_number(Sequence::UserExports).await?;
    sqlx::query(
        "INSERT INTO user_exports (id, user_id, asked_by, trace, created_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(user.0)
    .bind(asked_by.as_str())
    .bind(trace)
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The last exports of this user, at most `most`, oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_user(
    connection: &mut AnyConnection,
    user: UserId,
    most: i64,
) -> Result<Vec<Export>, StoreError> {
    let mut exports = sqlx::query(
        "SELECT asked_by, created_at FROM user_exports WHERE user_id = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(user.0)
    .bind(most)
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| {
        Ok(Export {
            asked_by: get(row, "asked_by")?,
            at: instant(get(row, "created_at")?)?,
        })
    })
    .collect::<Result<Vec<_>, StoreError>>()?;
    exports.reverse();
    Ok(exports)
}
