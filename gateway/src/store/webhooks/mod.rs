//! Webhook endpoints of partners, those among them that are a program's remote URL ([`remote_urls`]), and what is to be
//! delivered to them ([`deliveries`]).

pub mod deliveries;
pub mod remote_urls;

use shared::ids::ProgramName;
use shared::mtls::identity::Name;
use sqlx::AnyConnection;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::row::{get, named, parse, parse_optional};
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::event::EventKind;
use crate::domain::operator::Scope;
use crate::domain::webhook::{DisabledBy, Endpoint, EndpointId, Kinds, WebhookUrl};

const COLUMNS: &str = "id, partner, program, url, kinds, description, state, disabled_by, failing_since, \
     old_secret_until, created_at";

fn of_row(row: &AnyRow) -> Result<Endpoint, StoreError> {
    let url: String = get(row, "url")?;
    let disabled_by = match get::<String>(row, "state")?.as_str() {
        "ENABLED" => None,
        "DISABLED" => Some(named(row, "disabled_by", DisabledBy::from_name)?),
        _ => return Err(StoreError::Corrupt("state")),
    };
    Ok(Endpoint {
        id: EndpointId(get(row, "id")?),
        partner: parse(row, "partner")?,
        program: parse_optional(row, "program")?,
        url: WebhookUrl::parse(&url).map_err(|_| StoreError::Corrupt("url"))?,
        kinds: kinds_of_row(row)?,
        description: get(row, "description")?,
        disabled_by,
        failing_since: time_of_row(row, "failing_since")?,
        old_secret_until: time_of_row(row, "old_secret_until")?,
        created_at: instant(get(row, "created_at")?)?,
    })
}

fn kinds_of_row(row: &AnyRow) -> Result<Kinds, StoreError> {
    let Some(names) = get::<Option<String>>(row, "kinds")? else {
        return Ok(Kinds::All);
    };
    let kinds: Option<Vec<_>> = names.split(' ').map(EventKind::from_name).collect();
    kinds.map(Kinds::Some).ok_or(StoreError::Corrupt("kinds"))
}

fn time_of_row(row: &AnyRow, column: &'static str) -> Result<Option<OffsetDateTime>, StoreError> {
    get::<Option<i64>>(row, column)?.map(instant).transpose()
}

fn names(kinds: &Kinds) -> Option<String> {
    match kinds {
        Kinds::All => None,
        Kinds::Some(kinds) => {
            let names: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
            Some(names.join(" "))
        }
    }
}

/// The number of an endpoint to be: its secret is sealed under it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn next_id(tx: &mut Tx) -> Result<EndpointId, StoreError> {
    Ok(EndpointId(tx.next_number(Sequence::Webhooks).await?))
}

/// Inserts an endpoint, with its sealed secret. False, and nothing done, when its program has a remote URL already: should
/// another transaction make that one at this moment, its end is waited for.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(tx: &mut Tx, endpoint: &Endpoint, secret: &[u8]) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO webhook_endpoints (id, partner, program, url, kinds, description, state, secret, created_at) \
         VALUES ($1, $2, $8, $3, $4, $5, 'ENABLED', $6, $7) \
         ON CONFLICT (program) WHERE program IS NOT NULL AND state <> 'DELETED' DO NOTHING",
    )
    .bind(endpoint.id.0)
    .bind(endpoint.partner.as_str())
    .bind(endpoint.url.as_str())
    .bind(names(&endpoint.kinds))
    .bind(endpoint.description.as_deref())
    .bind(secret)
    .bind(millis(endpoint.created_at))
    .bind(endpoint.program.as_ref().map(ProgramName::as_str))
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// How many endpoints a partner has made: remote URLs of programs are the configuration's.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn count_made(connection: &mut AnyConnection, partner: &Name) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS made FROM webhook_endpoints WHERE partner = $1 AND program IS NULL AND state <> 'DELETED'",
    )
    .bind(partner.as_str())
    .fetch_one(connection)
    .await?;
    get(&row, "made")
}

/// An endpoint that was not deleted.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(connection: &mut AnyConnection, id: EndpointId) -> Result<Option<Endpoint>, StoreError> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM webhook_endpoints WHERE id = $1 AND state <> 'DELETED'"
    )))
    .bind(id.0)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(of_row).transpose()
}

/// Locks an endpoint's row until the transaction ends, and reads it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take(tx: &mut Tx, id: EndpointId) -> Result<Option<Endpoint>, StoreError> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "UPDATE webhook_endpoints SET state = state WHERE id = $1 AND state <> 'DELETED' RETURNING {COLUMNS}"
    )))
    .bind(id.0)
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(of_row).transpose()
}

/// Endpoints within a scope with numbers above `after`, in order; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    connection: &mut AnyConnection,
    scope: &Scope,
    (after, most): (i64, i64),
) -> Result<Vec<Endpoint>, StoreError> {
    let rows = match scope.partner() {
        None => {
            sqlx::query(AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM webhook_endpoints WHERE id > $1 AND state <> 'DELETED' ORDER BY id LIMIT $2"
            )))
            .bind(after)
            .bind(most)
            .fetch_all(connection)
            .await?
        }
        Some(partner) => {
            sqlx::query(AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM webhook_endpoints WHERE id > $1 AND state <> 'DELETED' AND partner = $3 \
                 ORDER BY id LIMIT $2"
            )))
            .bind(after)
            .bind(most)
            .bind(partner.as_str())
            .fetch_all(connection)
            .await?
        }
    };
    rows.iter().map(of_row).collect()
}

/// Every endpoint of a partner to which something is sent.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn enabled_of(connection: &mut AnyConnection, partner: &Name) -> Result<Vec<Endpoint>, StoreError> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM webhook_endpoints WHERE partner = $1 AND state = 'ENABLED' ORDER BY id"
    )))
    .bind(partner.as_str())
    .fetch_all(connection)
    .await?;
    rows.iter().map(of_row).collect()
}

/// Writes where an endpoint is, what it wants and what it is called.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn change(tx: &mut Tx, endpoint: &Endpoint) -> Result<(), StoreError> {
    sqlx::query("UPDATE webhook_endpoints SET url = $2, kinds = $3, description = $4 WHERE id = $1")
        .bind(endpoint.id.0)
        .bind(endpoint.url.as_str())
        .bind(names(&endpoint.kinds))
        .bind(endpoint.description.as_deref())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Enables an endpoint (none), or says why nothing is sent to it. It starts with a clean slate.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_disabled(
    tx: &mut Tx,
    id: EndpointId,
    disabled_by: Option<DisabledBy>,
) -> Result<(), StoreError> {
    let state = disabled_by.map_or("ENABLED", |_| "DISABLED");
    sqlx::query(
        "UPDATE webhook_endpoints SET state = $2, disabled_by = $3, failing_since = NULL \
         WHERE id = $1 AND state <> 'DELETED'",
    )
    .bind(id.0)
    .bind(state)
    .bind(disabled_by.map(DisabledBy::as_str))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes that a try went well.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn note_arrival(tx: &mut Tx, id: EndpointId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhook_endpoints SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL",
    )
    .bind(id.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes that a try failed, and gives the time since which nothing has arrived; none when nothing is sent any more.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn note_failure(
    tx: &mut Tx,
    id: EndpointId,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let row = sqlx::query(
        "UPDATE webhook_endpoints SET failing_since = COALESCE(failing_since, $2) \
         WHERE id = $1 AND state = 'ENABLED' RETURNING failing_since",
    )
    .bind(id.0)
    .bind(millis(now))
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref()
        .map_or(Ok(None), |row| time_of_row(row, "failing_since"))
}

/// The sealed secrets of an endpoint.
pub struct Secrets {
    /// The one in force.
    pub current: Vec<u8>,
    /// The former one, and until when it signs too.
    pub old: Option<(Vec<u8>, OffsetDateTime)>,
}

/// The secrets of an endpoint that was not deleted.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn secrets(connection: &mut AnyConnection, id: EndpointId) -> Result<Option<Secrets>, StoreError> {
    let row = sqlx::query(
        "SELECT secret, old_secret, old_secret_until FROM webhook_endpoints WHERE id = $1 AND state <> 'DELETED'",
    )
    .bind(id.0)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let old: Option<Vec<u8>> = get(&row, "old_secret")?;
    let until = time_of_row(&row, "old_secret_until")?;
    Ok(Some(Secrets {
        current: get(&row, "secret")?,
        old: old.zip(until),
    }))
}

/// Puts a new sealed secret in force; the one before it signs too until `old_until`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn rotate(
    tx: &mut Tx,
    id: EndpointId,
    secret: &[u8],
    old_until: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhook_endpoints SET old_secret = secret, old_secret_until = $3, secret = $2 WHERE id = $1",
    )
    .bind(id.0)
    .bind(secret)
    .bind(millis(old_until))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes an endpoint: nobody is shown it, nothing is sent to it, its secrets are gone. Its row and its deliveries are swept.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn delete(tx: &mut Tx, id: EndpointId) -> Result<(), StoreError> {
    let nothing: &[u8] = &[];
    sqlx::query(
        "UPDATE webhook_endpoints SET state = 'DELETED', disabled_by = NULL, secret = $2, old_secret = NULL, \
         old_secret_until = NULL WHERE id = $1",
    )
    .bind(id.0)
    .bind(nothing)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Forgets former secrets that sign no more, and deleted endpoints without deliveries. Returns how many rows.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sweep(tx: &mut Tx, now: OffsetDateTime) -> Result<u64, StoreError> {
    let secrets = sqlx::query(
        "UPDATE webhook_endpoints SET old_secret = NULL, old_secret_until = NULL WHERE old_secret_until < $1",
    )
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    let endpoints = sqlx::query(
        "DELETE FROM webhook_endpoints WHERE state = 'DELETED' AND NOT EXISTS \
         (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = webhook_endpoints.id)",
    )
    .execute(&mut **tx)
    .await?;
    Ok(secrets.rows_affected() + endpoints.rows_affected())
}
