//! KYC applications, as operators decide them. An application is an event that carries data.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};
use time::OffsetDateTime;

use super::kyc::rejection_of_row;
use super::row::{get, named, parse};
use super::{StoreError, Tx, instant};
use crate::domain::kyc::{KycStatus, Rejection};
use crate::domain::operator::Scope;
use crate::domain::user::UserId;

/// The gateway's number of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplicationId(pub i64);

/// An application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The number.
    pub id: ApplicationId,
    /// Who applied.
    pub user: UserId,
    /// Whose user that is.
    pub partner: shared::mtls::identity::Name,
    /// Who filed it: the user, or the partner for the user.
    pub source: String,
    /// What was filed, as JSON.
    pub data: String,
    /// When.
    pub at: OffsetDateTime,
}

/// What became of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// `ACCEPTED` or `REJECTED`.
    pub status: KycStatus,
    /// Who decided: an operator, the partner, a provider.
    pub source: String,
    /// Under which name.
    pub provider: Option<String>,
    /// Why, of a rejection.
    pub rejection: Option<Rejection>,
    /// When.
    pub at: OffsetDateTime,
}

const COLUMNS: &str = "SELECT e.id, e.user_id, u.partner, e.source, e.application, e.created_at \
     FROM kyc_events e JOIN users u ON u.id = e.user_id WHERE e.application IS NOT NULL AND u.state = 'ACTIVE' AND u.standing <> 'REMOVED'";

/// Waiting: the user's identity is in question, and since the application was filed nobody has decided or filed another one.
const WAITING: &str = "u.kyc_status = 'IN_PROGRESS' AND NOT EXISTS \
     (SELECT 1 FROM kyc_events l WHERE l.user_id = e.user_id AND l.id > e.id \
     AND (l.application IS NOT NULL OR l.status <> 'IN_PROGRESS'))";

fn of_row(row: &AnyRow) -> Result<Application, StoreError> {
    Ok(Application {
        id: ApplicationId(get(row, "id")?),
        user: UserId(get(row, "user_id")?),
        partner: parse(row, "partner")?,
        source: get(row, "source")?,
        data: get(row, "application")?,
        at: instant(get(row, "created_at")?)?,
    })
}

/// Applications within a scope that wait for a decision, with numbers above `after`, in order; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn waiting(
    connection: &mut AnyConnection,
    scope: &Scope,
    after: i64,
    most: i64,
) -> Result<Vec<Application>, StoreError> {
    let own = match scope.partner() {
        Some(_) => " AND u.partner = $3",
        None => "",
    };
    let statement = format!("{COLUMNS} AND {WAITING} AND e.id > $1{own} ORDER BY e.id LIMIT $2");
    let mut query = sqlx::query(AssertSqlSafe(statement)).bind(after).bind(most);
    if let Some(partner) = scope.partner() {
        query = query.bind(partner.as_str());
    }
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(of_row).collect()
}

/// An application, decided ones among them.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    id: ApplicationId,
) -> Result<Option<Application>, StoreError> {
    let statement = format!("{COLUMNS} AND e.id = $1");
    let row = sqlx::query(AssertSqlSafe(statement))
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(of_row).transpose()
}

/// Whether the application waits for a decision.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn is_waiting(connection: &mut AnyConnection, id: ApplicationId) -> Result<bool, StoreError> {
    let statement = format!("{COLUMNS} AND {WAITING} AND e.id = $1");
    let row = sqlx::query(AssertSqlSafe(statement))
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

/// What became of an application: the first decision after it; none while there is none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn decision(
    connection: &mut AnyConnection,
    application: &Application,
) -> Result<Option<Decided>, StoreError> {
    let row = sqlx::query(
        "SELECT status, source, provider, reason, message, created_at FROM kyc_events WHERE user_id = $1 AND id > $2 AND status IN ('ACCEPTED', 'REJECTED') \
         ORDER BY id LIMIT 1",
    )
    .bind(application.user.0)
    .bind(application.id.0)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Decided {
        status: named(&row, "status", KycStatus::from_name)?,
        source: get(&row, "source")?,
        provider: get(&row, "provider")?,
        rejection: rejection_of_row(&row)?,
        at: instant(get(&row, "created_at")?)?,
    }))
}

/// The last application of a user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn last_of(
    connection: &mut AnyConnection,
    user: UserId,
) -> Result<Option<Application>, StoreError> {
    let statement = format!("{COLUMNS} AND e.user_id = $1 ORDER BY e.id DESC LIMIT 1");
    let row = sqlx::query(AssertSqlSafe(statement))
        .bind(user.0)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(of_row).transpose()
}

/// Erases what a user's applications and the decisions about them say of the person, and what was to be given to providers.
/// That somebody filed and decided, and when, stays; there is no application any more that could be looked at or decided.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn erase_of(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    for statement in [
        "UPDATE kyc_events SET application = NULL, reference = NULL, message = NULL WHERE user_id = $1",
        "UPDATE kyc_submissions SET state = 'ENDED' WHERE user_id = $1",
    ] {
        sqlx::query(statement).bind(user.0).execute(&mut **tx).await?;
    }
    Ok(())
}
