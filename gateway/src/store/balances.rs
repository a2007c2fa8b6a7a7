//! Balances of users. What is in one is its account's to say.

use shared::ids::ProgramName;
use shared::money::Currency;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};
use time::OffsetDateTime;

use super::ledger::accounts::{self, Owner, sums_of_row};
use super::row::{get, named, parse};
use super::{Sequence, StoreError, Tx, millis};
use crate::domain::balance::{Balance, BalanceId, BalanceState};
use crate::domain::ledger::{AccountKind, Sums};
use crate::domain::lock::Party;
use crate::domain::user::UserId;

/// A balance without an account was made by the version before, and is empty.
const COLUMNS: &str = "SELECT b.id, b.user_id, b.currency, b.state, b.locked_by, \
     COALESCE(a.debits_pending, 0) AS debits_pending, COALESCE(a.debits_posted, 0) AS debits_posted, \
     COALESCE(a.credits_pending, 0) AS credits_pending, COALESCE(a.credits_posted, 0) AS credits_posted \
     FROM balances b LEFT JOIN accounts a ON a.balance_id = b.id WHERE";

fn of_row(row: &AnyRow) -> Result<Balance, StoreError> {
    Ok(Balance {
        id: BalanceId(get(row, "id")?),
        user: UserId(get(row, "user_id")?),
        currency: parse(row, "currency")?,
        state: named(row, "state", BalanceState::from_name)?,
        locked_by: get::<Option<String>>(row, "locked_by")?
            .map(|name| Party::from_name(&name).ok_or(StoreError::Corrupt("locked_by")))
            .transpose()?,
        sums: sums_of_row(row)?,
    })
}

/// Creates an empty balance in use, with its account, and the platform's account that pays the differences of its program.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx,
    user: UserId,
    program: &ProgramName,
    currency: Currency,
    now: OffsetDateTime,
) -> Result<Balance, StoreError> {
    let id = tx.next_number(Sequence::Balances).await?;
    sqlx::query(
        "INSERT INTO balances (id, user_id, program, currency, state, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(user.0)
    .bind(program.as_str())
    .bind(currency.code())
    .bind(BalanceState::Active.as_str())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    let row = sqlx::query("SELECT partner FROM users WHERE id = $1")
        .bind(user.0)
        .fetch_one(&mut **tx)
        .await?;
    let owner = Owner {
        partner: &parse(&row, "partner")?,
        program,
        currency,
    };
    accounts::of_balance(tx, owner, BalanceId(id), now).await?;
    accounts::ensure(tx, owner, AccountKind::Company, now).await?;
    Ok(Balance {
        id: BalanceId(id),
        user,
        currency,
        state: BalanceState::Active,
        locked_by: None,
        sums: Sums::default(),
    })
}

/// Takes a balance of this user, to be changed in this transaction, with the program under which it was made: nobody else
/// changes its state before the transaction ends. What is in it may still change until its account is taken.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take(
    tx: &mut Tx,
    user: UserId,
    id: BalanceId,
) -> Result<Option<(Balance, ProgramName)>, StoreError> {
    let row =
        sqlx::query("UPDATE balances SET state = state WHERE id = $1 AND user_id = $2 RETURNING program")
            .bind(id.0)
            .bind(user.0)
            .fetch_optional(&mut **tx)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let balance = find(tx, user, id).await?;
    Ok(balance.zip(Some(parse(&row, "program")?)))
}

/// Writes the state of a balance that was taken in this transaction.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_state(tx: &mut Tx, balance: &Balance) -> Result<(), StoreError> {
    sqlx::query("UPDATE balances SET state = $2, locked_by = $3 WHERE id = $1")
        .bind(balance.id.0)
        .bind(balance.state.as_str())
        .bind(balance.locked_by.map(Party::as_str))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The program under which it was made.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn program(
    connection: &mut AnyConnection,
    id: BalanceId,
) -> Result<Option<ProgramName>, StoreError> {
    let row = sqlx::query("SELECT program FROM balances WHERE id = $1")
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    row.map(|row| parse(&row, "program")).transpose()
}

/// Whose balance this is.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn owner(connection: &mut AnyConnection, id: BalanceId) -> Result<Option<UserId>, StoreError> {
    let row = sqlx::query("SELECT user_id FROM balances WHERE id = $1")
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    row.map(|row| get(&row, "user_id").map(UserId)).transpose()
}

/// Whether a card is on it that can be used, or can be used again, or is being made. The user's row was taken in this
/// transaction, as whoever makes a card takes it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn has_live_cards(tx: &mut Tx, id: BalanceId) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT 1 AS live FROM cards WHERE balance_id = $1 AND (state IN ('ORDERED', 'INACTIVE', 'ACTIVE') \
         OR (state = 'LOCKED' AND lock_code IN (3, 4, 6, 7))) \
         UNION ALL SELECT 1 AS live FROM card_requests WHERE balance_id = $1 LIMIT 1",
    )
    .bind(id.0)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.is_some())
}

/// A balance of this user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    user: UserId,
    id: BalanceId,
) -> Result<Option<Balance>, StoreError> {
    sqlx::query(AssertSqlSafe(format!("{COLUMNS} b.id = $1 AND b.user_id = $2")))
        .bind(id.0)
        .bind(user.0)
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(of_row)
        .transpose()
}

/// Up to `most` balances of this user with numbers above `after`, in order.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    connection: &mut AnyConnection,
    user: UserId,
    after: i64,
    most: i64,
) -> Result<Vec<Balance>, StoreError> {
    sqlx::query(AssertSqlSafe(format!(
        "{COLUMNS} b.user_id = $1 AND b.id > $2 ORDER BY b.id LIMIT $3"
    )))
    .bind(user.0)
    .bind(after)
    .bind(most)
    .fetch_all(connection)
    .await?
    .iter()
    .map(of_row)
    .collect()
}

/// Whether the user has a balance in this currency.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn has_one_in(
    connection: &mut AnyConnection,
    user: UserId,
    currency: Currency,
) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT id FROM balances WHERE user_id = $1 AND currency = $2 LIMIT 1")
        .bind(user.0)
        .bind(currency.code())
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

/// How many balances of the user are not closed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn count_open(connection: &mut AnyConnection, user: UserId) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS open FROM balances WHERE user_id = $1 AND state <> $2")
        .bind(user.0)
        .bind(BalanceState::Closed.as_str())
        .fetch_one(connection)
        .await?;
    get(&row, "open")
}
