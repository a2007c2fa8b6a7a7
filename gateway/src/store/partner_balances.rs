//! Partner balances: what is shown, watched and locked of a partner's CREDIT or DEPOSIT, and of the platform's COMPANY.

use shared::money::Currency;
use shared::mtls::identity::Name;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};
use time::OffsetDateTime;

use super::ledger::accounts::sums_of_row;
use super::row::{get, named, parse, parse_optional};
use super::{Sequence, StoreError, Tx, millis};
use crate::domain::ledger::{AccountId, AccountKind, LowLevel, Watch};
use crate::domain::operator::Scope;
use crate::domain::partner_balance::{PartnerBalance, PartnerBalanceId, PartnerBalanceState};

const COLUMNS: &str = "SELECT b.id, b.account_id, b.state, b.low_level, b.rearm_level, b.is_low, a.kind, a.partner, \
     a.program, a.currency, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted \
     FROM partner_balances b JOIN accounts a ON a.id = b.account_id WHERE";

fn of_row(row: &AnyRow) -> Result<PartnerBalance, StoreError> {
    let levels: (Option<i64>, Option<i64>) = (get(row, "low_level")?, get(row, "rearm_level")?);
    let low_level = match levels {
        (Some(level), Some(rearm)) => {
            Some(LowLevel::new(level, rearm).ok_or(StoreError::Corrupt("low_level"))?)
        }
        (None, None) => None,
        _ => return Err(StoreError::Corrupt("rearm_level")),
    };
    Ok(PartnerBalance {
        id: PartnerBalanceId(get(row, "id")?),
        account: AccountId(get(row, "account_id")?),
        kind: named(row, "kind", AccountKind::from_name)?,
        partner: parse::<Name>(row, "partner")?,
        program: parse_optional(row, "program")?,
        currency: parse::<Currency>(row, "currency")?,
        state: named(row, "state", PartnerBalanceState::from_name)?,
        sums: sums_of_row(row)?,
        low_level,
        watch: if get::<i64>(row, "is_low")? == 0 {
            Watch::Armed
        } else {
            Watch::Low
        },
    })
}

/// Makes the row beside an account, in use and without a level.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx,
    account: AccountId,
    now: OffsetDateTime,
) -> Result<PartnerBalanceId, StoreError> {
    let id = tx.next_number(Sequence::PartnerBalances).await?;
    sqlx::query(
        "INSERT INTO partner_balances (id, account_id, state, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (account_id) DO NOTHING",
    )
    .bind(id)
    .bind(account.0)
    .bind(PartnerBalanceState::Active.as_str())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(PartnerBalanceId(id))
}

/// A partner balance.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    id: PartnerBalanceId,
) -> Result<Option<PartnerBalance>, StoreError> {
    one(connection, "b.id", id.0).await
}

/// The partner balance of an account.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_account(
    connection: &mut AnyConnection,
    account: AccountId,
) -> Result<Option<PartnerBalance>, StoreError> {
    one(connection, "b.account_id", account.0).await
}

async fn one(
    connection: &mut AnyConnection,
    column: &'static str,
    number: i64,
) -> Result<Option<PartnerBalance>, StoreError> {
    let row = sqlx::query(AssertSqlSafe(format!("{COLUMNS} {column} = $1")))
        .bind(number)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(of_row).transpose()
}

/// Partner balances within a scope with numbers above `after`, in order; at most `most`. Those of the platform, COMPANY, are
/// within the platform's scope alone.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    connection: &mut AnyConnection,
    scope: &Scope,
    after: i64,
    most: i64,
) -> Result<Vec<PartnerBalance>, StoreError> {
    let partner = scope.partner().map_or("", |partner| partner.as_str());
    let statement = format!(
        "{COLUMNS} b.id > $1 AND ($3 = '' OR (a.partner = $3 AND a.kind <> 'COMPANY')) ORDER BY b.id LIMIT $2"
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(after)
        .bind(most)
        .bind(partner)
        .fetch_all(connection)
        .await?
        .iter()
        .map(of_row)
        .collect()
}

/// Locks or unlocks it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_state(
    tx: &mut Tx,
    id: PartnerBalanceId,
    state: PartnerBalanceState,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE partner_balances SET state = $2 WHERE id = $1")
        .bind(id.0)
        .bind(state.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Sets its level, or takes it away, and what is known of it. Its account was taken in this transaction.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_low_level(
    tx: &mut Tx,
    id: PartnerBalanceId,
    level: Option<LowLevel>,
    watch: Watch,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE partner_balances SET low_level = $2, rearm_level = $3, is_low = $4 WHERE id = $1")
        .bind(id.0)
        .bind(level.map(LowLevel::level))
        .bind(level.map(LowLevel::rearm))
        .bind(i64::from(watch == Watch::Low))
        .execute(&mut **tx)
        .await?;
    Ok(())
}
