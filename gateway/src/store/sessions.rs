//! Sessions and login challenges. Tokens and challenges are kept as SHA-256 of themselves: 256 random bits need no more.

use sqlx::AnyConnection;
use time::OffsetDateTime;

use super::row::get;
use super::users::user_of_row;
use super::{StoreError, Tx, instant, millis};
use crate::domain::installation::InstallationId;
use crate::domain::user::{User, UserId};

/// A session that has not ended.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who logged in.
    pub user: User,
    /// By which installation.
    pub installation: InstallationId,
}

/// Begins a session; `request` is the idempotency entry of the request that earned it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx,
    token_hash: &[u8; 32],
    installation: InstallationId,
    request: Option<i64>,
    expires_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sessions (token_hash, installation_id, request_id, expires_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(token_hash.as_slice())
    .bind(installation.0)
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
) -> Result<Option<(InstallationId, OffsetDateTime)>, StoreError> {
    let row = sqlx::query(
        "UPDATE sessions SET token_hash = $2 WHERE request_id = $1 AND expires_at > $3 \
         RETURNING installation_id, expires_at",
    )
    .bind(request)
    .bind(token_hash.as_slice())
    .bind(millis(now))
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((
        InstallationId(get(&row, "installation_id")?),
        instant(get(&row, "expires_at")?)?,
    )))
}

/// The session of this token, if it has not ended, its installation is in use and its user not locked.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    token_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<Session>, StoreError> {
    let row = sqlx::query(
        "SELECT s.installation_id, u.id AS user_id, u.partner, u.program, u.holder, u.kyc_status, u.standing \
         FROM sessions s JOIN installations i ON i.id = s.installation_id JOIN users u ON u.id = i.user_id \
         WHERE s.token_hash = $1 AND s.expires_at > $2 AND i.state = 'ACTIVE' AND u.state = 'ACTIVE' \
         AND u.standing = 'OPEN'",
    )
    .bind(token_hash.as_slice())
    .bind(millis(now))
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Session {
        user: user_of_row(&row, "user_id")?,
        installation: InstallationId(get(&row, "installation_id")?),
    }))
}

/// Ends a session.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn delete(tx: &mut Tx, token_hash: &[u8; 32]) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
        .bind(token_hash.as_slice())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Ends every session of a user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn delete_of_user(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM sessions WHERE installation_id IN (SELECT id FROM installations WHERE user_id = $1)",
    )
    .bind(user.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps a login challenge.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert_challenge(
    tx: &mut Tx,
    challenge_hash: &[u8; 32],
    installation: InstallationId,
    expires_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO login_challenges (challenge_hash, installation_id, expires_at) VALUES ($1, $2, $3)",
    )
    .bind(challenge_hash.as_slice())
    .bind(installation.0)
    .bind(millis(expires_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Spends a login challenge. False when there is none of this installation, or it has lapsed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn spend_challenge(
    tx: &mut Tx,
    challenge_hash: &[u8; 32],
    installation: InstallationId,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let spent = sqlx::query(
        "DELETE FROM login_challenges WHERE challenge_hash = $1 AND installation_id = $2 AND expires_at > $3",
    )
    .bind(challenge_hash.as_slice())
    .bind(installation.0)
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(spent.rows_affected() == 1)
}

/// Deletes ended sessions and lapsed challenges.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sweep(tx: &mut Tx, now: OffsetDateTime) -> Result<u64, StoreError> {
    let sessions = sqlx::query("DELETE FROM sessions WHERE expires_at <= $1")
        .bind(millis(now))
        .execute(&mut **tx)
        .await?;
    let challenges = sqlx::query("DELETE FROM login_challenges WHERE expires_at <= $1")
        .bind(millis(now))
        .execute(&mut **tx)
        .await?;
    Ok(sessions.rows_affected() + challenges.rows_affected())
}
