//! The bureau has 48 hours to confirm an order (linking). What is later is flagged once and told; it stays an order: a
//! confirmation that comes after all still links, for the plastic exists and its holder waits for it.

use crate::domain::event::{Event, EventKind};
use crate::domain::order::Order;
use crate::error::Error;
use crate::services::Services;
use crate::store::{StoreError, Tx, cards, events, orders, users};

/// Orders in one transaction.
const BATCH: i64 = 100;

/// Flags what is late. Returns how many orders are late since the last time.
///
/// # Errors
/// The database's.
pub async fn flag_late_orders(services: &Services) -> Result<u64, Error> {
    let mut flagged = 0;
    loop {
        let mut tx = services.db.begin().await?;
        let late = orders::mark_overdue(&mut tx, services.now(), BATCH).await?;
        for order in &late {
            tell(services, &mut tx, order).await?;
        }
        tx.commit().await?;
        for order in &late {
            tracing::warn!(order = %order.token, alarm = "orders", "the bureau is late with an order");
        }
        flagged += late.len() as u64;
        if (late.len() as u64) < BATCH.unsigned_abs() {
            return Ok(flagged);
        }
    }
}

async fn tell(services: &Services, tx: &mut Tx, order: &Order) -> Result<(), Error> {
    let gone = StoreError::Corrupt("an order's card or user is gone");
    let Some(user) = cards::owner(tx, order.card).await? else {
        return Err(gone.into());
    };
    let Some(user) = users::find(tx, user).await? else {
        return Err(gone.into());
    };
    let event = Event::new(EventKind::CardOverdue, &user.partner)
        .about_user(user.id)
        .about_card(order.card)
        .telling("order", order.token.as_str())
        .telling("kind", order.kind.as_str());
    Ok(events::write(tx, &event, services.now()).await?)
}
