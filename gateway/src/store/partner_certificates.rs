//! Partners' certificates, from the request on. Whoever changes one takes it first ([`take`]).

use shared::mtls::identity::Name;
use shared::mtls::peer::SpkiThumbprint;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};
use time::OffsetDateTime;

use super::row::{bytes, get, parse};
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::partner::{Certificate, CertificateId, CertificateState, Ending, PartnerId, Pinned};

const COLUMNS: &str = "SELECT id, partner_id, state, request, key_thumbprint, certificate, fingerprint, serial, not_after, \
     filed_at, issued_at, ended_at, ended_because FROM partner_certificates";

fn of_row(row: &AnyRow) -> Result<Certificate, StoreError> {
    Ok(Certificate {
        id: CertificateId(get(row, "id")?),
        partner: PartnerId(get(row, "partner_id")?),
        request: get(row, "request")?,
        key: parse(row, "key_thumbprint")?,
        state: match get::<String>(row, "state")?.as_str() {
            "FILED" => CertificateState::Filed,
            "ISSUED" => CertificateState::Issued(pinned_of(row)?),
            "WITHDRAWN" => CertificateState::Withdrawn(ending_of(row)?),
            "REVOKED" => CertificateState::Revoked(pinned_of(row)?, ending_of(row)?),
            _ => return Err(StoreError::Corrupt("state")),
        },
        filed_at: instant(get(row, "filed_at")?)?,
    })
}

fn pinned_of(row: &AnyRow) -> Result<Pinned, StoreError> {
    Ok(Pinned {
        pem: get(row, "certificate")?,
        fingerprint: bytes(row, "fingerprint")?,
        serial: get(row, "serial")?,
        not_after: instant(get(row, "not_after")?)?,
        issued_at: instant(get(row, "issued_at")?)?,
    })
}

fn ending_of(row: &AnyRow) -> Result<Ending, StoreError> {
    Ok(Ending {
        at: instant(get(row, "ended_at")?)?,
        reason: get(row, "ended_because")?,
    })
}

/// Files a request, or what was pinned on the command line.
///
/// # Errors
/// [`StoreError`] of the database; [`StoreError::Duplicate`] for a key that waits already, or a certificate that is there.
pub async fn insert(
    tx: &mut Tx,
    partner: PartnerId,
    request: Option<&str>,
    key: &SpkiThumbprint,
    state: CertificateState,
    now: OffsetDateTime,
) -> Result<Certificate, StoreError> {
    let id = CertificateId(tx.next_number(Sequence::PartnerCertificates).await?);
    sqlx::query(
        "INSERT INTO partner_certificates (id, partner_id, state, request, key_thumbprint, filed_at) \
         VALUES ($1, $2, 'FILED', $3, $4, $5)",
    )
    .bind(id.0)
    .bind(partner.0)
    .bind(request)
    .bind(key.to_string())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    if state != CertificateState::Filed {
        set_state(tx, id, &state).await?;
    }
    Ok(Certificate {
        id,
        partner,
        request: request.map(str::to_owned),
        key: *key,
        state,
        filed_at: now,
    })
}

/// Writes a certificate's new state.
///
/// # Errors
/// [`StoreError`] of the database; [`StoreError::Duplicate`] for a certificate that is pinned already.
pub async fn set_state(tx: &mut Tx, id: CertificateId, state: &CertificateState) -> Result<(), StoreError> {
    let (pinned, ending) = (state.pinned(), state.ending());
    sqlx::query(
        "UPDATE partner_certificates SET state = $2, certificate = $3, fingerprint = $4, serial = $5, not_after = $6, \
         issued_at = $7, ended_at = $8, ended_because = $9 WHERE id = $1",
    )
    .bind(id.0)
    .bind(state.as_str())
    .bind(pinned.map(|pinned| pinned.pem.clone()))
    .bind(pinned.map(|pinned| pinned.fingerprint.to_vec()))
    .bind(pinned.map(|pinned| pinned.serial.clone()))
    .bind(pinned.map(|pinned| millis(pinned.not_after)))
    .bind(pinned.map(|pinned| millis(pinned.issued_at)))
    .bind(ending.map(|ending| millis(ending.at)))
    .bind(ending.and_then(|ending| ending.reason.clone()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A certificate of this partner.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    partner: PartnerId,
    id: CertificateId,
) -> Result<Option<Certificate>, StoreError> {
    sqlx::query(AssertSqlSafe(format!(
        "{COLUMNS} WHERE id = $1 AND partner_id = $2"
    )))
    .bind(id.0)
    .bind(partner.0)
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(of_row)
    .transpose()
}

/// A certificate of this partner, until the end of the transaction out of everybody else's reach.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take(
    tx: &mut Tx,
    partner: PartnerId,
    id: CertificateId,
) -> Result<Option<Certificate>, StoreError> {
    sqlx::query("UPDATE partner_certificates SET state = state WHERE id = $1")
        .bind(id.0)
        .execute(&mut **tx)
        .await?;
    find(tx, partner, id).await
}

/// Certificates of this partner with numbers above `after`, in order; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    connection: &mut AnyConnection,
    partner: PartnerId,
    after: i64,
    most: i64,
) -> Result<Vec<Certificate>, StoreError> {
    let statement = format!("{COLUMNS} WHERE partner_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(partner.0)
        .bind(after)
        .bind(most)
        .fetch_all(connection)
        .await?;
    rows.iter().map(of_row).collect()
}

/// Whether a certificate for this key was revoked: such a key does not come back.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn was_revoked(connection: &mut AnyConnection, key: &SpkiThumbprint) -> Result<bool, StoreError> {
    let found = sqlx::query(
        "SELECT id FROM partner_certificates WHERE key_thumbprint = $1 AND state = 'REVOKED' LIMIT 1",
    )
    .bind(key.to_string())
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some())
}

/// Whether this certificate lets the partner in.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn lets_in(
    connection: &mut AnyConnection,
    partner: &Name,
    fingerprint: &[u8; 32],
) -> Result<bool, StoreError> {
    let found = sqlx::query(
        "SELECT c.id FROM partner_certificates c JOIN partners p ON p.id = c.partner_id \
         WHERE c.fingerprint = $1 AND c.state = 'ISSUED' AND p.name = $2",
    )
    .bind(fingerprint.to_vec())
    .bind(partner.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some())
}
