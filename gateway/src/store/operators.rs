//! Operators, their recovery codes, and failed logins.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use time::{Duration, OffsetDateTime};

use super::row::{get, named};
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::operator::{Login, Operator, OperatorId, OperatorState, Role, Scope};

/// How long failed logins are remembered after the last one.
const TRIES_KEPT_FOR: Duration = Duration::days(1);

/// Reads the columns `login, role, partner, state` and the number in column `id`.
pub(super) fn operator_of_row(row: &AnyRow, id: &'static str) -> Result<Operator, StoreError> {
    let partner: Option<String> = get(row, "partner")?;
    let partner = partner
        .map(|partner| partner.parse().map_err(|_| StoreError::Corrupt("partner")))
        .transpose()?;
    Ok(Operator {
        id: OperatorId(get(row, id)?),
        login: Login::parse(&get::<String>(row, "login")?).map_err(|_| StoreError::Corrupt("login"))?,
        role: named(row, "role", Role::from_name)?,
        scope: Scope::of(partner),
        state: named(row, "state", OperatorState::from_name)?,
    })
}

/// What an operator logs in against.
pub struct Credentials {
    /// Who it is.
    pub operator: Operator,
    /// The password's hash, in PHC form; none while invited.
    pub password_hash: Option<String>,
    /// The second factor's secret, sealed; none while invited.
    pub totp_secret: Option<Vec<u8>>,
}

/// The number of an operator to be: what is sealed for it is bound to it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn next_id(tx: &mut Tx) -> Result<OperatorId, StoreError> {
    tx.next_number(Sequence::Operators).await.map(OperatorId)
}

/// Files a new operator, who is invited.
///
/// # Errors
/// [`StoreError::Duplicate`] when the login is taken.
pub async fn insert(tx: &mut Tx, operator: &Operator, now: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO operators (id, login, role, partner, state, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(operator.id.0)
    .bind(operator.login.as_str())
    .bind(operator.role.as_str())
    .bind(operator.scope.partner().map(|partner| partner.as_str()))
    .bind(OperatorState::Invited.as_str())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// An operator.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(connection: &mut AnyConnection, id: OperatorId) -> Result<Option<Operator>, StoreError> {
    sqlx::query("SELECT id, login, role, partner, state FROM operators WHERE id = $1")
        .bind(id.0)
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(|row| operator_of_row(row, "id"))
        .transpose()
}

/// An operator, to be changed in this transaction: nobody else changes it before the transaction ends.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take(tx: &mut Tx, id: OperatorId) -> Result<Option<Credentials>, StoreError> {
    sqlx::query("UPDATE operators SET state = state WHERE id = $1 RETURNING *")
        .bind(id.0)
        .fetch_optional(&mut **tx)
        .await?
        .as_ref()
        .map(credentials_of_row)
        .transpose()
}

/// What the operator of this login logs in against.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_login(
    connection: &mut AnyConnection,
    login: &Login,
) -> Result<Option<Credentials>, StoreError> {
    sqlx::query("SELECT * FROM operators WHERE login = $1")
        .bind(login.as_str())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(credentials_of_row)
        .transpose()
}

fn credentials_of_row(row: &AnyRow) -> Result<Credentials, StoreError> {
    Ok(Credentials {
        operator: operator_of_row(row, "id")?,
        password_hash: get(row, "password_hash")?,
        totp_secret: get(row, "totp_secret")?,
    })
}

/// Operators within a scope with numbers above `after`, in order; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    connection: &mut AnyConnection,
    scope: &Scope,
    after: i64,
    most: i64,
) -> Result<Vec<Operator>, StoreError> {
    let rows =
        match scope.partner() {
            None => sqlx::query(
                "SELECT id, login, role, partner, state FROM operators WHERE id > $1 ORDER BY id LIMIT $2",
            )
            .bind(after)
            .bind(most)
            .fetch_all(connection)
            .await?,
            Some(partner) => {
                sqlx::query(
                    "SELECT id, login, role, partner, state FROM operators WHERE id > $1 AND partner = $3 \
                 ORDER BY id LIMIT $2",
                )
                .bind(after)
                .bind(most)
                .bind(partner.as_str())
                .fetch_all(connection)
                .await?
            }
        };
    rows.iter().map(|row| operator_of_row(row, "id")).collect()
}

/// The platform's Admins who can log in, each locked until the transaction ends: of two who take the role from one another
/// the second waits, and sees what the first did.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_platform_admins(tx: &mut Tx) -> Result<Vec<OperatorId>, StoreError> {
    let rows = sqlx::query(
        "UPDATE operators SET state = state WHERE role = 'ADMIN' AND state = 'ACTIVE' AND partner IS NULL RETURNING id",
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(|row| get(row, "id").map(OperatorId)).collect()
}

/// Gives an operator another role.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_role(tx: &mut Tx, id: OperatorId, role: Role) -> Result<(), StoreError> {
    sqlx::query("UPDATE operators SET role = $2 WHERE id = $1")
        .bind(id.0)
        .bind(role.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Sets where an operator stands.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_state(tx: &mut Tx, id: OperatorId, state: OperatorState) -> Result<(), StoreError> {
    sqlx::query("UPDATE operators SET state = $2 WHERE id = $1")
        .bind(id.0)
        .bind(state.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Sets the second factor's secret, sealed; no code of it was used yet.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_secret(tx: &mut Tx, id: OperatorId, sealed: &[u8]) -> Result<(), StoreError> {
    sqlx::query("UPDATE operators SET totp_secret = $2, totp_last_step = 0 WHERE id = $1")
        .bind(id.0)
        .bind(sealed)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Sets the password's hash.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_password(tx: &mut Tx, id: OperatorId, hash: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE operators SET password_hash = $2 WHERE id = $1")
        .bind(id.0)
        .bind(hash)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Takes password, second factor and recovery codes away: the operator has to be invited anew.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn strip(tx: &mut Tx, id: OperatorId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE operators SET state = 'INVITED', password_hash = NULL, totp_secret = NULL, totp_last_step = 0 \
         WHERE id = $1",
    )
    .bind(id.0)
    .execute(&mut **tx)
    .await?;
    set_recovery_codes(tx, id, &[]).await
}

/// Uses up a time step of the second factor. False when it, or a later one, was used before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn use_step(tx: &mut Tx, id: OperatorId, step: i64) -> Result<bool, StoreError> {
    let used = sqlx::query(
        "UPDATE operators SET totp_last_step = $2 WHERE id = $1 AND state = 'ACTIVE' AND totp_last_step < $2",
    )
    .bind(id.0)
    .bind(step)
    .execute(&mut **tx)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Replaces the recovery codes.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_recovery_codes(tx: &mut Tx, id: OperatorId, hashes: &[[u8; 32]]) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM operator_recovery_codes WHERE operator_id = $1")
        .bind(id.0)
        .execute(&mut **tx)
        .await?;
    for hash in hashes {
        sqlx::query("INSERT INTO operator_recovery_codes (code_hash, operator_id) VALUES ($1, $2)")
            .bind(hash.as_slice())
            .bind(id.0)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Uses up a recovery code. False when the operator has none such.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn use_recovery_code(tx: &mut Tx, id: OperatorId, hash: &[u8; 32]) -> Result<bool, StoreError> {
    let used = sqlx::query(
        "DELETE FROM operator_recovery_codes WHERE code_hash = $2 AND operator_id IN \
         (SELECT id FROM operators WHERE id = $1 AND state = 'ACTIVE')",
    )
    .bind(id.0)
    .bind(hash.as_slice())
    .execute(&mut **tx)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Counts a login as failed before anything is compared, so that many guesses at the same time count as many. With the last
/// of `allowed` ones the login is locked for `locked_for`; after that each further one locks it again, every time for longer.
///
/// Gives the end of the lock when the login is locked: then nothing is to be compared.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_login_try(
    tx: &mut Tx,
    login_hash: &[u8; 32],
    allowed: i64,
    locked_for: Duration,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let counted = sqlx::query(
        "INSERT INTO operator_login_tries (login_hash, failures, locked_until, last_at) VALUES ($1, 1, 0, $4) \
         ON CONFLICT (login_hash) DO UPDATE SET failures = operator_login_tries.failures + 1, last_at = $4, \
         locked_until = CASE WHEN operator_login_tries.failures + 1 >= $2 \
         THEN $4 + $3 * (operator_login_tries.failures + 2 - $2) ELSE operator_login_tries.locked_until END \
         WHERE operator_login_tries.locked_until <= $4",
    )
    .bind(login_hash.as_slice())
    .bind(allowed)
    .bind(i64::try_from(locked_for.whole_milliseconds()).unwrap_or(i64::MAX))
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    if counted.rows_affected() == 1 {
        return Ok(None);
    }
    let row = sqlx::query("SELECT locked_until FROM operator_login_tries WHERE login_hash = $1")
        .bind(login_hash.as_slice())
        .fetch_one(&mut **tx)
        .await?;
    Ok(Some(instant(get(&row, "locked_until")?)?))
}

/// Forgets the failed logins after a good one.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn clear_login_tries(tx: &mut Tx, login_hash: &[u8; 32]) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM operator_login_tries WHERE login_hash = $1")
        .bind(login_hash.as_slice())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Notes that a password reset was asked for. False when one was within `pause` before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn note_reset_ask(
    tx: &mut Tx,
    login_hash: &[u8; 32],
    pause: Duration,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let noted = sqlx::query(
        "INSERT INTO operator_reset_asks (login_hash, last_at) VALUES ($1, $2) ON CONFLICT (login_hash) \
         DO UPDATE SET last_at = $2 WHERE operator_reset_asks.last_at <= $3",
    )
    .bind(login_hash.as_slice())
    .bind(millis(now))
    .bind(millis(now - pause))
    .execute(&mut **tx)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Forgets failed logins and asked resets a day after the last one.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sweep_tries(tx: &mut Tx, now: OffsetDateTime) -> Result<u64, StoreError> {
    let swept = sqlx::query("DELETE FROM operator_login_tries WHERE last_at <= $1 AND locked_until <= $2")
        .bind(millis(now - TRIES_KEPT_FOR))
        .bind(millis(now))
        .execute(&mut **tx)
        .await?;
    let asks = sqlx::query("DELETE FROM operator_reset_asks WHERE last_at <= $1")
        .bind(millis(now - TRIES_KEPT_FOR))
        .execute(&mut **tx)
        .await?;
    Ok(swept.rows_affected() + asks.rows_affected())
}
