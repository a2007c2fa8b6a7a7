//! Accounts: made when they are first needed, taken in order, written back as the domain decided.

use std::collections::BTreeSet;

use shared::ids::ProgramName;
use shared::money::Currency;
use shared::mtls::identity::Name;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};
use time::OffsetDateTime;

use crate::domain::balance::BalanceId;
use crate::domain::ledger::{Account, AccountId, AccountKind, Sums};
use crate::store::row::{get, named, parse};
use crate::store::{Sequence, StoreError, Tx, millis, partner_balances};

/// Whose accounts are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The partner.
    pub partner: &'a Name,
    /// The program.
    pub program: &'a ProgramName,
    /// The currency.
    pub currency: Currency,
}

/// Reads the four sums.
pub(in crate::store) fn sums_of_row(row: &AnyRow) -> Result<Sums, StoreError> {
    Ok(Sums {
        debits_pending: get(row, "debits_pending")?,
        debits_posted: get(row, "debits_posted")?,
        credits_pending: get(row, "credits_pending")?,
        credits_posted: get(row, "credits_posted")?,
    })
}

fn of_row(row: &AnyRow) -> Result<Account, StoreError> {
    Ok(Account {
        id: AccountId(get(row, "id")?),
        kind: named(row, "kind", AccountKind::from_name)?,
        currency: parse(row, "currency")?,
        sums: sums_of_row(row)?,
    })
}

/// The account of a user balance, made if it has none: the version before made balances without.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_balance(
    tx: &mut Tx,
    owner: Owner<'_>,
    balance: BalanceId,
    now: OffsetDateTime,
) -> Result<AccountId, StoreError> {
    let found = sqlx::query("SELECT id FROM accounts WHERE balance_id = $1")
        .bind(balance.0)
        .fetch_optional(&mut **tx)
        .await?;
    match found {
        Some(row) => Ok(AccountId(get(&row, "id")?)),
        None => insert(tx, owner, AccountKind::User, Some(balance), now).await,
    }
}

/// The account of this kind, made if there is none: the platform's of a program, or one of the two outside.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn ensure(
    tx: &mut Tx,
    owner: Owner<'_>,
    kind: AccountKind,
    now: OffsetDateTime,
) -> Result<AccountId, StoreError> {
    if let Some(id) = find(tx, owner, kind).await? {
        return Ok(id);
    }
    let id = insert(tx, owner, kind, None, now).await?;
    if kind == AccountKind::Company {
        partner_balances::insert(tx, id, now).await?;
    }
    Ok(id)
}

async fn find(
    connection: &mut AnyConnection,
    owner: Owner<'_>,
    kind: AccountKind,
) -> Result<Option<AccountId>, StoreError> {
    // Each program has a company balance of its own; what is outside is the same for all programs of a partner.
    let (column, whose) = match kind {
        AccountKind::Company => ("program", owner.program.as_str()),
        _ => ("partner", owner.partner.as_str()),
    };
    let statement = format!("SELECT id FROM accounts WHERE kind = $1 AND currency = $2 AND {column} = $3");
    let row = sqlx::query(AssertSqlSafe(statement))
        .bind(kind.as_str())
        .bind(owner.currency.code())
        .bind(whose)
        .fetch_optional(connection)
        .await?;
    row.map(|row| get(&row, "id").map(AccountId)).transpose()
}

/// Makes an empty account. Should another transaction make the same one first, this one waits for it and is refused
/// ([`StoreError::Duplicate`]) where there may be no second, or finds it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx,
    owner: Owner<'_>,
    kind: AccountKind,
    balance: Option<BalanceId>,
    now: OffsetDateTime,
) -> Result<AccountId, StoreError> {
    let id = tx.next_number(Sequence::Accounts).await?;
    let has_program = matches!(kind, AccountKind::User | AccountKind::Company);
    let made = sqlx::query(
        "INSERT INTO accounts (id, kind, partner, program, currency, balance_id, debits_must_not_exceed_credits, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(kind.as_str())
    .bind(owner.partner.as_str())
    .bind(has_program.then_some(owner.program.as_str()))
    .bind(owner.currency.code())
    .bind(balance.map(|balance| balance.0))
    .bind(i64::from(kind.debits_must_not_exceed_credits()))
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    if made.rows_affected() == 1 {
        return Ok(AccountId(id));
    }
    if kind.limits_a_partner() {
        return Err(StoreError::Duplicate);
    }
    match balance {
        Some(balance) => {
            let row = sqlx::query("SELECT id FROM accounts WHERE balance_id = $1")
                .bind(balance.0)
                .fetch_one(&mut **tx)
                .await?;
            Ok(AccountId(get(&row, "id")?))
        }
        None => find(tx, owner, kind)
            .await?
            .ok_or(StoreError::Corrupt("accounts.program")),
    }
}

/// The partner's limit in this currency: its CREDIT or its DEPOSIT.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn limit_of(
    connection: &mut AnyConnection,
    partner: &Name,
    currency: Currency,
) -> Result<Option<AccountId>, StoreError> {
    let row = sqlx::query(
        "SELECT id FROM accounts WHERE partner = $1 AND currency = $2 AND kind IN ('CREDIT', 'DEPOSIT')",
    )
    .bind(partner.as_str())
    .bind(currency.code())
    .fetch_optional(connection)
    .await?;
    row.map(|row| get(&row, "id").map(AccountId)).transpose()
}

/// Takes accounts, to be changed in this transaction: nobody else changes them before it ends. Always in the order of their
/// numbers, so that two who want the same accounts do not wait for each other.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take(tx: &mut Tx, ids: impl IntoIterator<Item = AccountId>) -> Result<Vec<Account>, StoreError> {
    let in_order: BTreeSet<AccountId> = ids.into_iter().collect();
    let mut taken = Vec::with_capacity(in_order.len());
    for id in in_order {
        let row = sqlx::query(
            "UPDATE accounts SET kind = kind WHERE id = $1 RETURNING id, kind, currency, debits_pending, \
             debits_posted, credits_pending, credits_posted",
        )
        .bind(id.0)
        .fetch_one(&mut **tx)
        .await?;
        taken.push(of_row(&row)?);
    }
    Ok(taken)
}

/// Writes the sums of an account that was taken in this transaction.
///
/// # Errors
/// [`StoreError`] of the database, which refuses sums below zero and overdrawn accounts by itself.
pub async fn save(tx: &mut Tx, account: &Account) -> Result<(), StoreError> {
    let sums = account.sums;
    sqlx::query(
        "UPDATE accounts SET debits_pending = $2, debits_posted = $3, credits_pending = $4, credits_posted = $5 \
         WHERE id = $1",
    )
    .bind(account.id.0)
    .bind(sums.debits_pending)
    .bind(sums.debits_posted)
    .bind(sums.credits_pending)
    .bind(sums.credits_posted)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
