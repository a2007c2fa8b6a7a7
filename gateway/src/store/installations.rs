//! Installations: at most one in use per user and device.

use shared::ids::HolderToken;
use shared::public_key::HolderKey;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::row::{get, parse};
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::installation::{DeviceId, InstallationId};
use crate::domain::user::UserId;

/// An installation in use.
pub struct Installation {
    /// The number.
    pub id: InstallationId,
    /// Whose it is.
    pub user: UserId,
    /// The key that signs logins.
    pub key: HolderKey,
    /// The PIN's hash, in PHC form.
    pub pin_hash: String,
    /// No login before this instant.
    pub locked_until: OffsetDateTime,
}

/// An installation to make.
pub struct NewInstallation<'a> {
    /// Whose it is.
    pub user: UserId,
    /// On which device.
    pub device: &'a DeviceId,
    /// What the user calls the device.
    pub device_name: Option<&'a str>,
    /// The key that signs logins.
    pub key: &'a HolderKey,
    /// The PIN's hash, in PHC form.
    pub pin_hash: &'a str,
}

/// Revokes the installation that is in use on this device, with its sessions, and makes a new one. The former one's key,
/// if it is another, is then due to be revoked in the vault. Gives the new one's number, and the former one's if there was
/// one.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn replace(
    tx: &mut Tx,
    new: &NewInstallation<'_>,
    now: OffsetDateTime,
) -> Result<(InstallationId, Option<InstallationId>), StoreError> {
    sqlx::query(
        "DELETE FROM sessions WHERE installation_id IN \
         (SELECT id FROM installations WHERE user_id = $1 AND device_id = $2 AND state = 'ACTIVE')",
    )
    .bind(new.user.0)
    .bind(new.device.as_str())
    .execute(&mut **tx)
    .await?;
    let former = sqlx::query(
        "UPDATE installations SET state = 'REVOKED', \
         key_state = CASE WHEN public_key = $3 THEN 'KEPT' ELSE 'DUE' END \
         WHERE user_id = $1 AND device_id = $2 AND state = 'ACTIVE' RETURNING id",
    )
    .bind(new.user.0)
    .bind(new.device.as_str())
    .bind(new.key.point().as_bytes().as_slice())
    .fetch_optional(&mut **tx)
    .await?;
    let former = former
        .map(|row| get(&row, "id").map(InstallationId))
        .transpose()?;
    Ok((insert(tx, new, ("ACTIVE", "KEPT"), now).await?, former))
}

async fn insert(
    tx: &mut Tx,
    new: &NewInstallation<'_>,
    (state, key_state): (&'static str, &'static str),
    now: OffsetDateTime,
) -> Result<InstallationId, StoreError> {
    let id = tx.next_number(Sequence::Installations).await?;
    sqlx::query(
        "INSERT INTO installations (id, user_id, device_id, device_name, public_key, pin_hash, state, key_state, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $8, $9, $7)",
    )
    .bind(id)
    .bind(new.user.0)
    .bind(new.device.as_str())
    .bind(new.device_name)
    .bind(new.key.point().as_bytes().as_slice())
    .bind(new.pin_hash)
    .bind(millis(now))
    .bind(state)
    .bind(key_state)
    .execute(&mut **tx)
    .await?;
    Ok(InstallationId(id))
}

/// An installation in use, of an active user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    id: InstallationId,
) -> Result<Option<Installation>, StoreError> {
    sqlx::query(
        "SELECT id, user_id, public_key, pin_hash, locked_until FROM installations WHERE id = $1 AND state = 'ACTIVE'",
    )
    .bind(id.0)
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(of_row)
    .transpose()
}

fn of_row(row: &AnyRow) -> Result<Installation, StoreError> {
    Ok(Installation {
        id: InstallationId(get(row, "id")?),
        user: UserId(get(row, "user_id")?),
        key: key_of_row(row)?,
        pin_hash: get(row, "pin_hash")?,
        locked_until: instant(get(row, "locked_until")?)?,
    })
}

fn key_of_row(row: &AnyRow) -> Result<HolderKey, StoreError> {
    let point: Vec<u8> = get(row, "public_key")?;
    HolderKey::from_uncompressed(&point).map_err(|_| StoreError::Corrupt("public_key"))
}

/// Counts a wrong PIN before it is compared, so that many guesses at the same time count as many. With the last of
/// `allowed` ones the installation is locked for `locked_for` milliseconds; after that each further one locks it again,
/// every time for longer.
///
/// False when the installation is locked or revoked: then nothing is to be compared.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_pin_try(
    tx: &mut Tx,
    id: InstallationId,
    allowed: i64,
    locked_for: i64,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let updated = sqlx::query(
        "UPDATE installations SET pin_failures = pin_failures + 1, \
         locked_until = CASE WHEN pin_failures + 1 >= $2 THEN $4 + $3 * (pin_failures + 2 - $2) ELSE locked_until END \
         WHERE id = $1 AND state = 'ACTIVE' AND locked_until <= $4",
    )
    .bind(id.0)
    .bind(allowed)
    .bind(locked_for)
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Forgets the wrong PINs after a right one. False when the installation was revoked meanwhile.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn clear_pin_tries(tx: &mut Tx, id: InstallationId) -> Result<bool, StoreError> {
    let updated = sqlx::query(
        "UPDATE installations SET pin_failures = 0, locked_until = 0 WHERE id = $1 AND state = 'ACTIVE'",
    )
    .bind(id.0)
    .execute(&mut **tx)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// A device key that the vault is still to be told of.
pub struct DueKey {
    /// The installation that had it.
    pub installation: InstallationId,
    /// Whose it was.
    pub user: UserId,
    /// The same in the vault.
    pub holder: HolderToken,
    /// The key.
    pub key: HolderKey,
}

/// Keys of revoked installations that no installation in use has.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn keys_due(connection: &mut AnyConnection, most: i64) -> Result<Vec<DueKey>, StoreError> {
    let rows = sqlx::query(
        "SELECT i.id, i.user_id, i.public_key, u.holder FROM installations i JOIN users u ON u.id = i.user_id \
         WHERE i.key_state = 'DUE' AND NOT EXISTS (SELECT 1 FROM installations o \
         WHERE o.user_id = i.user_id AND o.public_key = i.public_key AND o.state = 'ACTIVE') ORDER BY i.id LIMIT $1",
    )
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter().map(due_of_row).collect()
}

fn due_of_row(row: &AnyRow) -> Result<DueKey, StoreError> {
    Ok(DueKey {
        installation: InstallationId(get(row, "id")?),
        user: UserId(get(row, "user_id")?),
        holder: parse(row, "holder")?,
        key: key_of_row(row)?,
    })
}

/// The key of this installation, if it is due.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn key_due_of(
    connection: &mut AnyConnection,
    id: InstallationId,
) -> Result<Option<DueKey>, StoreError> {
    sqlx::query(
        "SELECT i.id, i.user_id, i.public_key, u.holder FROM installations i JOIN users u ON u.id = i.user_id \
         WHERE i.id = $1 AND i.key_state = 'DUE'",
    )
    .bind(id.0)
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(due_of_row)
    .transpose()
}

/// Whether the key of this installation is due, and no installation in use has it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn is_key_due(tx: &mut Tx, id: InstallationId) -> Result<bool, StoreError> {
    let due = sqlx::query(
        "UPDATE installations SET key_state = key_state WHERE id = $1 AND key_state = 'DUE' AND NOT EXISTS \
         (SELECT 1 FROM installations o WHERE o.user_id = installations.user_id \
         AND o.public_key = installations.public_key AND o.state = 'ACTIVE')",
    )
    .bind(id.0)
    .execute(&mut **tx)
    .await?;
    Ok(due.rows_affected() == 1)
}

/// Notes a key that the vault has enrolled for an installation that came to nothing: it is due, unless an installation in
/// use has it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn note_stray_key(
    tx: &mut Tx,
    stray: &NewInstallation<'_>,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let id = insert(tx, stray, ("REVOKED", "DUE"), now).await?;
    // Of what came to nothing the key alone is kept: its user may have been removed meanwhile.
    sqlx::query("UPDATE installations SET device_id = '', device_name = NULL, pin_hash = '' WHERE id = $1")
        .bind(id.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Notes that the vault has revoked the key.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn key_revoked(tx: &mut Tx, id: InstallationId) -> Result<(), StoreError> {
    sqlx::query("UPDATE installations SET key_state = 'REVOKED' WHERE id = $1 AND key_state = 'DUE'")
        .bind(id.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// An installation as it is listed.
pub struct Listed {
    /// The number.
    pub id: InstallationId,
    /// What the user calls the device.
    pub device_name: Option<String>,
    /// Its key.
    pub key: HolderKey,
    /// `ACTIVE` or `REVOKED`.
    pub state: String,
    /// When it was paired.
    pub created_at: OffsetDateTime,
}

/// Installations of this user with numbers above `after`, in order; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_user(
    connection: &mut AnyConnection,
    user: UserId,
    after: i64,
    most: i64,
) -> Result<Vec<Listed>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, device_name, public_key, state, created_at FROM installations WHERE user_id = $1 AND id > $2 \
         ORDER BY id LIMIT $3",
    )
    .bind(user.0)
    .bind(after)
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Listed {
                id: InstallationId(get(row, "id")?),
                device_name: get(row, "device_name")?,
                key: key_of_row(row)?,
                state: get(row, "state")?,
                created_at: instant(get(row, "created_at")?)?,
            })
        })
        .collect()
}

/// Revokes an installation of this user, with its sessions; its key is then due to be revoked in the vault. False when it
/// is not in use, or not the user's.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn revoke(tx: &mut Tx, user: UserId, id: InstallationId) -> Result<bool, StoreError> {
    let revoked = sqlx::query(
        "UPDATE installations SET state = 'REVOKED', key_state = 'DUE' \
         WHERE id = $1 AND user_id = $2 AND state = 'ACTIVE'",
    )
    .bind(id.0)
    .bind(user.0)
    .execute(&mut **tx)
    .await?;
    if revoked.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("DELETE FROM sessions WHERE installation_id = $1")
        .bind(id.0)
        .execute(&mut **tx)
        .await?;
    Ok(true)
}

/// Whether the user has, or had, this installation.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn belongs(
    connection: &mut AnyConnection,
    user: UserId,
    id: InstallationId,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT id FROM installations WHERE id = $1 AND user_id = $2")
        .bind(id.0)
        .bind(user.0)
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

/// An installation by its key.
pub struct ByKey {
    /// The number.
    pub id: InstallationId,
    /// What the device calls itself.
    pub device_name: Option<String>,
    /// Its public key.
    pub key: HolderKey,
}

/// The installations that the user has or had, with their keys: at most `most`, the newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn keys_of_user(
    connection: &mut AnyConnection,
    user: UserId,
    most: i64,
) -> Result<Vec<ByKey>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, device_name, public_key FROM installations WHERE user_id = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(user.0)
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ByKey {
                id: InstallationId(get(row, "id")?),
                device_name: get(row, "device_name")?,
                key: key_of_row(row)?,
            })
        })
        .collect()
}
