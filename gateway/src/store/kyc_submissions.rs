//! Applications that an outside provider decides: written down with the application, given afterwards, and struck off when
//! the application is decided, by whomever. And the messages of providers that were taken.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use time::{Duration, OffsetDateTime};

use super::kyc_applications::ApplicationId;
use super::row::{get, named};
use super::{StoreError, Tx, millis};
use crate::domain::kyc::DocumentId;
use crate::domain::user::UserId;

/// How long others keep off a submission that is worked on: longer than any one message to a provider takes.
pub const LEASE: Duration = Duration::seconds(120);

/// How far a submission is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmissionState {
    /// Something of it is still to be given.
    Due,
    /// The decision is awaited.
    Asked,
    /// Decided, by whomever.
    Ended,
}

impl SubmissionState {
    const ALL: [Self; 3] = [Self::Due, Self::Asked, Self::Ended];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "DUE",
            Self::Asked => "ASKED",
            Self::Ended => "ENDED",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submission {
    /// Of which application.
    pub application: ApplicationId,
    /// Who applied.
    pub user: UserId,
    /// How far it is.
    pub state: SubmissionState,
    /// The last document that the provider has taken.
    pub given_through: DocumentId,
    /// How many tries have begun since the last that went well.
    pub tries: i64,
}

fn of_row(row: &AnyRow) -> Result<Submission, StoreError> {
    Ok(Submission {
        application: ApplicationId(get(row, "application_id")?),
        user: UserId(get(row, "user_id")?),
        state: named(row, "state", SubmissionState::from_name)?,
        given_through: DocumentId(get(row, "given_through")?),
        tries: get(row, "tries")?,
    })
}

/// Writes down that an application is to be given to a provider.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx,
    application: ApplicationId,
    user: UserId,
    provider: &str,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO kyc_submissions (application_id, user_id, provider, state, next_try_at, created_at) \
         VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(application.0)
    .bind(user.0)
    .bind(provider)
    .bind(SubmissionState::Due.as_str())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes a submission to a provider that is due, and keeps others off it for the length of a try.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_due(
    tx: &mut Tx,
    provider: &str,
    now: OffsetDateTime,
) -> Result<Option<Submission>, StoreError> {
    // The condition stands twice: whoever waited here for another process sees the row as that one left it.
    let row = sqlx::query(
        "UPDATE kyc_submissions SET next_try_at = $2, tries = tries + 1 \
         WHERE next_try_at <= $1 AND state <> 'ENDED' AND application_id = \
         (SELECT application_id FROM kyc_submissions WHERE provider = $3 AND next_try_at <= $1 AND state <> 'ENDED' \
         ORDER BY next_try_at LIMIT 1) RETURNING application_id, user_id, state, given_through, tries",
    )
    .bind(millis(now))
    .bind(millis(now + LEASE))
    .bind(provider)
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(of_row).transpose()
}

/// Notes that the provider has taken a document, and keeps others off for another try.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn note_given(
    tx: &mut Tx,
    application: ApplicationId,
    document: DocumentId,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE kyc_submissions SET given_through = $2, tries = 1, next_try_at = $3 \
         WHERE application_id = $1 AND state = 'DUE'",
    )
    .bind(application.0)
    .bind(document.0)
    .bind(millis(now + LEASE))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes that the provider has everything and is to be asked at `at`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn note_asked(
    tx: &mut Tx,
    application: ApplicationId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE kyc_submissions SET state = 'ASKED', tries = 0, next_try_at = $2 \
         WHERE application_id = $1 AND state <> 'ENDED'",
    )
    .bind(application.0)
    .bind(millis(at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Sets when a submission is tried again.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn try_again_at(
    tx: &mut Tx,
    application: ApplicationId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE kyc_submissions SET next_try_at = $2 WHERE application_id = $1 AND state <> 'ENDED'")
        .bind(application.0)
        .bind(millis(at))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Ends all submissions of a user: the identity was decided.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end_of(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    sqlx::query("UPDATE kyc_submissions SET state = 'ENDED' WHERE user_id = $1 AND state <> 'ENDED'")
        .bind(user.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The submission of an application to this provider.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    application: ApplicationId,
    provider: &str,
) -> Result<Option<Submission>, StoreError> {
    sqlx::query(
        "SELECT application_id, user_id, state, given_through, tries FROM kyc_submissions \
         WHERE application_id = $1 AND provider = $2",
    )
    .bind(application.0)
    .bind(provider)
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(of_row)
    .transpose()
}

/// Notes that a message of a provider was taken. False when it was before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn note_message(
    tx: &mut Tx,
    provider: &str,
    message: &str,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let noted = sqlx::query(
        "INSERT INTO kyc_callbacks (provider, message_id, received_at) VALUES ($1, $2, $3) \
         ON CONFLICT (provider, message_id) DO NOTHING",
    )
    .bind(provider)
    .bind(message)
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Forgets messages that were taken before `before`. Returns how many.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sweep_messages(tx: &mut Tx, before: OffsetDateTime) -> Result<u64, StoreError> {
    let swept = sqlx::query("DELETE FROM kyc_callbacks WHERE received_at < $1")
        .bind(millis(before))
        .execute(&mut **tx)
        .await?;
    Ok(swept.rows_affected())
}
