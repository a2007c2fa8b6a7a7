//! Orders of plastic, as the vault numbered them.

use shared::ids::OrderToken;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};
use time::OffsetDateTime;

use super::row::{get, named, parse};
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::card::CardId;
use crate::domain::operator::Scope;
use crate::domain::order::{CONFIRM_WITHIN, Delivery, Order, OrderKind, OrderState};
use crate::domain::user::UserId;

fn of_row(row: &AnyRow) -> Result<Order, StoreError> {
    let placed_at: i64 = get(row, "created_at")?;
    let changed_at: i64 = get(row, "changed_at")?;
    Ok(Order {
        token: parse(row, "token")?,
        card: CardId(get(row, "card_id")?),
        kind: named(row, "kind", OrderKind::from_name)?,
        renewal: get::<i64>(row, "renewal")? != 0,
        state: state_of_row(row)?,
        placed_at: instant(placed_at)?,
        changed_at: instant(changed_at.max(placed_at))?,
        overdue_at: get::<Option<i64>>(row, "overdue_at")?.map(instant).transpose()?,
    })
}

fn state_of_row(row: &AnyRow) -> Result<OrderState, StoreError> {
    let reason = || get::<Option<String>>(row, "reason")?.ok_or(StoreError::Corrupt("reason"));
    match get::<String>(row, "state")?.as_str() {
        "ORDERED" => Ok(OrderState::Ordered),
        "IN_PRODUCTION" => Ok(OrderState::InProduction),
        "CONFIRMED" => Ok(OrderState::Confirmed),
        "SHIPPED" => Ok(OrderState::Shipped {
            carrier: get(row, "carrier")?,
            tracking_reference: get(row, "tracking_reference")?,
        }),
        "RETURNED" => Ok(OrderState::Returned { reason: reason()? }),
        "FAILED" => Ok(OrderState::Failed { reason: reason()? }),
        _ => Err(StoreError::Corrupt("state")),
    }
}

/// Files an order; one that is there stays as it is.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx,
    token: &OrderToken,
    card: CardId,
    (kind, renewal): (OrderKind, bool),
    placed_at: OffsetDateTime,
) -> Result<(), StoreError> {
    let id = tx.next_number(Sequence::Orders).await?;
    sqlx::query(
        "INSERT INTO orders (id, token, card_id, kind, created_at, confirm_by, renewal) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (token) DO NOTHING",
    )
    .bind(id)
    .bind(token.as_str())
    .bind(card.0)
    .bind(kind.as_str())
    .bind(millis(placed_at))
    .bind(millis(placed_at + CONFIRM_WITHIN))
    .bind(i64::from(renewal))
    .execute(&mut **tx)
    .await?;
    match find(tx, token).await? {
        Some(order) => show(tx, &order).await,
        None => Ok(()),
    }
}

/// Writes with the card how far its plastic is, unless a newer order is what is shown.
async fn show(tx: &mut Tx, order: &Order) -> Result<(), StoreError> {
    let text = serde_json::to_string(&Delivery::from(order)).map_err(|_| StoreError::Corrupt("delivery"))?;
    sqlx::query(
        "UPDATE cards SET delivery = $2 WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM orders AS newer \
         WHERE newer.card_id = $1 AND newer.id > (SELECT id FROM orders WHERE token = $3))",
    )
    .bind(order.card.0)
    .bind(text)
    .bind(order.token.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// An order.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(connection: &mut AnyConnection, token: &OrderToken) -> Result<Option<Order>, StoreError> {
    let row = sqlx::query("SELECT * FROM orders WHERE token = $1")
        .bind(token.as_str())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(of_row).transpose()
}

/// An order, to be changed in this transaction.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take(tx: &mut Tx, token: &OrderToken) -> Result<Option<Order>, StoreError> {
    let row = sqlx::query("UPDATE orders SET state = state WHERE token = $1 RETURNING *")
        .bind(token.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(of_row).transpose()
}

/// Writes how far an order is. The order was taken in this transaction.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_state(
    tx: &mut Tx,
    token: &OrderToken,
    state: &OrderState,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let (carrier, tracking, reason) = match state {
        OrderState::Ordered | OrderState::InProduction | OrderState::Confirmed => (None, None, None),
        OrderState::Shipped {
            carrier,
            tracking_reference,
        } => (carrier.as_deref(), tracking_reference.as_deref(), None),
        OrderState::Returned { reason } | OrderState::Failed { reason } => {
            (None, None, Some(reason.as_str()))
        }
    };
    let row = sqlx::query(
        "UPDATE orders SET state = $2, carrier = $3, tracking_reference = $4, reason = $5, changed_at = $6, \
         confirm_by = CASE WHEN $7 = 1 THEN confirm_by ELSE NULL END WHERE token = $1 RETURNING *",
    )
    .bind(token.as_str())
    .bind(state.as_str())
    .bind(carrier)
    .bind(tracking)
    .bind(reason)
    .bind(millis(at))
    .bind(i64::from(state.waits_for_confirmation()))
    .fetch_one(&mut **tx)
    .await?;
    show(tx, &of_row(&row)?).await
}

/// Marks orders that the bureau should have confirmed by now, oldest first, each once; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn mark_overdue(tx: &mut Tx, now: OffsetDateTime, most: i64) -> Result<Vec<Order>, StoreError> {
    let rows = sqlx::query(
        "UPDATE orders SET overdue_at = $1, confirm_by = NULL WHERE id IN \
         (SELECT id FROM orders WHERE confirm_by <= $1 ORDER BY confirm_by LIMIT $2) RETURNING *",
    )
    .bind(millis(now))
    .bind(most)
    .fetch_all(&mut **tx)
    .await?;
    let late: Vec<Order> = rows.iter().map(of_row).collect::<Result<_, _>>()?;
    for order in &late {
        show(tx, order).await?;
    }
    Ok(late)
}

/// The newest order of a card.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_card(connection: &mut AnyConnection, card: CardId) -> Result<Option<Order>, StoreError> {
    let row = sqlx::query("SELECT * FROM orders WHERE card_id = $1 ORDER BY id DESC LIMIT 1")
        .bind(card.0)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(of_row).transpose()
}

/// The orders of a user's cards in the order of their numbers, beginning after `after`, each with its number; at most
/// `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_user(
    connection: &mut AnyConnection,
    user: UserId,
    after: i64,
    most: i64,
) -> Result<Vec<(i64, Order)>, StoreError> {
    let rows = sqlx::query(
        "SELECT orders.* FROM orders JOIN cards ON cards.id = orders.card_id \
         WHERE cards.user_id = $1 AND orders.id > $2 ORDER BY orders.id LIMIT $3",
    )
    .bind(user.0)
    .bind(after)
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok((get(row, "id")?, of_row(row)?)))
        .collect()
}

/// Orders within a scope on which the bureau is late and still silent, each with its number and its user, beginning after
/// `after`; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn overdue(
    connection: &mut AnyConnection,
    scope: &Scope,
    after: i64,
    most: i64,
) -> Result<Vec<(i64, UserId, Order)>, StoreError> {
    let own = match scope.partner() {
        Some(_) => " AND users.partner = $3",
        None => "",
    };
    let statement = format!(
        "SELECT orders.*, cards.user_id FROM orders JOIN cards ON cards.id = orders.card_id \
         JOIN users ON users.id = cards.user_id WHERE orders.overdue_at IS NOT NULL \
         AND orders.state IN ('ORDERED', 'IN_PRODUCTION') AND orders.id > $1{own} ORDER BY orders.id LIMIT $2"
    );
    let mut query = sqlx::query(AssertSqlSafe(statement)).bind(after).bind(most);
    if let Some(partner) = scope.partner() {
        query = query.bind(partner.as_str());
    }
    let rows = query.fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok((get(row, "id")?, UserId(get(row, "user_id")?), of_row(row)?)))
        .collect()
}
