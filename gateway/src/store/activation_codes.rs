//! Activation codes. Only hashes are kept; a spent code is deleted.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::row::{bytes, get};
use super::users::user_of_row;
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::user::{User, UserId};

/// A code that waits to be used.
pub struct ActivationCode {
    /// The row.
    pub id: i64,
    /// SHA-256 of the code's secret part.
    pub secret_hash: [u8; 32],
    /// From which the vault's idempotency keys are made.
    pub vault_key: [u8; 32],
    /// The partner's enrolment ticket, for the vault.
    pub enrolment_ticket: Option<String>,
    /// Uses that may still fail.
    pub tries_left: i64,
    /// When it lapses.
    pub expires_at: OffsetDateTime,
    /// For whom.
    pub user: User,
}

/// A code to keep.
pub struct NewCode<'a> {
    /// For whom.
    pub user: UserId,
    /// The part by which it is found.
    pub selector: &'a str,
    /// SHA-256 of the other part.
    pub secret_hash: [u8; 32],
    /// Random.
    pub vault_key: [u8; 32],
    /// The partner's enrolment ticket, for the vault.
    pub enrolment_ticket: Option<&'a str>,
    /// Uses that may fail.
    pub tries: i64,
    /// When it lapses.
    pub expires_at: OffsetDateTime,
}

/// Replaces the user's codes by a new one: an earlier code is void.
///
/// # Errors
/// [`StoreError::Duplicate`] in the one case in a million that the selector is taken.
pub async fn replace(tx: &mut Tx, new: &NewCode<'_>, now: OffsetDateTime) -> Result<(), StoreError> {
    delete_of_user(tx, new.user).await?;
    let id = tx.next_number(Sequence::ActivationCodes).await?;
    sqlx::query(
        "INSERT INTO activation_codes (id, user_id, selector, secret_hash, vault_key, enrolment_ticket, tries_left, \
         expires_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id)
    .bind(new.user.0)
    .bind(new.selector)
    .bind(new.secret_hash.as_slice())
    .bind(new.vault_key.as_slice())
    .bind(new.enrolment_ticket)
    .bind(new.tries)
    .bind(millis(new.expires_at))
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Voids the user's codes.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn delete_of_user(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM activation_codes WHERE user_id = $1")
        .bind(user.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The code with this selector, of an active user who is not locked.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    selector: &str,
) -> Result<Option<ActivationCode>, StoreError> {
    sqlx::query(
        "SELECT c.id, c.secret_hash, c.vault_key, c.enrolment_ticket, c.tries_left, c.expires_at, \
         u.id AS user_id, u.partner, u.program, u.holder, u.kyc_status, u.standing \
         FROM activation_codes c JOIN users u ON u.id = c.user_id WHERE c.selector = $1 AND u.state = 'ACTIVE' \
         AND u.standing = 'OPEN'",
    )
    .bind(selector)
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(of_row)
    .transpose()
}

fn of_row(row: &AnyRow) -> Result<ActivationCode, StoreError> {
    Ok(ActivationCode {
        id: get(row, "id")?,
        secret_hash: bytes(row, "secret_hash")?,
        vault_key: bytes(row, "vault_key")?,
        enrolment_ticket: get(row, "enrolment_ticket")?,
        tries_left: get(row, "tries_left")?,
        expires_at: instant(get(row, "expires_at")?)?,
        user: user_of_row(row, "user_id")?,
    })
}

/// Takes one of the code's tries. False when there is none left.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_try(tx: &mut Tx, id: i64) -> Result<bool, StoreError> {
    let updated = sqlx::query(
        "UPDATE activation_codes SET tries_left = tries_left - 1 WHERE id = $1 AND tries_left > 0",
    )
    .bind(id)
    .execute(&mut **tx)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Gives a try back: the code was right and the failure was not the caller's.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn return_try(tx: &mut Tx, id: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE activation_codes SET tries_left = tries_left + 1 WHERE id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Spends the code. False when somebody else has.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn spend(tx: &mut Tx, id: i64) -> Result<bool, StoreError> {
    let deleted = sqlx::query("DELETE FROM activation_codes WHERE id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(deleted.rows_affected() == 1)
}

/// Deletes lapsed codes.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sweep(tx: &mut Tx, now: OffsetDateTime) -> Result<u64, StoreError> {
    let swept = sqlx::query("DELETE FROM activation_codes WHERE expires_at < $1")
        .bind(millis(now))
        .execute(&mut **tx)
        .await?;
    Ok(swept.rows_affected())
}
