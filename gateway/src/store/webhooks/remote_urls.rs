//! Endpoints that are the remote URL of a program: at most one each, which the database keeps so.

use shared::ids::ProgramName;
use shared::mtls::identity::Name;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::super::{StoreError, Tx};
use super::{COLUMNS, of_row};
use crate::domain::webhook::Endpoint;

/// All that were not deleted, of all partners: there are no more than the configuration has programs.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(connection: &mut AnyConnection) -> Result<Vec<Endpoint>, StoreError> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM webhook_endpoints WHERE program IS NOT NULL AND state <> 'DELETED' ORDER BY id"
    )))
    .fetch_all(connection)
    .await?;
    rows.iter().map(of_row).collect()
}

/// Locks the row of a program's remote URL until the transaction ends, and reads it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take(
    tx: &mut Tx,
    partner: &Name,
    program: &ProgramName,
) -> Result<Option<Endpoint>, StoreError> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "UPDATE webhook_endpoints SET state = state WHERE partner = $1 AND program = $2 AND state <> 'DELETED' \
         RETURNING {COLUMNS}"
    )))
    .bind(partner.as_str())
    .bind(program.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(of_row).transpose()
}
