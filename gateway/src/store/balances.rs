//! Balances of users.

use shared::ids::ProgramName;
use shared::money::Currency;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::row::{get, named, parse};
use super::{Sequence, StoreError, Tx, millis};
use crate::domain::balance::{Balance, BalanceId, BalanceState, Sums};
use crate::domain::operator::Scope;
use crate::domain::user::UserId;

fn of_row(row: &AnyRow) -> Result<Balance, StoreError> {
    Ok(Balance {
        id: BalanceId(get(row, "id")?),
        user: UserId(get(row, "user_id")?),
        currency: parse(row, "currency")?,
        state: named(row, "state", BalanceState::from_name)?,
        sums: Sums {
            debits_pending: get(row, "debits_pending")?,
            debits_posted: get(row, "debits_posted")?,
            credits_pending: get(row, "credits_pending")?,
            credits_posted: get(row, "credits_posted")?,
        },
    })
}

/// Creates an empty balance in use.
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
    Ok(Balance {
        id: BalanceId(id),
        user,
        currency,
        state: BalanceState::Active,
        sums: Sums::default(),
    })
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
    sqlx::query(
        "SELECT id, user_id, currency, state, debits_pending, debits_posted, credits_pending, credits_posted \
         FROM balances WHERE id = $1 AND user_id = $2",
    )
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
    sqlx::query(
        "SELECT id, user_id, currency, state, debits_pending, debits_posted, credits_pending, credits_posted \
         FROM balances WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3",
    )
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

/// The sum of all user balances within a scope, in minor units, of each currency there is.
///
/// # Errors
/// [`StoreError`] of the database, also for a sum beyond 64 bits.
pub async fn sums(connection: &mut AnyConnection, scope: &Scope) -> Result<Vec<(Currency, i64)>, StoreError> {
    let rows =
        match scope.partner() {
            None => sqlx::query(
                "SELECT currency, CAST(SUM(credits_posted - debits_posted) AS BIGINT) AS users FROM balances \
                 GROUP BY currency ORDER BY currency",
            )
            .fetch_all(connection)
            .await?,
            Some(partner) => {
                sqlx::query(
                    "SELECT b.currency, CAST(SUM(b.credits_posted - b.debits_posted) AS BIGINT) AS users \
                 FROM balances b JOIN users u ON u.id = b.user_id WHERE u.partner = $1 \
                 GROUP BY b.currency ORDER BY b.currency",
                )
                .bind(partner.as_str())
                .fetch_all(connection)
                .await?
            }
        };
    rows.iter()
        .map(|row| Ok((parse(row, "currency")?, get(row, "users")?)))
        .collect()
}
