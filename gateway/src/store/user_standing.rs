//! Whether a user's account can be used: locks, and the personal data that may be changed.

use time::OffsetDateTime;

use super::users::written_address;
use super::{StoreError, Tx, millis};
use crate::domain::lock::Party;
use crate::domain::person::{ExternalId, Person};
use crate::domain::user::UserId;

/// Locks a user, or gives the lock to `by`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn lock(
    tx: &mut Tx,
    user: UserId,
    by: Party,
    reason: Option<&str>,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE users SET standing = 'LOCKED', locked_by = $2, lock_reason = $3, locked_at = $4 \
         WHERE id = $1 AND state = 'ACTIVE' AND standing <> 'REMOVED'",
    )
    .bind(user.0)
    .bind(by.as_str())
    .bind(reason)
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lifts the lock of a user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn unlock(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE users SET standing = 'OPEN', locked_by = NULL, lock_reason = NULL, locked_at = NULL \
         WHERE id = $1 AND standing = 'LOCKED'",
    )
    .bind(user.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Puts other personal data in the place of what is kept of a user.
///
/// # Errors
/// [`StoreError::Duplicate`] when the partner has another user of this external id.
pub async fn update(
    tx: &mut Tx,
    user: UserId,
    person: &Person,
    external_id: Option<&ExternalId>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE users SET external_id = $2, email = $3, phone_number = $4, first_name = $5, last_name = $6, \
         date_of_birth = $7, nationality = $8, address = $9 \
         WHERE id = $1 AND state = 'ACTIVE' AND standing <> 'REMOVED'",
    )
    .bind(user.0)
    .bind(external_id.map(ExternalId::as_str))
    .bind(person.email.as_str())
    .bind(person.phone_number.as_str())
    .bind(person.first_name.as_str())
    .bind(person.last_name.as_str())
    .bind(person.date_of_birth.to_text())
    .bind(person.nationality.as_str())
    .bind(written_address(person.address.as_ref())?)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
