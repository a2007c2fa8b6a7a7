//! How far the vault's notices were applied, and those that wait for a row of ours.

use shared::ids::{CardToken, OrderToken};
use shared::vault_api::notices::Notice;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::row::get;
use super::{StoreError, Tx, millis};

/// The index of the last notice that was applied; 0 when none ever was.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn position(connection: &mut AnyConnection) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT position FROM notice_position WHERE feed = 'vault'")
        .fetch_one(connection)
        .await?;
    index(get(&row, "position")?)
}

/// The same, held until the transaction ends: nobody else applies a notice meanwhile.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_position(tx: &mut Tx) -> Result<u64, StoreError> {
    let row =
        sqlx::query("UPDATE notice_position SET position = position WHERE feed = 'vault' RETURNING position")
            .fetch_one(&mut **tx)
            .await?;
    index(get(&row, "position")?)
}

/// Says that a notice was applied in this transaction, which has taken the position.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_position(tx: &mut Tx, position: u64, now: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query("UPDATE notice_position SET position = $1, changed_at = $2 WHERE feed = 'vault'")
        .bind(number(position)?)
        .bind(millis(now))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Lays a notice aside until its row is here.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn park(tx: &mut Tx, notice: &Notice, now: OffsetDateTime) -> Result<(), StoreError> {
    let text = serde_json::to_string(notice).map_err(|_| StoreError::Corrupt("notice"))?;
    sqlx::query(
        "INSERT INTO parked_notices (notice_index, card_token, order_token, notice, parked_at) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(number(notice.index)?)
    .bind(notice.card.as_str())
    .bind(notice.order.as_ref().map(OrderToken::as_str))
    .bind(text)
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes up what was laid aside for a card and no order, in its order.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn unpark_card(tx: &mut Tx, card: &CardToken) -> Result<Vec<Notice>, StoreError> {
    let rows = sqlx::query(
        "DELETE FROM parked_notices WHERE card_token = $1 AND order_token IS NULL RETURNING notice",
    )
    .bind(card.as_str())
    .fetch_all(&mut **tx)
    .await?;
    in_order(&rows)
}

/// Takes up what was laid aside for an order, in its order.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn unpark(tx: &mut Tx, order: &OrderToken) -> Result<Vec<Notice>, StoreError> {
    let rows = sqlx::query("DELETE FROM parked_notices WHERE order_token = $1 RETURNING notice")
        .bind(order.as_str())
        .fetch_all(&mut **tx)
        .await?;
    in_order(&rows)
}

fn in_order(rows: &[AnyRow]) -> Result<Vec<Notice>, StoreError> {
    let read = |row| {
        let text: String = get(row, "notice")?;
        serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("notice"))
    };
    let mut notices: Vec<Notice> = rows.iter().map(read).collect::<Result<_, _>>()?;
    notices.sort_by_key(|notice| notice.index);
    Ok(notices)
}

/// Forgets what waits since before `before`: cards of another gateway. Returns how many.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sweep(tx: &mut Tx, before: OffsetDateTime) -> Result<u64, StoreError> {
    let swept = sqlx::query("DELETE FROM parked_notices WHERE parked_at < $1")
        .bind(millis(before))
        .execute(&mut **tx)
        .await?;
    Ok(swept.rows_affected())
}

fn index(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Corrupt("position"))
}

fn number(index: u64) -> Result<i64, StoreError> {
    i64::try_from(index).map_err(|_| StoreError::Corrupt("position"))
}
