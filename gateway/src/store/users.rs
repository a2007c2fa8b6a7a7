//! Users. A row is PENDING until the vault knows the user as a holder; PENDING rows are shown to nobody.

use shared::ids::{HolderToken, IdempotencyKey, ProgramName};
use shared::mtls::identity::Name;
use shared::vault_api::cards::PostalAddress;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::row::{get, named, parse};
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::import::ImportId;
use crate::domain::kyc::KycStatus;
use crate::domain::lock::Party;
use crate::domain::person::{ExternalId, Person};
use crate::domain::user::{User, UserId, UserLock, UserStanding};

/// A user on the way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingUser {
    /// The number.
    pub id: UserId,
    /// Whose user this will be.
    pub partner: Name,
    /// The program under which the vault creates the holder.
    pub program: ProgramName,
    /// The key under which the vault is asked.
    pub vault_key: IdempotencyKey,
    /// Whether a retry of the request can find the row again.
    pub has_request: bool,
}

/// What a partner is shown of its user.
pub struct Profile {
    /// The user.
    pub user: User,
    /// The partner's own name of the user.
    pub external_id: Option<String>,
    /// Where mail reaches them.
    pub email: String,
    /// Where calls reach them.
    pub phone_number: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Day of birth, `YYYY-MM-DD`.
    pub date_of_birth: String,
    /// Citizenship.
    pub nationality: String,
    /// Where plastic goes.
    pub address: Option<PostalAddress>,
    /// The lock of the account, if it is locked.
    pub lock: Option<UserLock>,
}

/// Reads the columns `id, partner, program, holder, kyc_status, standing` of an active user.
pub(super) fn user_of_row(row: &AnyRow, id: &'static str) -> Result<User, StoreError> {
    Ok(User {
        id: UserId(get(row, id)?),
        partner: parse(row, "partner")?,
        program: parse(row, "program")?,
        holder: parse(row, "holder")?,
        kyc: named(row, "kyc_status", KycStatus::from_name)?,
        standing: named(row, "standing", UserStanding::from_name)?,
    })
}

fn pending_of_row(row: &AnyRow) -> Result<PendingUser, StoreError> {
    Ok(PendingUser {
        id: UserId(get(row, "id")?),
        partner: parse(row, "partner")?,
        program: parse(row, "program")?,
        vault_key: parse(row, "vault_key")?,
        has_request: get::<Option<i64>>(row, "request_id")?.is_some(),
    })
}

/// Who registers whom.
pub struct NewUser<'a> {
    /// The partner.
    pub partner: &'a Name,
    /// Its program for new users.
    pub program: &'a ProgramName,
    /// The partner's own name of the user.
    pub external_id: Option<&'a ExternalId>,
    /// The person.
    pub person: &'a Person,
    /// The key under which the vault will be asked for the holder.
    pub vault_key: IdempotencyKey,
    /// The idempotency entry of the request.
    pub request: Option<i64>,
    /// The mass import whose row this is: then the import finishes what it began.
    pub import: Option<ImportId>,
}

/// Inserts a PENDING row.
///
/// # Errors
/// [`StoreError::Duplicate`] when the partner has a user of this external id.
pub async fn insert_pending(
    tx: &mut Tx,
    new: &NewUser<'_>,
    now: OffsetDateTime,
) -> Result<PendingUser, StoreError> {
    let id = tx.next_number(Sequence::Users).await?;
    let address = written_address(new.person.address.as_ref())?;
    sqlx::query(
        "INSERT INTO users (id, partner, program, state, vault_key, request_id, external_id, email, phone_number, \
         first_name, last_name, date_of_birth, nationality, address, kyc_status, created_at, import_id) \
         VALUES ($1, $2, $3, 'PENDING', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(id)
    .bind(new.partner.as_str())
    .bind(new.program.as_str())
    .bind(new.vault_key.as_str())
    .bind(new.request)
    .bind(new.external_id.map(ExternalId::as_str))
    .bind(new.person.email.as_str())
    .bind(new.person.phone_number.as_str())
    .bind(new.person.first_name.as_str())
    .bind(new.person.last_name.as_str())
    .bind(new.person.date_of_birth.to_text())
    .bind(new.person.nationality.as_str())
    .bind(address)
    .bind(KycStatus::None.as_str())
    .bind(millis(now))
    .bind(new.import.map(|import| import.0))
    .execute(&mut **tx)
    .await?;
    Ok(PendingUser {
        id: UserId(id),
        partner: new.partner.clone(),
        program: new.program.clone(),
        vault_key: new.vault_key.clone(),
        has_request: new.request.is_some(),
    })
}

/// What came of an earlier try of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// The vault was perhaps not asked yet.
    Pending(PendingUser),
    /// All was done; only the answer is missing.
    Active(UserId),
}

/// What an earlier try of the same request left.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_request(
    connection: &mut AnyConnection,
    request: i64,
) -> Result<Option<Registered>, StoreError> {
    let row = sqlx::query(
        "SELECT id, partner, program, state, vault_key, request_id FROM users WHERE request_id = $1",
    )
    .bind(request)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    match get::<String>(&row, "state")?.as_str() {
        "PENDING" => Ok(Some(Registered::Pending(pending_of_row(&row)?))),
        "ACTIVE" => Ok(Some(Registered::Active(UserId(get(&row, "id")?)))),
        _ => Err(StoreError::Corrupt("state")),
    }
}

/// The PENDING user of a row of this import.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn pending_of_import(
    connection: &mut AnyConnection,
    import: ImportId,
    id: UserId,
) -> Result<Option<PendingUser>, StoreError> {
    sqlx::query(
        "SELECT id, partner, program, vault_key, request_id FROM users \
         WHERE id = $1 AND import_id = $2 AND state = 'PENDING'",
    )
    .bind(id.0)
    .bind(import.0)
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(pending_of_row)
    .transpose()
}

/// Whether the partner has a user of this external id, or one is on the way in.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn has_external_id(
    connection: &mut AnyConnection,
    partner: &Name,
    external_id: &str,
) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT id FROM users WHERE partner = $1 AND external_id = $2")
        .bind(partner.as_str())
        .bind(external_id)
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

/// The partner's active user of this external id.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find_named(
    connection: &mut AnyConnection,
    partner: &Name,
    external_id: &str,
) -> Result<Option<User>, StoreError> {
    sqlx::query(
        "SELECT id, partner, program, holder, kyc_status, standing FROM users \
         WHERE partner = $1 AND external_id = $2 AND state = 'ACTIVE' AND standing <> 'REMOVED'",
    )
    .bind(partner.as_str())
    .bind(external_id)
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(|row| user_of_row(row, "id"))
    .transpose()
}

/// PENDING rows of single registrations older than `before`, in the order of their numbers: at most `most`, beginning after `after`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn pending_since(
    connection: &mut AnyConnection,
    before: OffsetDateTime,
    after: UserId,
    most: i64,
) -> Result<Vec<PendingUser>, StoreError> {
    sqlx::query(
        "SELECT id, partner, program, vault_key, request_id FROM users \
         WHERE state = 'PENDING' AND import_id IS NULL AND created_at < $1 AND id > $2 ORDER BY id LIMIT $3",
    )
    .bind(millis(before))
    .bind(after.0)
    .bind(most)
    .fetch_all(connection)
    .await?
    .iter()
    .map(pending_of_row)
    .collect()
}

/// Makes a PENDING user active under its holder. False when the row is active or gone already.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn activate(tx: &mut Tx, id: UserId, holder: &HolderToken) -> Result<bool, StoreError> {
    let updated =
        sqlx::query("UPDATE users SET state = 'ACTIVE', holder = $2 WHERE id = $1 AND state = 'PENDING'")
            .bind(id.0)
            .bind(holder.as_str())
            .execute(&mut **tx)
            .await?;
    Ok(updated.rows_affected() == 1)
}

/// Deletes a PENDING row, which nobody was told of.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn delete_pending(tx: &mut Tx, id: UserId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM users WHERE id = $1 AND state = 'PENDING'")
        .bind(id.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// An active user of this partner.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find_of_partner(
    connection: &mut AnyConnection,
    partner: &Name,
    id: UserId,
) -> Result<Option<User>, StoreError> {
    sqlx::query(
        "SELECT id, partner, program, holder, kyc_status, standing FROM users \
         WHERE id = $1 AND partner = $2 AND state = 'ACTIVE' AND standing <> 'REMOVED'",
    )
    .bind(id.0)
    .bind(partner.as_str())
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(|row| user_of_row(row, "id"))
    .transpose()
}

/// An active user, for a flow that holds its number.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(connection: &mut AnyConnection, id: UserId) -> Result<Option<User>, StoreError> {
    sqlx::query(
        "SELECT id, partner, program, holder, kyc_status, standing FROM users \
         WHERE id = $1 AND state = 'ACTIVE' AND standing <> 'REMOVED'",
    )
    .bind(id.0)
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(|row| user_of_row(row, "id"))
    .transpose()
}

/// A user whether removed or not, for work on a card that outlives its user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find_even_removed(
    connection: &mut AnyConnection,
    id: UserId,
) -> Result<Option<User>, StoreError> {
    sqlx::query(
        "SELECT id, partner, program, holder, kyc_status, standing FROM users WHERE id = $1 AND state = 'ACTIVE'",
    )
    .bind(id.0)
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(|row| user_of_row(row, "id"))
    .transpose()
}

/// Locks an active user's row until the transaction ends, and reads it: what is decided by it stays true until then.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find_for_update(tx: &mut Tx, id: UserId) -> Result<Option<User>, StoreError> {
    sqlx::query(
        "UPDATE users SET kyc_status = kyc_status WHERE id = $1 AND state = 'ACTIVE' AND standing <> 'REMOVED' \
         RETURNING id, partner, program, holder, kyc_status, standing",
    )
    .bind(id.0)
    .fetch_optional(&mut **tx)
    .await?
    .as_ref()
    .map(|row| user_of_row(row, "id"))
    .transpose()
}

/// Everything that is kept of an active user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn profile(connection: &mut AnyConnection, id: UserId) -> Result<Option<Profile>, StoreError> {
    let row = sqlx::query(
        "SELECT id, partner, program, holder, kyc_status, standing, external_id, email, phone_number, first_name, \
         last_name, date_of_birth, nationality, address, locked_by, lock_reason, locked_at FROM users \
         WHERE id = $1 AND state = 'ACTIVE' AND standing <> 'REMOVED'",
    )
    .bind(id.0)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(profile_of_row).transpose()
}

/// Reads all columns of a [`Profile`].
pub(super) fn profile_of_row(row: &AnyRow) -> Result<Profile, StoreError> {
    Ok(Profile {
        user: user_of_row(row, "id")?,
        external_id: get(row, "external_id")?,
        email: get(row, "email")?,
        phone_number: get(row, "phone_number")?,
        first_name: get(row, "first_name")?,
        last_name: get(row, "last_name")?,
        date_of_birth: get(row, "date_of_birth")?,
        nationality: get(row, "nationality")?,
        address: address_of_row(row)?,
        lock: lock_of_row(row)?,
    })
}

fn lock_of_row(row: &AnyRow) -> Result<Option<UserLock>, StoreError> {
    let Some(by) = get::<Option<String>>(row, "locked_by")? else {
        return Ok(None);
    };
    Ok(Some(UserLock {
        by: Party::from_name(&by).ok_or(StoreError::Corrupt("locked_by"))?,
        reason: get(row, "lock_reason")?,
        at: instant(get(row, "locked_at")?)?,
    }))
}

/// The address on file of an active user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn address(
    connection: &mut AnyConnection,
    id: UserId,
) -> Result<Option<PostalAddress>, StoreError> {
    let row =
        sqlx::query("SELECT address FROM users WHERE id = $1 AND state = 'ACTIVE' AND standing <> 'REMOVED'")
            .bind(id.0)
            .fetch_optional(connection)
            .await?;
    row.as_ref().map_or(Ok(None), address_of_row)
}

/// An address as its column holds it.
pub(super) fn written_address(address: Option<&PostalAddress>) -> Result<Option<String>, StoreError> {
    address
        .map(|address| {
            serde_json::to_string(address).map_err(|_| StoreError::Corrupt("an address cannot be written"))
        })
        .transpose()
}

fn address_of_row(row: &AnyRow) -> Result<Option<PostalAddress>, StoreError> {
    get::<Option<String>>(row, "address")?
        .map(|json| serde_json::from_str(&json).map_err(|_| StoreError::Corrupt("address")))
        .transpose()
}

/// Sets the KYC status of an active user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_kyc(tx: &mut Tx, id: UserId, status: KycStatus) -> Result<(), StoreError> {
    sqlx::query("UPDATE users SET kyc_status = $2 WHERE id = $1 AND state = 'ACTIVE'")
        .bind(id.0)
        .bind(status.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
