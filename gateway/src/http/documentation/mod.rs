//! Doors under `/api/documentation`: the three OpenAPI documents, a page for each, an index, and the files of the pages.
//!
//! All of it is the same for everybody and comes from this process alone: no page loads anything from elsewhere, which its
//! Content-Security-Policy also forbids.

mod files;
mod pages;

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, REFERRER_POLICY};
use actix_web::{HttpResponse, web};

use self::files::{File, Known};
use super::CallerKind::Open;
use super::caller::OpenCall;
use super::doc::document::Document;
use super::doc::shape::text;
use super::doc::{Doc, Tag};
use super::{Route, readable};
use crate::error::{Code, Error};

/// What readers of the documentation can call, on the listener for browsers.
#[rustfmt::skip]
pub const DOCUMENTATION: &[Route] = &[
    readable("/api/documentation", Open, || web::to(index), || page_doc("An index of the documents")),
    readable("/api/documentation/customer", Open, || web::to(|call| page(call, Document::Customer)), || page_doc("Read the document for mobile apps")),
    readable("/api/documentation/customer/api-docs-customer.json", Open, || web::to(|call| document(call, Document::Customer)), document_doc),
    readable("/api/documentation/secure", Open, || web::to(|call| page(call, Document::Secure)), || page_doc("Read the document for partners' servers")),
    readable("/api/documentation/secure/api-docs-secure.json", Open, || web::to(|call| document(call, Document::Secure)), document_doc),
    readable("/api/documentation/admin", Open, || web::to(|call| page(call, Document::Admin)), || page_doc("Read the document for operators")),
    readable("/api/documentation/admin/api-docs-admin.json", Open, || web::to(|call| document(call, Document::Admin)), document_doc),
    readable("/api/documentation/assets/{file}", Open, || web::to(asset), asset_doc),
];

/// Nothing but what this origin serves: no inline script or style, no frame, no form, no base. Swagger UI lives with that: it
/// styles through the object model, and its icons are `data:` images.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// May be kept, and is asked for again each time: then it costs a 304.
const REVALIDATED: &str = "public, no-cache";
/// May be kept for a day: the files of the page change with the release only.
const FOR_A_DAY: &str = "public, max-age=86400";

/// Everything that is served here. It follows from the code alone, so it is made once, when it is first asked for.
static FILES: LazyLock<Known> = LazyLock::new(Known::make);

async fn index(call: OpenCall) -> Result<HttpResponse, Error> {
    send(&call, FILES.index(), REVALIDATED)
}

async fn page(call: OpenCall, document: Document) -> Result<HttpResponse, Error> {
    send(&call, FILES.page(document), REVALIDATED)
}

async fn document(call: OpenCall, document: Document) -> Result<HttpResponse, Error> {
    send(&call, FILES.document(document), REVALIDATED)
}

async fn asset(call: OpenCall) -> Result<HttpResponse, Error> {
    let name = call.text("file").ok_or(Code::NotFound)?;
    send(&call, FILES.asset(name).ok_or(Code::NotFound)?, FOR_A_DAY)
}

/// Sends a file, or says that the caller has it.
fn send(call: &OpenCall, file: &File, kept: &'static str) -> Result<HttpResponse, Error> {
    let known = call
        .headers()
        .get_all(IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == file.tag);
    let mut response = HttpResponse::build(if known {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    });
    response
        .insert_header((CACHE_CONTROL, kept))
        .insert_header((ETAG, file.tag.as_str()))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .insert_header(("cross-origin-resource-policy", "same-origin"))
        .insert_header(("x-frame-options", "DENY"));
    if known {
        return Ok(response.finish());
    }
    Ok(response.content_type(file.content_type).body(file.bytes.clone()))
}

fn document_doc() -> Doc {
    Doc::new(Tag::Documentation, "An OpenAPI document")
        .says("OpenAPI 3.1, written from the routes that are served.")
        .needs_nothing()
        .answers_bytes(200, "The document.", &["application/json"])
        .answers_nothing(304, "It is what `If-None-Match` names.")
}

fn page_doc(summary: &'static str) -> Doc {
    Doc::new(Tag::Documentation, summary)
        .says("A page for browsers. It loads nothing from elsewhere.")
        .needs_nothing()
        .answers_bytes(200, "The page.", &["text/html"])
        .answers_nothing(304, "It is what `If-None-Match` names.")
}

fn asset_doc() -> Doc {
    Doc::new(Tag::Documentation, "A file of the pages")
        .says("Style, script and icon of the pages.")
        .path_text("file", text(1, 64, "swagger-ui.css"))
        .needs_nothing()
        .answers_bytes(200, "The file.", &["text/css", "text/javascript", "image/png"])
        .answers_nothing(304, "It is what `If-None-Match` names.")
}

#[cfg(test)]
mod tests;
