//! `/admin/partners/{partnerId}/certificates…` (row 24): a partner's CSR is filed, an officer signs it off-line with `certs`,
//! the certificate is returned and pinned, and can be revoked.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::domain::operator::marker::{ManagePartners, ViewPartners};
use crate::domain::operator::{Permitted, Scope};
use crate::domain::partner::{Certificate, CertificateId, Partner, PartnerId};
use crate::domain::rule::Rule;
use crate::domain::text::is_line;
use crate::error::{Code, Error};
use crate::flows::partners;
use crate::flows::partners::certificates::revoke as run_revoke;
use crate::flows::partners::file_request::{Filing, file_request};
use crate::flows::partners::issue_certificate::{Signed, issue_certificate};
use crate::http::answer::{json, send, send_json};
use crate::http::body::Fields;
use crate::http::doc::shape::{line, optional, required, text};
use crate::http::doc::{Doc, Tag};
use crate::http::operator::OperatorCall;
use crate::http::page::Page;
use crate::store::partner_certificates;

const NOT_A_REASON: Rule = Rule {
    code: "NOT_A_LINE",
    message: "Must be 1 to 128 characters in one line.",
};

/// A certificate as operators are shown it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CertificateView<'a> {
    id: i64,
    partner_id: i64,
    /// `FILED`, `ISSUED`, `WITHDRAWN` or `REVOKED`.
    state: &'static str,
    /// The request, PEM; none when the certificate was pinned on the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    csr: Option<&'a str>,
    /// SHA-256 of the public key, base64url.
    key_thumbprint: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    filed_at: OffsetDateTime,
    /// The certificate, PEM, from `ISSUED` on.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<&'a str>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    issued_at: Option<OffsetDateTime>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<OffsetDateTime>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> CertificateView<'a> {
    fn of(certificate: &'a Certificate) -> Self {
        let (pinned, ending) = (certificate.state.pinned(), certificate.state.ending());
        Self {
            id: certificate.id.0,
            partner_id: certificate.partner.0,
            state: certificate.state.as_str(),
            csr: certificate.request.as_deref(),
            key_thumbprint: certificate.key.to_string(),
            filed_at: certificate.filed_at,
            certificate: pinned.map(|pinned| pinned.pem.as_str()),
            serial: pinned.map(|pinned| pinned.serial.as_str()),
            issued_at: pinned.map(|pinned| pinned.issued_at),
            expires_at: pinned.map(|pinned| pinned.not_after),
            ended_at: ending.map(|ending| ending.at),
            reason: ending.and_then(|ending| ending.reason.as_deref()),
        }
    }
}

/// The partner that the path names.
async fn partner<P: Permitted>(call: &OperatorCall<P>) -> Result<Partner, Error> {
    let id = PartnerId(call.number("partnerId")?);
    partners::find(call.services(), &call.operator().scope, id).await
}

/// `GET /admin/partners/{partnerId}/certificates` → 200.
pub(super) async fn list(call: OperatorCall<ViewPartners>) -> Result<HttpResponse, Error> {
    let partner = partner(&call).await?;
    let services = call.services();
    let page = Page::of_query(call.query(), services.config.limits.page_items)?;
    let mut read = services.db.read().await?;
    let rows = partner_certificates::list(&mut read, partner.id, page.after, page.rows()).await?;
    let shown = |row: Certificate| {
        serde_json::to_value(CertificateView::of(&row))
            .map_err(|_| Error::internal("a certificate cannot be written"))
    };
    send_json(StatusCode::OK, &page.of_rows(rows, |row| row.id.0, shown)?)
}

/// `GET /admin/partners/{partnerId}/certificates/{certificateId}` → 200.
pub(super) async fn get(call: OperatorCall<ViewPartners>) -> Result<HttpResponse, Error> {
    let partner = partner(&call).await?;
    let id = CertificateId(call.number("certificateId")?);
    let mut read = call.services().db.read().await?;
    let found = partner_certificates::find(&mut read, partner.id, id)
        .await?
        .ok_or(Code::NotFound)?;
    send_json(StatusCode::OK, &CertificateView::of(&found))
}

/// `POST /admin/partners/{partnerId}/certificates`: `{csr}` → 201.
pub(super) async fn file(mut call: OperatorCall<ManagePartners>) -> Result<HttpResponse, Error> {
    let partner = partner(&call).await?;
    let (mut fields, request) = call.fields().await?;
    let request = call.scoped(request);
    let filing = fields.text("csr", Filing::parse);
    let filing = fields.finish(|| filing)?;
    let shown = |filed: &Certificate| json(StatusCode::CREATED, &CertificateView::of(filed));
    let by = (&partner, &call.stamp().named("FILE_CERTIFICATE_REQUEST"));
    send(file_request(call.services(), &request, by, filing, shown).await?)
}

/// `POST /admin/partners/{partnerId}/certificates/{certificateId}/issue`: `{certificate}` → 200. By the platform's Admins
/// alone: they are who deals with the officer that signs.
pub(super) async fn issue(mut call: OperatorCall<ManagePartners>) -> Result<HttpResponse, Error> {
    let partner = partner(&call).await?;
    if call.operator().scope != Scope::Platform {
        return Err(Code::RoleForbidden.into());
    }
    let id = CertificateId(call.number("certificateId")?);
    let (mut fields, request) = call.fields().await?;
    let request = call.scoped(request);
    let services = call.services();
    let signed = fields.text("certificate", |pem| Signed::parse(pem, &services.partner_trust));
    let signed = fields.finish(|| signed)?;
    let shown = |issued: &Certificate| json(StatusCode::OK, &CertificateView::of(issued));
    let by = (&partner, &call.stamp().named("ISSUE_CERTIFICATE"));
    match issue_certificate(services, &request, by, (id, signed), shown).await? {
        Ok(answer) => send(answer),
        Err(rule) => {
            let mut fields = Fields::empty();
            fields.refuse("certificate", rule);
            fields.finish(|| None)
        }
    }
}

/// `POST /admin/partners/{partnerId}/certificates/{certificateId}/revoke`: `{reason?}` → 200. Works from the next request on.
pub(super) async fn revoke(mut call: OperatorCall<ManagePartners>) -> Result<HttpResponse, Error> {
    let partner = partner(&call).await?;
    let id = CertificateId(call.number("certificateId")?);
    let (mut fields, request) = call.fields().await?;
    let request = call.scoped(request);
    let reason = fields.optional_text("reason", |text| {
        is_line(text, 128).then(|| text.to_owned()).ok_or(NOT_A_REASON)
    });
    fields.finish(|| Some(()))?;
    let shown = |ended: &Certificate| json(StatusCode::OK, &CertificateView::of(ended));
    let by = (&partner, &call.stamp().named("REVOKE_CERTIFICATE"));
    send(run_revoke(call.services(), &request, by, (id, reason), shown).await?)
}

/// Longest PEM that a request or a certificate is described by: the largest keys stay below it.
const PEM_MAX: u64 = 60_000;
const CSR: &str = "-----BEGIN CERTIFICATE REQUEST-----\nMIH…\n-----END CERTIFICATE REQUEST-----\n";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n";

fn filed() -> Value {
    json!({
        "id": 1001, "partnerId": 1001, "state": "FILED", "csr": CSR,
        "keyThumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "filedAt": "2026-11-26T09:30:00Z"
    })
}

fn issued() -> Value {
    json!({
        "id": 1001, "partnerId": 1001, "state": "ISSUED", "csr": CSR,
        "keyThumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "filedAt": "2026-11-26T09:30:00Z",
        "certificate": CERTIFICATE, "serial": "4A:0F:33", "issuedAt": "2026-11-27T08:00:00Z",
        "expiresAt": "2027-11-27T08:00:00Z"
    })
}

/// Of `GET /admin/partners/{partnerId}/certificates`.
pub(super) fn list_doc() -> Doc {
    Doc::new(Tag::Partners, "List a partner's certificates")
        .says("From the request on; those that ended are kept.")
        .answers_page::<CertificateView>("A page of certificates, oldest first.", issued())
}

/// Of `GET /admin/partners/{partnerId}/certificates/{certificateId}`.
pub(super) fn get_doc() -> Doc {
    Doc::new(Tag::Partners, "Get a certificate")
        .says("With its request, and the certificate once it is there, both as PEM.")
        .answers::<CertificateView>(200, "The certificate.", issued())
}

/// Of `POST /admin/partners/{partnerId}/certificates`.
pub(super) fn file_doc() -> Doc {
    let csr = text(1, PEM_MAX, CSR).saying("PKCS #10, PEM. Of what it says the key alone counts.");
    Doc::new(Tag::Partners, "File a certificate request")
        .says(
            "An officer signs it off-line with `certs sign`; the certificate is then returned with `…/issue`. A key whose \
             certificate was revoked is not taken again.",
        )
        .body([required("csr", csr)])
        .answers::<CertificateView>(201, "The request, filed.", filed())
        .errors(&[Code::CertificateKnown])
}

/// Of `POST /admin/partners/{partnerId}/certificates/{certificateId}/issue`.
pub(super) fn issue_doc() -> Doc {
    Doc::new(Tag::Partners, "Return a signed certificate")
        .says(
            "Checked as a handshake would check it, against the partner's name and the key of the request, and pinned: from \
             now on it lets the partner's servers in, beside those that were pinned before. By the platform's Admins alone.",
        )
        .body([required("certificate", text(1, PEM_MAX, CERTIFICATE))])
        .answers::<CertificateView>(200, "The certificate, pinned.", issued())
        .errors(&[Code::CertificateNotFiled, Code::CertificateKnown])
}

/// Of `POST /admin/partners/{partnerId}/certificates/{certificateId}/revoke`.
pub(super) fn revoke_doc() -> Doc {
    let mut ended = issued();
    ended["state"] = "REVOKED".into();
    ended["endedAt"] = "2026-12-01T10:00:00Z".into();
    ended["reason"] = "lost with a laptop".into();
    Doc::new(Tag::Partners, "Revoke a certificate")
        .says("From the next request on nobody is let in by it, on open connections neither. A request that waits is withdrawn.")
        .body([optional("reason", line(128, "lost with a laptop"))])
        .answers::<CertificateView>(200, "The certificate, ended.", ended)
        .errors(&[Code::CertificateEnded])
}
