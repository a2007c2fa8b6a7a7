//! Forgets a user: everything personal is overwritten, and nothing that money, cards and the trail hang on is deleted.
//!
//! What stays: numbers, tokens, masked numbers and dates of cards, sums and transactions, events, the operators' trail, when
//! a KYC status changed and by whom. The partner's own name of the user is free again.

use shared::ids::CardToken;
use sqlx::AnyConnection;
use time::OffsetDateTime;

use super::ledger::accounts;
use super::row::{get, parse};
use super::subject::Subject;
use super::users::user_of_row;
use super::{StoreError, Tx, kyc_applications, kyc_documents, mails, millis};
use crate::domain::balance::BalanceId;
use crate::domain::card::CardId;
use crate::domain::installation::InstallationId;
use crate::domain::ledger::AccountId;
use crate::domain::user::{User, UserId};

/// Closes every balance of the user that is empty and on which nothing is held. Gives those that it closed; none when the
/// user has one that is not empty.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn close_balances(tx: &mut Tx, user: UserId) -> Result<Option<Vec<BalanceId>>, StoreError> {
    // Balances before accounts, as whoever moves money takes them: nothing comes in or is held in between.
    sqlx::query("UPDATE balances SET state = state WHERE user_id = $1")
        .bind(user.0)
        .execute(&mut **tx)
        .await?;
    let rows = sqlx::query(
        "SELECT a.id FROM accounts a JOIN balances b ON b.id = a.balance_id WHERE b.user_id = $1",
    )
    .bind(user.0)
    .fetch_all(&mut **tx)
    .await?;
    let ids = rows.iter().map(|row| get(row, "id").map(AccountId));
    let taken = accounts::take(tx, ids.collect::<Result<Vec<_>, _>>()?).await?;
    if !taken.iter().all(|account| account.sums.is_settled()) {
        return Ok(None);
    }
    sqlx::query(
        "UPDATE balances SET state = 'CLOSED', locked_by = NULL WHERE user_id = $1 AND state <> 'CLOSED' RETURNING id",
    )
    .bind(user.0)
    .fetch_all(&mut **tx)
    .await?
    .iter()
    .map(|row| get(row, "id").map(BalanceId))
    .collect::<Result<_, _>>()
    .map(Some)
}

/// The user's cards that are not removed, at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn cards_left(
    connection: &mut AnyConnection,
    user: UserId,
    most: i64,
) -> Result<Vec<(CardId, CardToken)>, StoreError> {
    sqlx::query("SELECT id, token FROM cards WHERE user_id = $1 AND state <> 'REMOVED' ORDER BY id LIMIT $2")
        .bind(user.0)
        .bind(most)
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| Ok((CardId(get(row, "id")?), parse(row, "token")?)))
        .collect()
}

/// Overwrites what is personal and ends what the user could still use. From the commit on the user exists for nobody.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn overwrite(tx: &mut Tx, user: UserId, now: OffsetDateTime) -> Result<(), StoreError> {
    // The answer to the registration told everything; a late retry shall neither be told it nor register anew.
    sqlx::query("UPDATE idempotency SET body = $2 WHERE id = (SELECT request_id FROM users WHERE id = $1)")
        .bind(user.0)
        .bind(format!(r#"{{"id":{}}}"#, user.0).into_bytes())
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "UPDATE users SET standing = 'REMOVED', removed_at = $2, external_id = NULL, email = '', phone_number = '', \
         first_name = '', last_name = '', date_of_birth = '', nationality = '', address = NULL, locked_by = NULL, \
         lock_reason = NULL, locked_at = NULL, request_id = NULL WHERE id = $1",
    )
    .bind(user.0)
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    for statement in [
        "DELETE FROM sessions WHERE installation_id IN (SELECT id FROM installations WHERE user_id = $1)",
        "DELETE FROM activation_codes WHERE user_id = $1",
        "UPDATE installations SET state = 'REVOKED', key_state = 'DUE' WHERE user_id = $1 AND state = 'ACTIVE'",
        "UPDATE installations SET device_name = NULL, device_id = '', pin_hash = '' WHERE user_id = $1",
    ] {
        sqlx::query(statement).bind(user.0).execute(&mut **tx).await?;
    }
    mails::forget_user(tx, user).await?;
    kyc_documents::erase_of(tx, user).await?;
    kyc_applications::erase_of(tx, user).await?;
    forget_answers(tx, user).await
}

/// Forgets what was answered to requests about the user and the user's cards, what the user calls the cards, and by what
/// their plastic is followed.
async fn forget_answers(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    for statement in [
        "UPDATE cards SET name = NULL, delivery = NULL WHERE user_id = $1",
        // By it a carrier tells where the plastic went.
        "UPDATE orders SET tracking_reference = NULL WHERE card_id IN (SELECT id FROM cards WHERE user_id = $1)",
    ] {
        sqlx::query(statement).bind(user.0).execute(&mut **tx).await?;
    }
    let cards = sqlx::query("SELECT id FROM cards WHERE user_id = $1")
        .bind(user.0)
        .fetch_all(&mut **tx)
        .await?;
    let mut subjects = vec![Subject::User(user)];
    for card in &cards {
        subjects.push(Subject::Card(CardId(get(card, "id")?)));
    }
    for subject in subjects {
        sqlx::query("DELETE FROM idempotency WHERE status IS NOT NULL AND subject = $1")
            .bind(subject.to_string())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Removed users of whom something is left to be done, at most `most`, with numbers above `after`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn unfinished(
    connection: &mut AnyConnection,
    after: UserId,
    most: i64,
) -> Result<Vec<User>, StoreError> {
    sqlx::query(
        "SELECT id, partner, program, holder, kyc_status, standing FROM users \
         WHERE standing = 'REMOVED' AND erased_at IS NULL AND id > $1 ORDER BY id LIMIT $2",
    )
    .bind(after.0)
    .bind(most)
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| user_of_row(row, "id"))
    .collect()
}

/// Whether work on a card of the user, or on a card to be, is under way at the vault: its row may hold an address or a name.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn has_work(connection: &mut AnyConnection, user: UserId) -> Result<bool, StoreError> {
    let rows = sqlx::query(
        "SELECT r.task, c.user_id FROM card_requests r LEFT JOIN cards c ON c.id = r.card_id \
         WHERE c.user_id = $1 OR c.user_id IS NULL",
    )
    .bind(user.0)
    .fetch_all(connection)
    .await?;
    for row in &rows {
        if get::<Option<i64>>(row, "user_id")?.is_some() {
            return Ok(true);
        }
        // A card to be is not there yet: its task names the user.
        let task: serde_json::Value =
            serde_json::from_str(&get::<String>(row, "task")?).map_err(|_| StoreError::Corrupt("task"))?;
        if task.get("user").and_then(serde_json::Value::as_i64) == Some(user.0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a key of the user's installations waits to be revoked.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn keys_waiting(
    connection: &mut AnyConnection,
    user: UserId,
) -> Result<Vec<InstallationId>, StoreError> {
    sqlx::query("SELECT id FROM installations WHERE user_id = $1 AND key_state = 'DUE' ORDER BY id")
        .bind(user.0)
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| get(row, "id").map(InstallationId))
        .collect()
}

/// Overwrites what the work at the vault still needed, and what came in beside it. Then nothing is left to be done.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn finish(tx: &mut Tx, user: UserId, now: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query("UPDATE installations SET public_key = $2, key_state = 'REVOKED' WHERE user_id = $1")
        .bind(user.0)
        .bind(Vec::<u8>::new())
        .execute(&mut **tx)
        .await?;
    forget_answers(tx, user).await?;
    sqlx::query("UPDATE users SET erased_at = $2 WHERE id = $1 AND standing = 'REMOVED'")
        .bind(user.0)
        .bind(millis(now))
        .execute(&mut **tx)
        .await?;
    Ok(())
}
