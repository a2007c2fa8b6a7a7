//! What becomes of pending transfers. Those that were linked end together.

use sqlx::any::AnyRow;
use time::OffsetDateTime;

use crate::domain::ledger::{AccountId, Amount, PendingState, TransferId};
use crate::store::row::{get, named};
use crate::store::{StoreError, Tx, instant, millis};

/// A pending transfer, taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub id: TransferId,
    /// Who gives.
    pub debit: AccountId,
    /// Who gets.
    pub credit: AccountId,
    /// What is reserved.
    pub amount: Amount,
    /// What has become of it.
    pub state: PendingState,
    /// When it expires.
    pub expires_at: OffsetDateTime,
}

/// Notes that a transfer is pending until `expires_at`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx,
    (id, linked): (TransferId, TransferId),
    expires_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO pending_transfers (transfer_id, linked_id, state, expires_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(id.0)
    .bind(linked.0)
    .bind(PendingState::Pending.as_str())
    .bind(millis(expires_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes the pending transfers that are linked to this first one, in order: nobody else ends them before the transaction does.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take(tx: &mut Tx, linked: TransferId) -> Result<Vec<Pending>, StoreError> {
    // The first is the gate: whoever has it has the others.
    let gate = sqlx::query("UPDATE pending_transfers SET state = state WHERE transfer_id = $1")
        .bind(linked.0)
        .execute(&mut **tx)
        .await?;
    if gate.rows_affected() == 0 {
        return Ok(Vec::new());
    }
    sqlx::query(
        "SELECT p.transfer_id, p.state, p.expires_at, t.debit_account_id, t.credit_account_id, t.amount \
         FROM pending_transfers p JOIN transfers t ON t.id = p.transfer_id WHERE p.linked_id = $1 \
         ORDER BY p.transfer_id",
    )
    .bind(linked.0)
    .fetch_all(&mut **tx)
    .await?
    .iter()
    .map(of_row)
    .collect()
}

fn of_row(row: &AnyRow) -> Result<Pending, StoreError> {
    Ok(Pending {
        id: TransferId(get(row, "transfer_id")?),
        debit: AccountId(get(row, "debit_account_id")?),
        credit: AccountId(get(row, "credit_account_id")?),
        amount: Amount::new(get(row, "amount")?).ok_or(StoreError::Corrupt("amount"))?,
        state: named(row, "state", PendingState::from_name)?,
        expires_at: instant(get(row, "expires_at")?)?,
    })
}

/// Ends the pending transfers linked to this first one, which were taken in this transaction.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end(
    tx: &mut Tx,
    linked: TransferId,
    state: PendingState,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE pending_transfers SET state = $2, ended_at = $3 WHERE linked_id = $1")
        .bind(linked.0)
        .bind(state.as_str())
        .bind(millis(now))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The first of each chain whose time is over, oldest first; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn due(
    connection: &mut sqlx::AnyConnection,
    now: OffsetDateTime,
    most: i64,
) -> Result<Vec<TransferId>, StoreError> {
    sqlx::query(
        "SELECT transfer_id FROM pending_transfers WHERE state = 'PENDING' AND expires_at <= $1 \
         AND transfer_id = linked_id ORDER BY expires_at LIMIT $2",
    )
    .bind(millis(now))
    .bind(most)
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| get(row, "transfer_id").map(TransferId))
    .collect()
}
