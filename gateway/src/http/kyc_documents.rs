//! Documents for KYC applications, on both channels: sent as they are, listed, deleted while no application came with them.
//! What they show is given back to nobody but whoever decides.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Query;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::answer::{json, send, send_json};
use super::body::Fields;
use super::caller::Customer;
use super::doc::shape::required;
use super::doc::{Doc, Tag, examples, words};
use super::header::single;
use super::page::Page;
use crate::domain::kyc::{DocumentId, DocumentKind, DocumentType, NOT_A_KIND};
use crate::domain::rule::{REQUIRED, UNKNOWN};
use crate::error::{Code, Error};
use crate::flows::kyc_documents::{Sent, delete as delete_document, receive};
use crate::store::kyc_documents::{self, Document};

/// A document, but for its content.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycDocument)]
pub(super) struct DocumentView {
    /// The gateway's number of it.
    id: i64,
    /// What it shows.
    #[schema(schema_with = words::document_kinds)]
    kind: &'static str,
    /// Its media type.
    content_type: &'static str,
    /// Its length in bytes: up to its end mark, which may be less than was sent.
    size: i64,
    /// Whether an application came with it.
    submitted: bool,
    /// When it was received.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
}

impl DocumentView {
    pub(super) const fn of(document: &Document) -> Self {
        Self {
            id: document.name.id.0,
            kind: document.name.kind.as_str(),
            content_type: document.name.content_type.as_str(),
            size: document.name.size,
            submitted: document.submitted,
            created_at: document.at,
        }
    }
}

/// `POST …/kyc/documents?kind=`: the document itself, with its `Content-Type` → 201.
pub(super) async fn create(mut customer: Customer) -> Result<HttpResponse, Error> {
    let kind = kind(customer.query())?;
    let content_type = single(customer.headers(), CONTENT_TYPE.as_str())?
        .and_then(DocumentType::from_name)
        .ok_or(Code::DocumentTypeUnsupported)?;
    let services = std::sync::Arc::clone(customer.services());
    services.documents.uploads.check(&customer.user.id)?;
    let _room = services.documents.rooms.take(Some(customer.user.id))?;
    let limits = &services.config.kyc;
    let within = Duration::from_secs(limits.document_seconds);
    let (bytes, request) = customer.document(limits.document_bytes, within).await?;
    let request = customer.scoped(request);
    let sent = Sent {
        kind,
        content_type,
        bytes,
    };
    let answer = receive(&services, &request, customer.user.id, sent, |document| {
        json(StatusCode::CREATED, &DocumentView::of(document))
    })
    .await?;
    send(answer)
}

/// Reads `?kind=`, once and nothing beside it.
fn kind(query: &str) -> Result<DocumentKind, Error> {
    let mut fields = Fields::empty();
    let mut found = None;
    let pairs = Query::<Vec<(String, String)>>::from_query(query);
    for (name, value) in pairs.map(Query::into_inner).unwrap_or_default() {
        match (name.as_str(), DocumentKind::from_name(&value)) {
            ("kind", Some(kind)) if found.is_none() => found = Some(kind),
            ("kind", _) => fields.refuse("kind", NOT_A_KIND),
            _ => fields.refuse("query", UNKNOWN),
        }
    }
    if found.is_none() {
        fields.refuse("kind", REQUIRED);
    }
    fields.finish(|| found)
}

/// `GET …/kyc/documents` → 200.
pub(super) async fn list(customer: Customer) -> Result<HttpResponse, Error> {
    let services = customer.services();
    let page = Page::of_query(customer.query(), services.config.limits.page_items)?;
    let mut read = services.db.read().await?;
    let rows = kyc_documents::list(&mut read, customer.user.id, page.after, page.rows()).await?;
    let listed = page.of_rows(rows, |row| row.name.id.0, |row| Ok(DocumentView::of(&row)))?;
    send_json(StatusCode::OK, &listed)
}

/// `DELETE …/kyc/documents/{documentId}` → 204.
pub(super) async fn delete(customer: Customer) -> Result<HttpResponse, Error> {
    let id = DocumentId(customer.number("documentId")?);
    delete_document(customer.services(), customer.user.id, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The media types of documents.
pub(super) const MEDIA_TYPES: &[&str] = &["application/pdf", "image/jpeg", "image/png"];
/// The limit of a document, unless the installation has another.
const BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Of `POST …/kyc/documents`.
pub(super) fn create_doc() -> Doc {
    Doc::new(Tag::Kyc, "Send a document")
        .says(
            "The document itself, with its `Content-Type`. It is judged by its content and cut at its end mark; what it shows is \
             given back to nobody but whoever decides.",
        )
        .query(required("kind", words::document_kind()))
        .bytes_body(MEDIA_TYPES, BYTES_MAX)
        .answers::<DocumentView>(201, "The document is kept.", examples::kyc_document())
        .errors(&[Code::TooManyDocuments, Code::KycAccepted, Code::DocumentTypeUnsupported, Code::Busy, Code::TooManyRequests])
}

/// Of `GET …/kyc/documents`.
pub(super) fn list_doc() -> Doc {
    Doc::new(Tag::Kyc, "List documents")
        .says("What was sent, but for the content.")
        .answers_page::<DocumentView>("A page of documents, oldest first.", examples::kyc_document())
}

/// Of `DELETE …/kyc/documents/{documentId}`.
pub(super) fn delete_doc() -> Doc {
    Doc::new(Tag::Kyc, "Delete a document")
        .says("While no application came with it.")
        .answers_nothing(204, "The document is gone.")
        .errors(&[Code::DocumentSubmitted])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_once_and_alone() {
        assert_eq!(kind("kind=SELFIE").unwrap(), DocumentKind::Selfie);
        for bad in [
            "",
            "kind=",
            "kind=selfie",
            "kind=SELFIE&kind=SELFIE",
            "kind=SELFIE&x=1",
            "type=SELFIE",
        ] {
            assert_eq!(kind(bad).unwrap_err().code(), Code::ValidationFailed, "{bad}");
        }
    }
}
