//! Documents for KYC applications: received and judged by their content, deleted again while no application came with them,
//! and opened for whoever has to look at them.

use shared::problem::FieldError;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::claimed::{Opened, open};
use crate::document_keys::DocumentName;
use crate::domain::kyc::{DocumentId, DocumentKind, DocumentType, KycStatus, judge};
use crate::domain::rule::Rule;
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::idempotency::{Answer, Request};
use crate::store::kyc_documents::{self, Document};
use crate::store::users;

/// What was sent.
pub struct Sent {
    /// What it is said to show.
    pub kind: DocumentKind,
    /// The type it is said to be of.
    pub content_type: DocumentType,
    /// The bytes.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// Receives a document; `render` writes the answer.
///
/// # Errors
/// `VALIDATION_FAILED` for content that is not what it is said to be; `TOO_MANY_DOCUMENTS`; `KYC_ACCEPTED` when nobody will
/// look at it any more.
pub async fn receive(
    services: &Services,
    request: &Request,
    user: UserId,
    sent: Sent,
    render: impl FnOnce(&Document) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    // Reading millions of bytes is no work for a thread that others wait for, nor for a transaction. A retry is judged again.
    let (sent, judged) = spawn_blocking(move || {
        let judged = judge(&sent.bytes, sent.content_type);
        (sent, judged)
    })
    .await
    .map_err(|_| Error::internal("judging a document broke down"))?;
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let length = judged.map_err(refused)?;
    let plain = sent.bytes.get(..length).unwrap_or_default();
    let user = users::find_for_update(&mut tx, user)
        .await?
        .ok_or(Code::NotFound)?;
    if user.kyc == KycStatus::Accepted {
        return Err(Code::KycAccepted.into());
    }
    let most = i64::from(services.config.kyc.documents_per_user);
    if kyc_documents::count(&mut tx, user.id).await? >= most {
        return Err(Code::TooManyDocuments.into());
    }
    let name = DocumentName {
        user: user.id,
        id: kyc_documents::next_id(&mut tx).await?,
        kind: sent.kind,
        content_type: sent.content_type,
        size: i64::try_from(plain.len()).map_err(|_| Error::internal("a document is too long"))?,
    };
    let sealed = services.documents.keys.seal(&name, plain, &services.random)?;
    let document = kyc_documents::insert(&mut tx, &name, &sealed, services.now()).await?;
    let answer = render(&document)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

fn refused(rule: Rule) -> Error {
    Error::invalid(vec![FieldError {
        field: "body".into(),
        code: rule.code.into(),
        message: rule.message.into(),
    }])
}

/// Deletes a document of a user.
///
/// # Errors
/// `NOT_FOUND`; `DOCUMENT_SUBMITTED` when an application came with it.
pub async fn delete(services: &Services, user: UserId, id: DocumentId) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    // Locked until the end, so that no application takes the document in between.
    let user = users::find_for_update(&mut tx, user)
        .await?
        .ok_or(Code::NotFound)?;
    let document = kyc_documents::find(&mut tx, user.id, id)
        .await?
        .ok_or(Code::NotFound)?;
    if document.submitted {
        return Err(Code::DocumentSubmitted.into());
    }
    kyc_documents::delete(&mut tx, id).await?;
    Ok(tx.commit().await?)
}

/// Opens a document. That somebody looks at it has to be on record before.
///
/// # Errors
/// `NOT_FOUND` when it was erased in the meantime; when it does not open.
pub async fn content(services: &Services, document: &Document) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut read = services.db.read().await?;
    let sealed = kyc_documents::sealed(&mut read, document.name.id)
        .await?
        .ok_or(Code::NotFound)?;
    drop(read);
    services.documents.keys.open(&document.name, &sealed)
}

/// Documents that are read at a time when all are sealed anew.
const BATCH: i64 = 100;

/// Seals everything anew that is sealed under an earlier key, each document in a transaction of its own, beside a gateway
/// that serves. Returns how many were; once it returns, nothing is sealed under earlier keys.
///
/// # Errors
/// When a document does not open, or the database fails: what was done is kept, and another run goes on.
pub async fn reseal(services: &Services) -> Result<u64, Error> {
    let keys = &services.documents.keys;
    let (mut done, mut after) = (0, DocumentId(0));
    loop {
        let mut read = services.db.read().await?;
        let batch = kyc_documents::under_other_keys(&mut read, keys.current(), after, BATCH).await?;
        drop(read);
        let Some(last) = batch.last() else { return Ok(done) };
        after = last.name.id;
        for document in &batch {
            let mut read = services.db.read().await?;
            // Erased in the meantime: there is nothing to do.
            let Some(former) = kyc_documents::sealed(&mut read, document.name.id).await? else {
                continue;
            };
            drop(read);
            let plain = keys.open(&document.name, &former)?;
            let sealed = keys.seal(&document.name, &plain, &services.random)?;
            let mut tx = services.db.begin().await?;
            let replaced = kyc_documents::replace(&mut tx, document.name.id, &former.key, &sealed).await?;
            tx.commit().await?;
            done += u64::from(replaced);
        }
    }
}
