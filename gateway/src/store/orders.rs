//! Orders of plastic, as the vault numbered them.

use shared::ids::OrderToken;
use time::OffsetDateTime;

use super::{Sequence, StoreError, Tx, millis};
use crate::domain::card::CardId;

/// Files the order of a virtual card's plastic.
///
/// # Errors
/// [`StoreError`] of the database; [`StoreError::Duplicate`] for an order that is there already.
pub async fn insert_print(
    tx: &mut Tx,
    token: &OrderToken,
    card: CardId,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let id = tx.next_number(Sequence::Orders).await?;
    sqlx::query("INSERT INTO orders (id, token, card_id, kind, created_at) VALUES ($1, $2, $3, 'PRINT', $4)")
        .bind(id)
        .bind(token.as_str())
        .bind(card.0)
        .bind(millis(now))
        .execute(&mut **tx)
        .await?;
    Ok(())
}
