//! Partners and what operators decided about them. A row comes with the first start under a configuration that names the
//! partner; nothing deletes it.

use shared::mtls::identity::Name;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::row::{get, parse};
use super::{Sequence, StoreError, Tx, millis};
use crate::domain::operator::Scope;
use crate::domain::partner::{Network, Networks, Partner, PartnerId, PartnerSettings, SealingRules};

const COLUMNS: &str = "SELECT id, name, networks, rsa_oaep_sha1, minimum_rsa_bits, ec_keys FROM partners";

fn of_row(row: &AnyRow) -> Result<Partner, StoreError> {
    let flag = |column| get::<i64>(row, column).map(|value| value == 1);
    let bits = u16::try_from(get::<i64>(row, "minimum_rsa_bits")?);
    Ok(Partner {
        id: PartnerId(get(row, "id")?),
        name: parse(row, "name")?,
        settings: PartnerSettings {
            networks: networks_of(&get::<String>(row, "networks")?)?,
            sealing: SealingRules {
                rsa_oaep_sha1: flag("rsa_oaep_sha1")?,
                minimum_rsa_bits: bits.map_err(|_| StoreError::Corrupt("minimum_rsa_bits"))?,
                ec_keys: flag("ec_keys")?,
            },
        },
    })
}

fn networks_of(json: &str) -> Result<Networks, StoreError> {
    let corrupt = || StoreError::Corrupt("networks");
    let texts: Vec<String> = serde_json::from_str(json).map_err(|_| corrupt())?;
    let parsed = texts.iter().map(|text| Network::parse(text));
    let networks = parsed.collect::<Result<_, _>>().map_err(|_| corrupt())?;
    Networks::new(networks).map_err(|_| corrupt())
}

/// Makes the row of a partner that has none, with nothing restricted.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn ensure(tx: &mut Tx, name: &Name, now: OffsetDateTime) -> Result<(), StoreError> {
    if find_named(tx, name).await?.is_some() {
        return Ok(());
    }
    let id = tx.next_number(Sequence::Partners).await?;
    let sealing = SealingRules::default();
    sqlx::query(
        "INSERT INTO partners (id, name, networks, rsa_oaep_sha1, minimum_rsa_bits, ec_keys, created_at) \
         VALUES ($1, $2, '[]', $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING",
    )
    .bind(id)
    .bind(name.as_str())
    .bind(i64::from(sealing.rsa_oaep_sha1))
    .bind(i64::from(sealing.minimum_rsa_bits))
    .bind(i64::from(sealing.ec_keys))
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The partner of this name.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find_named(connection: &mut AnyConnection, name: &Name) -> Result<Option<Partner>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE name = $1")))
        .bind(name.as_str())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(of_row)
        .transpose()
}

/// The partner of this number.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(connection: &mut AnyConnection, id: PartnerId) -> Result<Option<Partner>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1")))
        .bind(id.0)
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(of_row)
        .transpose()
}

/// Partners within a scope, with numbers above `after`, in order; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    connection: &mut AnyConnection,
    scope: &Scope,
    after: i64,
    most: i64,
) -> Result<Vec<Partner>, StoreError> {
    let own = match scope.partner() {
        Some(_) => " AND name = $3",
        None => "",
    };
    let statement = format!("{COLUMNS} WHERE id > $1{own} ORDER BY id LIMIT $2");
    let mut query = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(after).bind(most);
    if let Some(partner) = scope.partner() {
        query = query.bind(partner.as_str());
    }
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(of_row).collect()
}

/// Writes what an operator decided. False when there is no such partner.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_settings(
    tx: &mut Tx,
    id: PartnerId,
    settings: &PartnerSettings,
) -> Result<bool, StoreError> {
    let networks: Vec<String> = settings.networks.iter().map(ToString::to_string).collect();
    let networks = serde_json::to_string(&networks).map_err(|_| StoreError::Corrupt("networks"))?;
    let changed = sqlx::query(
        "UPDATE partners SET networks = $2, rsa_oaep_sha1 = $3, minimum_rsa_bits = $4, ec_keys = $5 WHERE id = $1",
    )
    .bind(id.0)
    .bind(networks)
    .bind(i64::from(settings.sealing.rsa_oaep_sha1))
    .bind(i64::from(settings.sealing.minimum_rsa_bits))
    .bind(i64::from(settings.sealing.ec_keys))
    .execute(&mut **tx)
    .await?;
    Ok(changed.rows_affected() == 1)
}
