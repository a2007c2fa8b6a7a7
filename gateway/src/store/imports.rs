//! Mass imports, but for their rows.

use shared::ids::ProgramName;
use shared::mtls::identity::Name;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::row::{get, named, parse};
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::import::{ImportId, ImportKind, ImportStatus, RowStatus};

/// An import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The number.
    pub id: ImportId,
    /// Whose it is.
    pub partner: Name,
    /// Under which program new users come.
    pub program: ProgramName,
    /// What its lines are.
    pub kind: ImportKind,
    /// Whether nothing is to have an effect.
    pub dry_run: bool,
    /// The partner's own name of it, under which card rows are signed.
    pub name: Option<String>,
    /// Where it stands.
    pub status: ImportStatus,
    /// How many rows it has.
    pub lines: i64,
    /// The trace of the request.
    pub trace: Option<String>,
    /// When the file came.
    pub created_at: OffsetDateTime,
    /// When it came to its end.
    pub finished_at: Option<OffsetDateTime>,
}

/// An import that is about to be received.
pub struct NewImport<'a> {
    /// Whose it is.
    pub partner: &'a Name,
    /// Under which program new users come.
    pub program: &'a ProgramName,
    /// What its lines are.
    pub kind: ImportKind,
    /// Whether nothing is to have an effect.
    pub dry_run: bool,
    /// The partner's own name of it.
    pub name: Option<&'a str>,
    /// The trace of the request.
    pub trace: &'a str,
}

/// How many rows stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Not brought to an end yet.
    pub waiting: i64,
    /// Done.
    pub done: i64,
    /// Failed.
    pub failed: i64,
}

fn of_row(row: &AnyRow) -> Result<Import, StoreError> {
    let finished_at: Option<i64> = get(row, "finished_at")?;
    Ok(Import {
        id: ImportId(get(row, "id")?),
        partner: parse(row, "partner")?,
        program: parse(row, "program")?,
        kind: named(row, "kind", ImportKind::from_name)?,
        dry_run: get::<i64>(row, "dry_run")? == 1,
        name: get(row, "name")?,
        status: named(row, "status", ImportStatus::from_name)?,
        lines: get(row, "lines")?,
        trace: get(row, "trace")?,
        created_at: instant(get(row, "created_at")?)?,
        finished_at: finished_at.map(instant).transpose()?,
    })
}

/// Begins to receive an import.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(tx: &mut Tx, new: &NewImport<'_>, now: OffsetDateTime) -> Result<ImportId, StoreError> {
    let id = tx.next_number(Sequence::Imports).await?;
    sqlx::query(
        "INSERT INTO imports (id, partner, program, kind, dry_run, name, status, touched_at, next_turn_at, trace, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, 'RECEIVING', $7, $7, $8, $7)",
    )
    .bind(id)
    .bind(new.partner.as_str())
    .bind(new.program.as_str())
    .bind(new.kind.as_str())
    .bind(i64::from(new.dry_run))
    .bind(new.name)
    .bind(millis(now))
    .bind(new.trace)
    .execute(&mut **tx)
    .await?;
    Ok(ImportId(id))
}

/// Notes that so many rows more were received.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn received(tx: &mut Tx, id: ImportId, rows: i64, now: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE imports SET lines = lines + $2, touched_at = $3 WHERE id = $1 AND status = 'RECEIVING'",
    )
    .bind(id.0)
    .bind(rows)
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lets a received import run. None when it is gone.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn start(tx: &mut Tx, id: ImportId, now: OffsetDateTime) -> Result<Option<Import>, StoreError> {
    sqlx::query(
        "UPDATE imports SET status = 'RUNNING', next_turn_at = $2 WHERE id = $1 AND status = 'RECEIVING' RETURNING *",
    )
    .bind(id.0)
    .bind(millis(now))
    .fetch_optional(&mut **tx)
    .await?
    .as_ref()
    .map(of_row)
    .transpose()
}

/// Deletes an import with its rows.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn delete(tx: &mut Tx, id: ImportId) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM import_rows WHERE import_id = $1",
        "DELETE FROM imports WHERE id = $1",
    ] {
        sqlx::query(statement).bind(id.0).execute(&mut **tx).await?;
    }
    Ok(())
}

/// An import of this partner, once it was received.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find_of_partner(
    connection: &mut AnyConnection,
    partner: &Name,
    id: ImportId,
) -> Result<Option<Import>, StoreError> {
    sqlx::query("SELECT * FROM imports WHERE id = $1 AND partner = $2 AND status <> 'RECEIVING'")
        .bind(id.0)
        .bind(partner.as_str())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(of_row)
        .transpose()
}

/// How many imports of this partner have not come to their end.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn count_under_way(connection: &mut AnyConnection, partner: &Name) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS under_way FROM imports WHERE partner = $1 AND status IN ('RECEIVING', 'RUNNING')",
    )
    .bind(partner.as_str())
    .fetch_one(connection)
    .await?;
    get(&row, "under_way")
}

/// How many rows of an import stand where.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn counts(connection: &mut AnyConnection, id: ImportId) -> Result<Counts, StoreError> {
    let rows =
        sqlx::query("SELECT status, COUNT(*) AS many FROM import_rows WHERE import_id = $1 GROUP BY status")
            .bind(id.0)
            .fetch_all(connection)
            .await?;
    let mut counts = Counts::default();
    for row in &rows {
        let many: i64 = get(row, "many")?;
        match named(row, "status", RowStatus::from_name)? {
            RowStatus::Waiting | RowStatus::Working => counts.waiting += many,
            RowStatus::Done => counts.done += many,
            RowStatus::Failed => counts.failed += many,
        }
    }
    Ok(counts)
}

/// Takes the import whose turn it is, and keeps others off it until `until`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_turn(
    tx: &mut Tx,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<Option<Import>, StoreError> {
    sqlx::query(
        "UPDATE imports SET next_turn_at = $2 WHERE next_turn_at <= $1 AND status = 'RUNNING' AND id = \
         (SELECT id FROM imports WHERE status = 'RUNNING' AND next_turn_at <= $1 ORDER BY next_turn_at, id LIMIT 1) \
         RETURNING *",
    )
    .bind(millis(now))
    .bind(millis(until))
    .fetch_optional(&mut **tx)
    .await?
    .as_ref()
    .map(of_row)
    .transpose()
}

/// Ends the turn; the next one is at `at`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end_turn(tx: &mut Tx, id: ImportId, at: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query("UPDATE imports SET next_turn_at = $2 WHERE id = $1")
        .bind(id.0)
        .bind(millis(at))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Frees the turns that a process took which alone uses the database and is gone.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn free_turns(tx: &mut Tx, now: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query("UPDATE imports SET next_turn_at = $1 WHERE status = 'RUNNING' AND next_turn_at > $1")
        .bind(millis(now))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Brings an import to its end. False when somebody else has.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn finish(
    tx: &mut Tx,
    id: ImportId,
    status: ImportStatus,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let finished =
        sqlx::query("UPDATE imports SET status = $2, finished_at = $3 WHERE id = $1 AND status = 'RUNNING'")
            .bind(id.0)
            .bind(status.as_str())
            .bind(millis(now))
            .execute(&mut **tx)
            .await?;
    Ok(finished.rows_affected() == 1)
}

/// Imports that nobody needs any more: a file whose rest has not come since `silent_since`, and what came to its end before
/// `finished_before`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn left_over(
    connection: &mut AnyConnection,
    silent_since: OffsetDateTime,
    finished_before: OffsetDateTime,
) -> Result<Vec<ImportId>, StoreError> {
    sqlx::query(
        "SELECT id FROM imports WHERE (status = 'RECEIVING' AND touched_at < $1) OR finished_at < $2 ORDER BY id LIMIT 100",
    )
    .bind(millis(silent_since))
    .bind(millis(finished_before))
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| get(row, "id").map(ImportId))
    .collect()
}
