//! What is to be delivered: a row for each event and endpoint, written when the event is handed out.
//!
//! Whoever tries takes a lease, so that of several processes one does; what a dead one held comes free with its lease. A result
//! counts only while its lease does, but for an arrival, which is a fact.

use sqlx::AnyConnection;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use time::{Duration, OffsetDateTime};

use super::super::events::{Told, find, of_kinds, of_program};
use super::super::row::{get, named};
use super::super::{StoreError, Tx, instant, millis};
use super::time_of_row;
use crate::domain::event::EventKind;
use crate::domain::webhook::{DeliveryState, Endpoint, EndpointId, EventNumber, Failure};

/// How long others keep off a delivery that is tried: longer than a try and the writing of its result take.
pub const LEASE: Duration = Duration::seconds(40);

/// A delivery to be tried now, under a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Where to.
    pub endpoint: EndpointId,
    /// What.
    pub event: Told,
    /// How many tries have begun, this one among them.
    pub tries: i64,
    /// Until when nobody else tries.
    pub leased_until: OffsetDateTime,
}

/// Writes down that an endpoint is to get an event.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx,
    endpoint: EndpointId,
    event: EventNumber,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO webhook_deliveries (endpoint_id, event, state, next_try_at, created_at) \
         VALUES ($1, $2, 'PENDING', $3, $3) ON CONFLICT (endpoint_id, event) DO NOTHING",
    )
    .bind(endpoint.0)
    .bind(event.0)
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Enabled endpoints for which something is due that nobody tries.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn due_endpoints(
    connection: &mut AnyConnection,
    now: OffsetDateTime,
) -> Result<Vec<EndpointId>, StoreError> {
    let rows = sqlx::query(
        "SELECT e.id FROM webhook_endpoints e WHERE e.state = 'ENABLED' AND EXISTS \
         (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'PENDING' \
         AND d.next_try_at <= $1 AND d.leased_until <= $1) ORDER BY e.id",
    )
    .bind(millis(now))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok(EndpointId(get(row, "id")?))).collect()
}

/// Takes at most `most` deliveries to an endpoint that are due, each under a lease, in the order of their events.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_due(
    tx: &mut Tx,
    endpoint: EndpointId,
    now: OffsetDateTime,
    most: i64,
) -> Result<Vec<Due>, StoreError> {
    let leased_until = now + LEASE;
    // Rows that another process has locked are about to be leased by it: they are passed over, not waited for.
    let rows = sqlx::query(AssertSqlSafe(format!(
        "WITH due AS MATERIALIZED (SELECT event FROM webhook_deliveries WHERE endpoint_id = $1 AND state = 'PENDING' \
         AND next_try_at <= $2 AND leased_until <= $2 ORDER BY next_try_at, event LIMIT $3{}) \
         UPDATE webhook_deliveries SET leased_until = $4, tries = tries + 1, last_try_at = $2 \
         WHERE endpoint_id = $1 AND event IN (SELECT event FROM due) RETURNING event, tries",
        tx.skip_locked()
    )))
    .bind(endpoint.0)
    .bind(millis(now))
    .bind(most)
    .bind(millis(leased_until))
    .fetch_all(&mut **tx)
    .await?;
    let mut due = Vec::with_capacity(rows.len());
    for row in &rows {
        let number = EventNumber(get(row, "event")?);
        due.push(Due {
            endpoint,
            event: find(tx, number).await?.ok_or(StoreError::Corrupt("event"))?,
            tries: get(row, "tries")?,
            leased_until,
        });
    }
    due.sort_by_key(|due| due.event.number);
    Ok(due)
}

/// Files that it arrived. What was replayed while it was on its way goes once more: whoever asked for it had not seen it then.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn arrived(tx: &mut Tx, due: &Due, status: u16, now: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhook_deliveries SET state = CASE WHEN state = 'PENDING' AND leased_until = $5 \
         AND next_try_at > last_try_at THEN 'PENDING' ELSE 'DELIVERED' END, delivered_at = $3, last_status = $4, \
         last_failure = NULL, leased_until = 0 WHERE endpoint_id = $1 AND event = $2",
    )
    .bind(due.endpoint.0)
    .bind(due.event.number.0)
    .bind(millis(now))
    .bind(i64::from(status))
    .bind(millis(due.leased_until))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Gives a delivery back that was not tried after all.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn give_back(tx: &mut Tx, due: &Due) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhook_deliveries SET tries = tries - 1, leased_until = 0 \
         WHERE endpoint_id = $1 AND event = $2 AND state = 'PENDING' AND leased_until = $3",
    )
    .bind(due.endpoint.0)
    .bind(due.event.number.0)
    .bind(millis(due.leased_until))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Files that it did not arrive, and when it is tried again; none: it is given up. False when the lease had run out and
/// somebody else goes on.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn failed(
    tx: &mut Tx,
    due: &Due,
    (failure, status): (Failure, Option<u16>),
    next_try_at: Option<OffsetDateTime>,
) -> Result<bool, StoreError> {
    let state = next_try_at.map_or(DeliveryState::Failed, |_| DeliveryState::Pending);
    let filed = sqlx::query(
        "UPDATE webhook_deliveries SET state = $4, next_try_at = COALESCE($5, next_try_at), last_status = $6, \
         last_failure = $7, leased_until = 0 \
         WHERE endpoint_id = $1 AND event = $2 AND state = 'PENDING' AND leased_until = $3",
    )
    .bind(due.endpoint.0)
    .bind(due.event.number.0)
    .bind(millis(due.leased_until))
    .bind(state.as_str())
    .bind(next_try_at.map(millis))
    .bind(status.map(i64::from))
    .bind(failure.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(filed.rows_affected() == 1)
}

/// Which events are to be delivered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// Those of a time, both ends among them, that the endpoint wants.
    Between(OffsetDateTime, OffsetDateTime),
    /// These.
    Events(Vec<EventNumber>),
}

/// What a replay does to a row that is there: what is tried, or waits, keeps its tries and its lease and is brought forward.
const AGAIN: &str = "ON CONFLICT (endpoint_id, event) DO UPDATE SET \
     tries = CASE WHEN webhook_deliveries.state = 'PENDING' THEN webhook_deliveries.tries ELSE 0 END, \
     state = 'PENDING', next_try_at = excluded.next_try_at, delivered_at = NULL";

/// The endpoint's program, as [`of_program`] wants it bound.
fn program(endpoint: &Endpoint) -> &str {
    endpoint.program.as_ref().map_or("", |program| program.as_str())
}

/// Sets a time's events up for delivery, delivered ones among them; at most `most`, the earliest. Returns how many.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn replay_between(
    tx: &mut Tx,
    endpoint: &Endpoint,
    (from, to): (OffsetDateTime, OffsetDateTime),
    (now, most): (OffsetDateTime, i64),
) -> Result<u64, StoreError> {
    let set_up = sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO webhook_deliveries (endpoint_id, event, state, next_try_at, created_at) \
         SELECT $1, number, 'PENDING', $2, $2 FROM events WHERE partner = $3 AND number IS NOT NULL \
         AND occurred_at >= $4 AND occurred_at <= $5 AND kind <> '{}'{}{} ORDER BY number LIMIT $6 {AGAIN}",
        EventKind::WebhookTest.as_str(),
        of_kinds(&endpoint.kinds),
        of_program("$7"),
    )))
    .bind(endpoint.id.0)
    .bind(millis(now))
    .bind(endpoint.partner.as_str())
    .bind(millis(from))
    .bind(millis(to))
    .bind(most)
    .bind(program(endpoint))
    .execute(&mut **tx)
    .await?;
    Ok(set_up.rows_affected())
}

/// Sets one event of the endpoint's partner up for delivery. False when there is none that concerns the endpoint's program.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn replay_one(
    tx: &mut Tx,
    endpoint: &Endpoint,
    event: EventNumber,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let set_up = sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO webhook_deliveries (endpoint_id, event, state, next_try_at, created_at) \
         SELECT $1, number, 'PENDING', $2, $2 FROM events WHERE partner = $3 AND number = $4{} {AGAIN}",
        of_program("$5"),
    )))
    .bind(endpoint.id.0)
    .bind(millis(now))
    .bind(endpoint.partner.as_str())
    .bind(event.0)
    .bind(program(endpoint))
    .execute(&mut **tx)
    .await?;
    Ok(set_up.rows_affected() == 1)
}

/// A delivery as it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What.
    pub event: EventNumber,
    /// What happened.
    pub kind: EventKind,
    /// How far it is.
    pub state: DeliveryState,
    /// How many tries have begun.
    pub tries: i64,
    /// When it is tried next, while it waits.
    pub next_try_at: OffsetDateTime,
    /// The status of the last answer.
    pub last_status: Option<i64>,
    /// Why the last try failed.
    pub last_failure: Option<String>,
    /// When the last try began.
    pub last_try_at: Option<OffsetDateTime>,
    /// When it arrived.
    pub delivered_at: Option<OffsetDateTime>,
}

fn of_row(row: &AnyRow) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        event: EventNumber(get(row, "event")?),
        kind: named(row, "kind", EventKind::from_name)?,
        state: named(row, "state", DeliveryState::from_name)?,
        tries: get(row, "tries")?,
        next_try_at: instant(get(row, "next_try_at")?)?,
        last_status: get(row, "last_status")?,
        last_failure: get(row, "last_failure")?,
        last_try_at: time_of_row(row, "last_try_at")?,
        delivered_at: time_of_row(row, "delivered_at")?,
    })
}

/// Deliveries to an endpoint, of events with numbers above `after`, in order; at most `most`; in one state, if one is named.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    connection: &mut AnyConnection,
    endpoint: EndpointId,
    state: Option<DeliveryState>,
    (after, most): (i64, i64),
) -> Result<Vec<Delivery>, StoreError> {
    let state = state.map(|state| format!(" AND d.state = '{}'", state.as_str()));
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT d.event, e.kind, d.state, d.tries, d.next_try_at, d.last_status, d.last_failure, d.last_try_at, \
         d.delivered_at FROM webhook_deliveries d JOIN events e ON e.number = d.event \
         WHERE d.endpoint_id = $1 AND d.event > $2{} ORDER BY d.event LIMIT $3",
        state.unwrap_or_default()
    )))
    .bind(endpoint.0)
    .bind(after)
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter().map(of_row).collect()
}

/// Frees what an earlier process was trying. Only for a database that no other process uses.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn free_all(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhook_deliveries SET leased_until = 0 WHERE state = 'PENDING' AND leased_until > 0",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Forgets deliveries of events from before `before`, and those to deleted endpoints; at most `most` of each. What is being
/// tried at an enabled endpoint stays, however old. Returns how many.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sweep(tx: &mut Tx, before: OffsetDateTime, most: i64) -> Result<u64, StoreError> {
    let old = sqlx::query(
        "DELETE FROM webhook_deliveries WHERE (endpoint_id, event) IN (SELECT d.endpoint_id, d.event \
         FROM webhook_deliveries d JOIN webhook_endpoints p ON p.id = d.endpoint_id JOIN events e ON e.number = d.event \
         WHERE e.occurred_at < $1 AND (d.state <> 'PENDING' OR p.state <> 'ENABLED') LIMIT $2)",
    )
    .bind(millis(before))
    .bind(most)
    .execute(&mut **tx)
    .await?;
    let orphaned = sqlx::query(
        "DELETE FROM webhook_deliveries WHERE (endpoint_id, event) IN (SELECT d.endpoint_id, d.event \
         FROM webhook_deliveries d JOIN webhook_endpoints p ON p.id = d.endpoint_id WHERE p.state = 'DELETED' LIMIT $1)",
    )
    .bind(most)
    .execute(&mut **tx)
    .await?;
    Ok(old.rows_affected() + orphaned.rows_affected())
}
