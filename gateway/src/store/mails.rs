//! Mails to be sent: written in the transaction that caused them, deleted once a mail server has taken them. What a crash
//! leaves is sent again under the same Message-ID.

use sqlx::any::AnyRow;
use time::{Duration, OffsetDateTime};

use super::row::get;
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::user::UserId;

/// How long others keep off a mail that is tried: longer than a try takes, so that two do not send it at the same time.
pub const LEASE: Duration = Duration::seconds(30);

/// A mail.
pub struct Mail {
    /// The number; nought before it is written.
    pub id: i64,
    /// The header Message-ID, the same at each try.
    pub message_id: String,
    /// To whom.
    pub recipient: String,
    /// The subject.
    pub subject: String,
    /// The text, sealed under the operators' key.
    pub body: Vec<u8>,
    /// How many tries have begun.
    pub tries: i64,
    /// From when on nobody can use what it says.
    pub expires_at: OffsetDateTime,
}

fn of_row(row: &AnyRow) -> Result<Mail, StoreError> {
    Ok(Mail {
        id: get(row, "id")?,
        message_id: get(row, "message_id")?,
        recipient: get(row, "recipient")?,
        subject: get(row, "subject")?,
        body: get(row, "body")?,
        tries: get(row, "tries")?,
        expires_at: instant(get(row, "expires_at")?)?,
    })
}

/// Writes a mail down.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(tx: &mut Tx, mail: &Mail, now: OffsetDateTime) -> Result<(), StoreError> {
    insert_to(tx, mail, None, now).await
}

/// Writes a mail to a user down, who may be removed before it is sent; none: it is nobody of ours.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert_to(
    tx: &mut Tx,
    mail: &Mail,
    user: Option<UserId>,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let id = tx.next_number(Sequence::Mails).await?;
    sqlx::query(
        "INSERT INTO mails (id, message_id, recipient, subject, body, next_try_at, expires_at, created_at, user_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $8)",
    )
    .bind(id)
    .bind(mail.message_id.as_str())
    .bind(mail.recipient.as_str())
    .bind(mail.subject.as_str())
    .bind(mail.body.as_slice())
    .bind(millis(now))
    .bind(millis(mail.expires_at))
    .bind(user.map(|user| user.0))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes what waits for a user: for one who is removed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn forget_user(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM mails WHERE user_id = $1")
        .bind(user.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Takes mails that are due, at most `most`, and keeps others off them for the length of a try.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_due(tx: &mut Tx, now: OffsetDateTime, most: i64) -> Result<Vec<Mail>, StoreError> {
    // The condition stands twice: whoever waited here for another process sees the row as that one left it.
    let rows = sqlx::query(
        "UPDATE mails SET next_try_at = $2, tries = tries + 1 WHERE next_try_at <= $1 AND id IN \
         (SELECT id FROM mails WHERE next_try_at <= $1 ORDER BY next_try_at LIMIT $3) RETURNING *",
    )
    .bind(millis(now))
    .bind(millis(now + LEASE))
    .bind(most)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(of_row).collect()
}

/// Deletes a mail that a server has taken, or that nobody can use any more.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM mails WHERE id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Sets when a mail is tried again.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn try_again_at(tx: &mut Tx, id: i64, at: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query("UPDATE mails SET next_try_at = $2 WHERE id = $1")
        .bind(id)
        .bind(millis(at))
        .execute(&mut **tx)
        .await?;
    Ok(())
}
