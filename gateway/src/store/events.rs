//! Events that partners are told of: written in the transaction that brings them about, so that none is lost and none is told
//! that did not happen; and handed out later, numbered in the order of the commits.
//!
//! The row's `id` is drawn before its transaction commits: on PostgreSQL a lower one may become visible after a higher one, so
//! nobody who has seen an `id` can know that he has seen all before it. The `number` is given by one hand at a time, to what
//! is committed: whoever has seen a number has seen, or can see, all before it.

use serde_json::{Map, Value};
use shared::ids::ProgramName;
use shared::mtls::identity::Name;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};
use time::OffsetDateTime;

use super::row::{get, named, parse, parse_optional};
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::card::CardId;
use crate::domain::event::{Event, EventKind};
use crate::domain::user::UserId;
use crate::domain::webhook::{EventNumber, Kinds};

/// An event that was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// By which partners know it.
    pub number: EventNumber,
    /// What happened.
    pub kind: EventKind,
    /// Whose event it is.
    pub partner: Name,
    /// The user it is about.
    pub user: Option<UserId>,
    /// The card it is about.
    pub card: Option<CardId>,
    /// Its number among those of the card: 1, 2, 3, …
    pub card_sequence: Option<i64>,
    /// The program it is of: the user's, or the one it is about. None: it is the partner's as a whole.
    pub program: Option<ProgramName>,
    /// What else is told.
    pub data: Map<String, Value>,
    /// When it happened.
    pub at: OffsetDateTime,
}

/// The program of an event. A user stays in one program, and the row of a user stays.
const PROGRAM: &str = "COALESCE(events.program, (SELECT u.program FROM users u WHERE u.id = events.user_id))";

fn columns() -> String {
    format!("number, kind, partner, user_id, card_id, card_sequence, {PROGRAM} AS program, data, occurred_at")
}

fn of_row(row: &AnyRow) -> Result<Told, StoreError> {
    let data: String = get(row, "data")?;
    Ok(Told {
        number: EventNumber(get(row, "number")?),
        kind: named(row, "kind", EventKind::from_name)?,
        partner: parse(row, "partner")?,
        user: get::<Option<i64>>(row, "user_id")?.map(UserId),
        card: get::<Option<i64>>(row, "card_id")?.map(CardId),
        card_sequence: get(row, "card_sequence")?,
        program: parse_optional(row, "program")?,
        data: serde_json::from_str(&data).map_err(|_| StoreError::Corrupt("data"))?,
        at: instant(get(row, "occurred_at")?)?,
    })
}

/// Writes an event down. Those of one card follow one another without a gap. Whoever hands out is woken by the commit.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn write(tx: &mut Tx, event: &Event, now: OffsetDateTime) -> Result<(), StoreError> {
    insert(tx, event, now).await?;
    tx.wake_on_commit();
    Ok(())
}

async fn insert(tx: &mut Tx, event: &Event, now: OffsetDateTime) -> Result<i64, StoreError> {
    // First the card's number, which holds up others of the card until the commit: so the ids of a card's events are in order.
    let sequence = match event.card {
        Some(card) => Some(next_of_card(tx, card).await?),
        None => None,
    };
    let id = tx.next_number(Sequence::Events).await?;
    let data = serde_json::to_string(&event.data).map_err(|_| StoreError::Corrupt("data"))?;
    sqlx::query(
        "INSERT INTO events (id, partner, kind, user_id, card_id, card_sequence, data, occurred_at, program) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id)
    .bind(event.partner.as_str())
    .bind(event.kind.as_str())
    .bind(event.user.map(|user| user.0))
    .bind(event.card.map(|card| card.0))
    .bind(sequence)
    .bind(data)
    .bind(millis(now))
    .bind(event.program.as_ref().map(ProgramName::as_str))
    .execute(&mut **tx)
    .await?;
    Ok(id)
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

/// Whether events wait to be handed out.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn any_waits(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT id FROM events WHERE number IS NULL LIMIT 1")
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

/// Numbers events that are committed, at most `most`. What is to become of them goes into the same transaction.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn hand_out(tx: &mut Tx, most: i64) -> Result<Vec<Told>, StoreError> {
    let mut last = take_numbers(tx).await?;
    let rows = sqlx::query("SELECT id FROM events WHERE number IS NULL ORDER BY id LIMIT $1")
        .bind(most)
        .fetch_all(&mut **tx)
        .await?;
    let mut told = Vec::with_capacity(rows.len());
    for row in &rows {
        last += 1;
        told.push(give_number(tx, get(row, "id")?, last).await?);
    }
    Ok(told)
}

/// Writes an event and numbers it at once: for one that goes to one endpoint alone.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn write_numbered(tx: &mut Tx, event: &Event, now: OffsetDateTime) -> Result<Told, StoreError> {
    let last = take_numbers(tx).await?;
    let id = insert(tx, event, now).await?;
    give_number(tx, id, last + 1).await
}

/// The last number that was given; nobody else gives one until the transaction ends.
async fn take_numbers(tx: &mut Tx) -> Result<i64, StoreError> {
    let row = sqlx::query("UPDATE event_numbers SET last = last WHERE one = 1 RETURNING last")
        .fetch_one(&mut **tx)
        .await?;
    Ok(row.try_get(0)?)
}

async fn give_number(tx: &mut Tx, id: i64, number: i64) -> Result<Told, StoreError> {
    sqlx::query("UPDATE event_numbers SET last = $1 WHERE one = 1")
        .bind(number)
        .execute(&mut **tx)
        .await?;
    let row = sqlx::query(AssertSqlSafe(format!(
        "UPDATE events SET number = $2 WHERE id = $1 RETURNING {}",
        columns()
    )))
    .bind(id)
    .bind(number)
    .fetch_one(&mut **tx)
    .await?;
    of_row(&row)
}

/// A condition for events that concern an endpoint's program, which is bound as this parameter (empty: the endpoint is of no
/// program, and all concern it). The same as [`crate::domain::webhook::Endpoint::wants`].
pub(super) fn of_program(parameter: &str) -> String {
    format!(" AND ({parameter} = '' OR COALESCE({PROGRAM}, {parameter}) = {parameter})")
}

/// A condition for events of these kinds; the names are those of [`EventKind::as_str`].
pub(super) fn of_kinds(kinds: &Kinds) -> String {
    match kinds {
        Kinds::All => String::new(),
        Kinds::Some(kinds) => {
            let names: Vec<_> = kinds.iter().map(|kind| format!("'{}'", kind.as_str())).collect();
            format!(" AND kind IN ({})", names.join(", "))
        }
    }
}

/// A partner's events with numbers above `after`, in order; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    connection: &mut AnyConnection,
    partner: &Name,
    kinds: &Kinds,
    (after, most): (i64, i64),
) -> Result<Vec<Told>, StoreError> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT {} FROM events WHERE partner = $1 AND number > $2{} ORDER BY number LIMIT $3",
        columns(),
        of_kinds(kinds)
    )))
    .bind(partner.as_str())
    .bind(after)
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter().map(of_row).collect()
}

/// The event of that number.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(connection: &mut AnyConnection, number: EventNumber) -> Result<Option<Told>, StoreError> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT {} FROM events WHERE number = $1",
        columns()
    )))
    .bind(number.0)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(of_row).transpose()
}

/// Forgets events from before `before` that were handed out and have no delivery left; at most `most`. Returns how many.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sweep(tx: &mut Tx, before: OffsetDateTime, most: i64) -> Result<u64, StoreError> {
    let swept = sqlx::query(
        "DELETE FROM events WHERE id IN (SELECT e.id FROM events e \
         WHERE e.occurred_at < $1 AND e.number IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM webhook_deliveries d WHERE d.event = e.number) ORDER BY e.occurred_at LIMIT $2)",
    )
    .bind(millis(before))
    .bind(most)
    .execute(&mut **tx)
    .await?;
    Ok(swept.rows_affected())
}
