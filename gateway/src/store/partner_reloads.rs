//! Reloads of partner balances: proposed, decided once, each bank transfer credited at most once.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};
use time::OffsetDateTime;

use super::row::{get, named};
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::ledger::{Amount, BankReference, TransferId};
use crate::domain::operator::OperatorId;
use crate::domain::partner_balance::{PartnerBalanceId, PartnerReload, PartnerReloadId, ReloadState};

const COLUMNS: &str = "id, partner_balance_id, amount, bank_reference, state, proposed_by, decided_by, created_at, \
     decided_at";

fn of_row(row: &AnyRow) -> Result<PartnerReload, StoreError> {
    Ok(PartnerReload {
        id: PartnerReloadId(get(row, "id")?),
        balance: PartnerBalanceId(get(row, "partner_balance_id")?),
        amount: Amount::new(get(row, "amount")?).ok_or(StoreError::Corrupt("amount"))?,
        bank_reference: get(row, "bank_reference")?,
        state: named(row, "state", ReloadState::from_name)?,
        proposed_by: OperatorId(get(row, "proposed_by")?),
        decided_by: get::<Option<i64>>(row, "decided_by")?.map(OperatorId),
        created_at: instant(get(row, "created_at")?)?,
        decided_at: get::<Option<i64>>(row, "decided_at")?.map(instant).transpose()?,
    })
}

/// Files a proposal.
///
/// # Errors
/// [`StoreError::Duplicate`] for a bank reference that waits or was credited, on whatever balance.
pub async fn insert(
    tx: &mut Tx,
    balance: PartnerBalanceId,
    (amount, reference): (Amount, &BankReference),
    by: OperatorId,
    now: OffsetDateTime,
) -> Result<PartnerReload, StoreError> {
    let id = tx.next_number(Sequence::PartnerReloads).await?;
    let statement = format!(
        "INSERT INTO partner_reloads (id, partner_balance_id, amount, bank_reference, bank_reference_key, state, \
         proposed_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {COLUMNS}"
    );
    let row = sqlx::query(AssertSqlSafe(statement))
        .bind(id)
        .bind(balance.0)
        .bind(amount.minor())
        .bind(reference.as_str())
        .bind(reference.key())
        .bind(ReloadState::Proposed.as_str())
        .bind(by.0)
        .bind(millis(now))
        .fetch_one(&mut **tx)
        .await?;
    of_row(&row)
}

/// Takes a reload of this balance: nobody else decides it before the transaction ends.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take(
    tx: &mut Tx,
    balance: PartnerBalanceId,
    id: PartnerReloadId,
) -> Result<Option<PartnerReload>, StoreError> {
    let statement = format!(
        "UPDATE partner_reloads SET state = state WHERE id = $1 AND partner_balance_id = $2 RETURNING {COLUMNS}"
    );
    let row = sqlx::query(AssertSqlSafe(statement))
        .bind(id.0)
        .bind(balance.0)
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(of_row).transpose()
}

/// Writes a decision about a reload that was taken in this transaction; `transfer` credits it.
///
/// # Errors
/// [`StoreError`] of the database, which refuses a decision by whoever proposed.
pub async fn decide(
    tx: &mut Tx,
    id: PartnerReloadId,
    transfer: Option<TransferId>,
    by: OperatorId,
    now: OffsetDateTime,
) -> Result<PartnerReload, StoreError> {
    let state = if transfer.is_some() {
        ReloadState::Approved
    } else {
        ReloadState::Rejected
    };
    let statement = format!(
        "UPDATE partner_reloads SET state = $2, transfer_id = $3, decided_by = $4, decided_at = $5 WHERE id = $1 \
         RETURNING {COLUMNS}"
    );
    let row = sqlx::query(AssertSqlSafe(statement))
        .bind(id.0)
        .bind(state.as_str())
        .bind(transfer.map(|id| id.0))
        .bind(by.0)
        .bind(millis(now))
        .fetch_one(&mut **tx)
        .await?;
    of_row(&row)
}

/// Reloads of a balance with numbers above `after`, in order; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    connection: &mut AnyConnection,
    balance: PartnerBalanceId,
    after: i64,
    most: i64,
) -> Result<Vec<PartnerReload>, StoreError> {
    let statement = format!(
        "SELECT {COLUMNS} FROM partner_reloads WHERE partner_balance_id = $1 AND id > $2 ORDER BY id LIMIT $3"
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(balance.0)
        .bind(after)
        .bind(most)
        .fetch_all(connection)
        .await?
        .iter()
        .map(of_row)
        .collect()
}
