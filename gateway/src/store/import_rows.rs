//! Rows of mass imports. A row's content is there until the row came to its end, and not a moment longer.

use shared::problem::FieldError;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::row::{get, named};
use super::{StoreError, Tx};
use crate::domain::import::{ImportId, RowStatus};
use crate::domain::user::UserId;

/// Why a row failed: a code, and what was wrong with which member.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// As in the answer to a single request.
    pub code: String,
    /// As there.
    pub errors: Vec<FieldError>,
}

/// A row that was received.
pub struct NewRow {
    /// Its line in the partner's file.
    pub line: i64,
    /// Its content as JSON, or what is wrong with it.
    pub content: Result<Vec<u8>, Failure>,
    /// The partner's name of the user to be, where a dry run has to know of names that come twice.
    pub external_id: Option<String>,
}

/// A row to be worked on.
pub struct WorkRow {
    /// Its line.
    pub line: i64,
    /// Whether it was begun.
    pub begun: bool,
    /// Its content.
    pub content: Vec<u8>,
    /// The partner's name of the user to be, in a dry run.
    pub external_id: Option<String>,
    /// The user whom it brought, or is bringing.
    pub user: Option<UserId>,
}

/// What became of a row.
pub struct RowResult {
    /// Its line.
    pub line: i64,
    /// Where it stands.
    pub status: RowStatus,
    /// The user whom it brought, or whose cards it brought.
    pub user: Option<UserId>,
    /// The cards that it brought, as JSON.
    pub cards: Option<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

fn written(errors: &[FieldError]) -> Result<Option<String>, StoreError> {
    if errors.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(errors)
        .map(Some)
        .map_err(|_| StoreError::Corrupt("errors"))
}

/// Keeps rows that were received, a few hundred at most: one statement, for a file has many.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(tx: &mut Tx, import: ImportId, rows: &[NewRow]) -> Result<(), StoreError> {
    const COLUMNS: usize = 7;
    if rows.is_empty() {
        return Ok(());
    }
    let mut statement = String::from(
        "INSERT INTO import_rows (import_id, line, status, content, external_id, code, errors) VALUES ",
    );
    for place in 0..rows.len() {
        let marks: Vec<_> = (1..=COLUMNS)
            .map(|column| format!("${}", place * COLUMNS + column))
            .collect();
        let comma = if place == 0 { "" } else { ", " };
        statement.push_str(&format!("{comma}({})", marks.join(", ")));
    }
    let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
    for row in rows {
        let (status, content, code, errors) = match &row.content {
            Ok(content) => (RowStatus::Waiting, Some(content.as_slice()), None, None),
            Err(failure) => (
                RowStatus::Failed,
                None,
                Some(failure.code.as_str()),
                written(&failure.errors)?,
            ),
        };
        query = query
            .bind(import.0)
            .bind(row.line)
            .bind(status.as_str())
            .bind(content)
            .bind(row.external_id.as_deref())
            .bind(code)
            .bind(errors);
    }
    query.execute(&mut **tx).await?;
    Ok(())
}

/// The next rows that have not come to their end, in the order of their lines; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn next(
    connection: &mut AnyConnection,
    import: ImportId,
    most: i64,
) -> Result<Vec<WorkRow>, StoreError> {
    sqlx::query(
        "SELECT line, status, content, external_id, user_id FROM import_rows \
         WHERE import_id = $1 AND status IN ('WAITING', 'WORKING') ORDER BY line LIMIT $2",
    )
    .bind(import.0)
    .bind(most)
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| {
        Ok(WorkRow {
            line: get(row, "line")?,
            begun: named(row, "status", RowStatus::from_name)? == RowStatus::Working,
            content: get::<Option<Vec<u8>>>(row, "content")?.ok_or(StoreError::Corrupt("content"))?,
            external_id: get(row, "external_id")?,
            user: get::<Option<i64>>(row, "user_id")?.map(UserId),
        })
    })
    .collect()
}

/// Notes that a row was begun, and whom it brings. False when somebody else has begun it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn begin(tx: &mut Tx, import: ImportId, line: i64, user: UserId) -> Result<bool, StoreError> {
    let begun = sqlx::query(
        "UPDATE import_rows SET status = 'WORKING', user_id = $3 \
         WHERE import_id = $1 AND line = $2 AND status = 'WAITING'",
    )
    .bind(import.0)
    .bind(line)
    .bind(user.0)
    .execute(&mut **tx)
    .await?;
    Ok(begun.rows_affected() == 1)
}

/// Ends a row well; its content is gone. False when somebody else has ended it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn done(
    tx: &mut Tx,
    (import, line): (ImportId, i64),
    user: Option<UserId>,
    cards: Option<&str>,
) -> Result<bool, StoreError> {
    let ended = sqlx::query(
        "UPDATE import_rows SET status = 'DONE', content = NULL, user_id = $3, cards = $4 \
         WHERE import_id = $1 AND line = $2 AND status IN ('WAITING', 'WORKING')",
    )
    .bind(import.0)
    .bind(line)
    .bind(user.map(|user| user.0))
    .bind(cards)
    .execute(&mut **tx)
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// Ends a row badly; its content is gone. `user` and `cards` are what it brought all the same.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn fail(
    tx: &mut Tx,
    (import, line): (ImportId, i64),
    failure: &Failure,
    user: Option<UserId>,
    cards: Option<&str>,
) -> Result<bool, StoreError> {
    let ended = sqlx::query(
        "UPDATE import_rows SET status = 'FAILED', content = NULL, user_id = $3, cards = $4, code = $5, errors = $6 \
         WHERE import_id = $1 AND line = $2 AND status IN ('WAITING', 'WORKING')",
    )
    .bind(import.0)
    .bind(line)
    .bind(user.map(|user| user.0))
    .bind(cards)
    .bind(&failure.code)
    .bind(written(&failure.errors)?)
    .execute(&mut **tx)
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// Whether an earlier row of a dry run would have brought a user of this external id: also one whose cards failed, or wait.
/// Rows are judged in order, and those that would have brought nobody have no name any more.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn would_be_taken(
    connection: &mut AnyConnection,
    (import, line): (ImportId, i64),
    external_id: &str,
) -> Result<bool, StoreError> {
    let earlier = sqlx::query(
        "SELECT line FROM import_rows WHERE import_id = $1 AND external_id = $2 AND line < $3 LIMIT 1",
    )
    .bind(import.0)
    .bind(external_id)
    .bind(line)
    .fetch_optional(connection)
    .await?;
    Ok(earlier.is_some())
}

/// Forgets the name of a row that would have brought nobody.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn forget_name(tx: &mut Tx, (import, line): (ImportId, i64)) -> Result<(), StoreError> {
    sqlx::query("UPDATE import_rows SET external_id = NULL WHERE import_id = $1 AND line = $2")
        .bind(import.0)
        .bind(line)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Forgets the names that a dry run had to know. The import is at its end.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn forget_names(tx: &mut Tx, import: ImportId) -> Result<(), StoreError> {
    sqlx::query("UPDATE import_rows SET external_id = NULL WHERE import_id = $1 AND external_id IS NOT NULL")
        .bind(import.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What became of rows with lines above `after`, of one status if one is named; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    connection: &mut AnyConnection,
    import: ImportId,
    status: Option<RowStatus>,
    after: i64,
    most: i64,
) -> Result<Vec<RowResult>, StoreError> {
    const COLUMNS: &str = "SELECT line, status, user_id, cards, code, errors FROM import_rows WHERE import_id = $1 AND line > $2";
    let rows = match status {
        None => {
            sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY line LIMIT $3")))
                .bind(import.0)
                .bind(after)
                .bind(most)
                .fetch_all(connection)
                .await?
        }
        Some(status) => {
            sqlx::query(sqlx::AssertSqlSafe(format!(
                "{COLUMNS} AND status = $4 ORDER BY line LIMIT $3"
            )))
            .bind(import.0)
            .bind(after)
            .bind(most)
            .bind(status.as_str())
            .fetch_all(connection)
            .await?
        }
    };
    rows.iter().map(result_of_row).collect()
}

fn result_of_row(row: &AnyRow) -> Result<RowResult, StoreError> {
    let code: Option<String> = get(row, "code")?;
    let errors: Option<String> = get(row, "errors")?;
    let errors = match errors {
        Some(json) => serde_json::from_str(&json).map_err(|_| StoreError::Corrupt("errors"))?,
        None => Vec::new(),
    };
    Ok(RowResult {
        line: get(row, "line")?,
        status: named(row, "status", RowStatus::from_name)?,
        user: get::<Option<i64>>(row, "user_id")?.map(UserId),
        cards: get(row, "cards")?,
        failure: code.map(|code| Failure { code, errors }),
    })
}

/// Ends what is left of an import that cannot go on.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn fail_rest(tx: &mut Tx, import: ImportId, code: &str) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE import_rows SET status = 'FAILED', content = NULL, code = $2 \
         WHERE import_id = $1 AND status IN ('WAITING', 'WORKING')",
    )
    .bind(import.0)
    .bind(code)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
