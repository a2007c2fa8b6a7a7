//! Events that partners are told of: written in the transaction that brings them about, so that none is lost and none is told
//! that did not happen.

use sqlx::Row as _;
use time::OffsetDateTime;

use super::{Sequence, StoreError, Tx, millis};
use crate::domain::card::CardId;
use crate::domain::event::Event;

/// Writes an event down. Those of one card follow one another without a gap.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn write(tx: &mut Tx, event: &Event, now: OffsetDateTime) -> Result<(), StoreError> {
    let id = tx.next_number(Sequence::Events).await?;
    let sequence = match event.card {
        Some(card) => Some(next_of_card(tx, card).await?),
        None => None,
    };
    let data = serde_json::to_string(&event.data).map_err(|_| StoreError::Corrupt("data"))?;
    sqlx::query(
        "INSERT INTO events (id, partner, kind, user_id, card_id, card_sequence, data, occurred_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id)
    .bind(event.partner.as_str())
    .bind(event.kind.as_str())
    .bind(event.user.map(|user| user.0))
    .bind(event.card.map(|card| card.0))
    .bind(sequence)
    .bind(data)
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn next_of_card(tx: &mut Tx, card: CardId) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "INSERT INTO card_event_numbers (card_id, last) VALUES ($1, 1) \
         ON CONFLICT (card_id) DO UPDATE SET last = card_event_numbers.last + 1 RETURNING last",
    )
    .bind(card.0)
    .fetch_one(&mut **tx)
    .await?;
    Ok(row.try_get(0)?)
}
