//! Documents of KYC applications, sealed, in chunks. A document belongs to a user; applications name the ones they come with.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};
use time::OffsetDateTime;

use super::kyc_applications::ApplicationId;
use super::row::{bytes, get, named};
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::document_keys::{DocumentName, SealedDocument};
use crate::domain::kyc::{DocumentId, DocumentKind, DocumentType};
use crate::domain::user::UserId;

/// A document, but for its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document {
    /// By which it is sealed.
    pub name: DocumentName,
    /// Whether an application came with it.
    pub submitted: bool,
    /// When it was received.
    pub at: OffsetDateTime,
}

const COLUMNS: &str = "SELECT d.id, d.user_id, d.kind, d.content_type, d.size, d.created_at, \
     (SELECT COUNT(*) FROM kyc_application_documents a WHERE a.document_id = d.id) AS applications FROM kyc_documents d";

fn of_row(row: &AnyRow) -> Result<Document, StoreError> {
    Ok(Document {
        name: DocumentName {
            user: UserId(get(row, "user_id")?),
            id: DocumentId(get(row, "id")?),
            kind: named(row, "kind", DocumentKind::from_name)?,
            content_type: named(row, "content_type", DocumentType::from_name)?,
            size: get(row, "size")?,
        },
        submitted: get::<i64>(row, "applications")? > 0,
        at: instant(get(row, "created_at")?)?,
    })
}

/// The number of a document to be, under which it is sealed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn next_id(tx: &mut Tx) -> Result<DocumentId, StoreError> {
    Ok(DocumentId(tx.next_number(Sequence::KycDocuments).await?))
}

/// Writes a document down.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(
    tx: &mut Tx,
    name: &DocumentName,
    sealed: &SealedDocument,
    now: OffsetDateTime,
) -> Result<Document, StoreError> {
    sqlx::query(
        "INSERT INTO kyc_documents (id, user_id, kind, content_type, size, key_name, salt, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(name.id.0)
    .bind(name.user.0)
    .bind(name.kind.as_str())
    .bind(name.content_type.as_str())
    .bind(name.size)
    .bind(sealed.key.as_str())
    .bind(sealed.salt.as_slice())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    insert_chunks(tx, name.id, sealed).await?;
    Ok(Document {
        name: *name,
        submitted: false,
        at: now,
    })
}

async fn insert_chunks(tx: &mut Tx, id: DocumentId, sealed: &SealedDocument) -> Result<(), StoreError> {
    for (place, chunk) in (0_i64..).zip(&sealed.chunks) {
        sqlx::query("INSERT INTO kyc_document_chunks (document_id, place, content) VALUES ($1, $2, $3)")
            .bind(id.0)
            .bind(place)
            .bind(chunk.as_slice())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Documents of all users with numbers above `after` that are sealed under another key than this, in order; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn under_other_keys(
    connection: &mut AnyConnection,
    key: &str,
    after: DocumentId,
    most: i64,
) -> Result<Vec<Document>, StoreError> {
    let statement = format!("{COLUMNS} WHERE d.key_name <> $1 AND d.id > $2 ORDER BY d.id LIMIT $3");
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(key)
        .bind(after.0)
        .bind(most)
        .fetch_all(connection)
        .await?;
    rows.iter().map(of_row).collect()
}

/// Puts what was sealed anew in the place of what was sealed under the key `former`. False when that is not there any more.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn replace(
    tx: &mut Tx,
    id: DocumentId,
    former: &str,
    sealed: &SealedDocument,
) -> Result<bool, StoreError> {
    let updated =
        sqlx::query("UPDATE kyc_documents SET key_name = $3, salt = $4 WHERE id = $1 AND key_name = $2")
            .bind(id.0)
            .bind(former)
            .bind(sealed.key.as_str())
            .bind(sealed.salt.as_slice())
            .execute(&mut **tx)
            .await?;
    if updated.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("DELETE FROM kyc_document_chunks WHERE document_id = $1")
        .bind(id.0)
        .execute(&mut **tx)
        .await?;
    insert_chunks(tx, id, sealed).await?;
    Ok(true)
}

/// Documents of a user with numbers above `after`, in order; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    connection: &mut AnyConnection,
    user: UserId,
    after: i64,
    most: i64,
) -> Result<Vec<Document>, StoreError> {
    let statement = format!("{COLUMNS} WHERE d.user_id = $1 AND d.id > $2 ORDER BY d.id LIMIT $3");
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(user.0)
        .bind(after)
        .bind(most)
        .fetch_all(connection)
        .await?;
    rows.iter().map(of_row).collect()
}

/// A document of this user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    user: UserId,
    id: DocumentId,
) -> Result<Option<Document>, StoreError> {
    let statement = format!("{COLUMNS} WHERE d.user_id = $1 AND d.id = $2");
    let row = sqlx::query(AssertSqlSafe(statement))
        .bind(user.0)
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(of_row).transpose()
}

/// What an application came with, in order.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_application(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<Document>, StoreError> {
    let statement = format!(
        "{COLUMNS} JOIN kyc_application_documents f ON f.document_id = d.id WHERE f.application_id = $1 ORDER BY d.id"
    );
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(application.0)
        .fetch_all(connection)
        .await?;
    rows.iter().map(of_row).collect()
}

/// How many documents a user has.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn count(connection: &mut AnyConnection, user: UserId) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS documents FROM kyc_documents WHERE user_id = $1")
        .bind(user.0)
        .fetch_one(connection)
        .await?;
    get(&row, "documents")
}

/// Lets an application come with these documents of its user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn attach(
    tx: &mut Tx,
    application: ApplicationId,
    documents: &[DocumentId],
) -> Result<(), StoreError> {
    for document in documents {
        sqlx::query("INSERT INTO kyc_application_documents (application_id, document_id) VALUES ($1, $2)")
            .bind(application.0)
            .bind(document.0)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// A document's content, as it is kept.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sealed(
    connection: &mut AnyConnection,
    id: DocumentId,
) -> Result<Option<SealedDocument>, StoreError> {
    let row = sqlx::query("SELECT key_name, salt FROM kyc_documents WHERE id = $1")
        .bind(id.0)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let chunks = sqlx::query("SELECT content FROM kyc_document_chunks WHERE document_id = $1 ORDER BY place")
        .bind(id.0)
        .fetch_all(connection)
        .await?;
    Ok(Some(SealedDocument {
        key: get(&row, "key_name")?,
        salt: bytes(&row, "salt")?,
        chunks: chunks
            .iter()
            .map(|chunk| get(chunk, "content"))
            .collect::<Result<_, _>>()?,
    }))
}

/// Deletes a document that no application came with.
///
/// # Errors
/// [`StoreError`] of the database, also when an application came with it.
pub async fn delete(tx: &mut Tx, id: DocumentId) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM kyc_document_chunks WHERE document_id = $1",
        "DELETE FROM kyc_documents WHERE id = $1",
    ] {
        sqlx::query(statement).bind(id.0).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Erases all documents of a user: content, salt, and which applications they came with. Returns how many. What lingers in
/// free pages and copies of the database is sealed; it opens no more once the key file of its time is destroyed.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn erase_of(tx: &mut Tx, user: UserId) -> Result<u64, StoreError> {
    let own = "(SELECT id FROM kyc_documents WHERE user_id = $1)";
    for table in ["kyc_application_documents", "kyc_document_chunks"] {
        let statement = format!("DELETE FROM {table} WHERE document_id IN {own}");
        sqlx::query(AssertSqlSafe(statement))
            .bind(user.0)
            .execute(&mut **tx)
            .await?;
    }
    let erased = sqlx::query("DELETE FROM kyc_documents WHERE user_id = $1")
        .bind(user.0)
        .execute(&mut **tx)
        .await?;
    Ok(erased.rows_affected())
}
