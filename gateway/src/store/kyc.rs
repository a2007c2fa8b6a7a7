//! What happened to a user's KYC, kept for good; the present status stands with the user.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::row::{get, named};
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::kyc::{KycStatus, Rejection, RejectionReason};
use crate::domain::user::UserId;

/// Who brought a status about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The user applied.
    User,
    /// The partner applied for the user.
    Partner,
    /// The partner's own process decided.
    PartnerProcess,
    /// An operator decided.
    Operator,
    /// An outside provider decided.
    Provider,
}

impl Source {
    const fn as_str(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Partner => "PARTNER",
            Self::PartnerProcess => "PARTNER_PROCESS",
            Self::Operator => "OPERATOR",
            Self::Provider => "PROVIDER",
        }
    }
}

/// One thing that happened.
pub struct Event<'a> {
    /// To whom.
    pub user: UserId,
    /// What the status became.
    pub status: KycStatus,
    /// Who brought it about.
    pub source: Source,
    /// Who established the identity.
    pub provider: Option<&'a str>,
    /// Under which name the provider finds it again.
    pub reference: Option<&'a str>,
    /// The application's data, as JSON.
    pub application: Option<&'a str>,
    /// Why it was rejected.
    pub rejection: Option<&'a Rejection>,
}

/// Writes an event down. Returns its number: of an application, the application's.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(tx: &mut Tx, event: &Event<'_>, now: OffsetDateTime) -> Result<i64, StoreError> {
    let id = tx.next_number(Sequence::Kyc).await?;
    sqlx::query(
        "INSERT INTO kyc_events (id, user_id, status, source, provider, reference, application, reason, message, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(id)
    .bind(event.user.0)
    .bind(event.status.as_str())
    .bind(event.source.as_str())
    .bind(event.provider)
    .bind(event.reference)
    .bind(event.application)
    .bind(event.rejection.map(|rejection| rejection.reason.as_str()))
    .bind(event.rejection.and_then(|rejection| rejection.message.as_deref()))
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

/// Reads the columns `reason` and `message`.
pub(super) fn rejection_of_row(row: &AnyRow) -> Result<Option<Rejection>, StoreError> {
    let Some(reason) = get::<Option<String>>(row, "reason")? else {
        return Ok(None);
    };
    Ok(Some(Rejection {
        reason: RejectionReason::from_name(&reason).ok_or(StoreError::Corrupt("reason"))?,
        message: get(row, "message")?,
    }))
}

/// The last thing that happened to a user's KYC.
pub struct Latest {
    /// What the status became.
    pub status: KycStatus,
    /// When.
    pub at: OffsetDateTime,
    /// Why, of a rejection.
    pub rejection: Option<Rejection>,
}

/// The last event of a user, if there is any.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn latest(connection: &mut AnyConnection, user: UserId) -> Result<Option<Latest>, StoreError> {
    let row =
sqlx::query("SELECT status, reason, message, created_at FROM kyc_events WHERE user_id = $1 ORDER BY id DESC LIMIT 1")
            .bind(user.0)
            .fetch_optional(connection)
            .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Latest {
        status: named(&row, "status", KycStatus::from_name)?,
        at: instant(get(&row, "created_at")?)?,
        rejection: rejection_of_row(&row)?,
    }))
}
