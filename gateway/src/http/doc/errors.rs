//! The errors of an operation: its own, and those that follow from verb, path, caller, body and headers.

use std::collections::BTreeMap;

use actix_web::http::Method;
use serde_json::{Map, Value, json};
use shared::problem::{CONTENT_TYPE, TYPE_BASE};

use super::super::{CallerKind, Route};
use super::{Body, Doc, Needs, Proof};
use crate::error::Code;

/// What no operation says of itself: 405 is what a path says of verbs that it has not; a session that is used up is told of a row
/// of an import, within an answer. What authorises has its codes before its door.
#[cfg(test)]
pub(super) const OF_NO_OPERATION: [Code; 8] = [
    Code::InsufficientFunds,
    Code::PartnerLimitExceeded,
    Code::PartnerBalanceRequired,
    Code::PartnerBalanceLocked,
    Code::HoldEnded,
    Code::NotRenewable,
    Code::MethodNotAllowed,
    Code::ImportRowsUsedUp,
];

/// Every code that the operation may answer.
pub(super) fn codes(route: &Route, doc: &Doc) -> Vec<Code> {
    let mut codes = doc.errors.clone();
    codes.push(Code::Internal);
    codes.extend_from_slice(match route.caller {
        // Strangers are counted by address, and so is whoever tries tokens out.
        CallerKind::Open => &[Code::TooManyRequests],
        CallerKind::User => &[Code::SessionRequired, Code::TooManyRequests],
        CallerKind::Partner => &[
            Code::CertificateRequired,
            Code::NotAPartner,
            Code::CertificateNotRegistered,
            Code::AddressNotAllowed,
        ],
        CallerKind::Operator(_) => &[Code::SessionRequired, Code::RoleForbidden, Code::TooManyRequests],
    });
    if route.path.contains('{') {
        codes.push(Code::NotFound);
    }
    codes.extend_from_slice(of_body(&doc.body));
    if doc.paged || !doc.query.is_empty() {
        codes.push(Code::ValidationFailed);
    }
    if takes_idempotency_key(route, doc) {
        codes.push(Code::InvalidHeader);
        if !doc.minted_anew {
            codes.extend_from_slice(&[Code::IdempotencyKeyReused, Code::IdempotencyInFlight]);
        }
    }
    if doc.enc {
        codes.extend_from_slice(&[Code::EncryptionRequired, Code::InvalidPublicKey]);
        if !matches!(doc.body, Body::None) {
            codes.push(Code::InvalidPayload);
        }
    }
    codes.extend_from_slice(match doc.proof {
        Proof::None => &[],
        Proof::Optional => &[Code::HolderProofInvalid, Code::HolderKeyPending],
        Proof::Required => &[
            Code::HolderProofRequired,
            Code::HolderProofInvalid,
            Code::HolderKeyPending,
        ],
    });
    codes.extend_from_slice(match doc.needs {
        Needs::Nothing => &[],
        Needs::Store => &[Code::StoreUnavailable],
        // The vault has limits of its own beside the gateway's.
        Needs::Vault => &[
            Code::StoreUnavailable,
            Code::VaultUnavailable,
            Code::TooManyRequests,
        ],
    });
    Code::ALL
        .into_iter()
        .filter(|code| codes.contains(code))
        .collect()
}

/// Whether the operation takes the header `Idempotency-Key`: every POST does.
pub(super) fn takes_idempotency_key(route: &Route, doc: &Doc) -> bool {
    route.method == Method::POST || doc.takes_idempotency_key
}

const fn of_body(body: &Body) -> &'static [Code] {
    match body {
        Body::None => &[],
        Body::Bytes(..) => &[Code::InvalidHeader, Code::BodyTooSlow, Code::BodyTooLarge],
        Body::Plain(_) => &[
            Code::MalformedJson,
            Code::InvalidHeader,
            Code::BodyTooSlow,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
            Code::ValidationFailed,
        ],
        // What is sealed only the vault can open, and judges.
        Body::Sealed(_) => &[
            Code::CantDecryptPayload,
            Code::MalformedJson,
            Code::InvalidHeader,
            Code::BodyTooSlow,
            Code::BodyTooLarge,
            Code::ValidationFailed,
        ],
        Body::PlainOrSealed(_) | Body::SealedOrNothing(_) => &[
            Code::CantDecryptPayload,
            Code::MalformedJson,
            Code::InvalidHeader,
            Code::BodyTooSlow,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
            Code::ValidationFailed,
        ],
    }
}

/// The error responses of an operation, by status; each is a component of the document, so that what many operations have in
/// common stands there once.
pub(super) fn responses(codes: &[Code], components: &mut BTreeMap<String, Value>) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.row().0.as_u16()).or_default().push(*code);
    }
    by_status
        .into_iter()
        .map(|(status, codes)| {
            let names: Vec<_> = codes.iter().map(|code| code.row().1).collect();
            let name = format!("{status}.{}", names.join("."));
            let reference = json!({ "$ref": format!("#/components/responses/{name}") });
            components.entry(name).or_insert_with(|| response(status, &codes));
            (status.to_string(), reference)
        })
        .collect()
}

fn response(status: u16, codes: &[Code]) -> Value {
    let names: Vec<_> = codes.iter().map(|code| code.row().1).collect();
    let says: Vec<_> = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.row().1, code.row().2))
        .collect();
    let examples: Map<_, _> = codes
        .iter()
        .map(|code| (code.row().1.to_owned(), json!({ "value": example(*code) })))
        .collect();
    let mut headers = json!({ "Trace-Id": { "$ref": "#/components/headers/Trace-Id" } });
    if let Some(headers) = headers.as_object_mut() {
        let mut and = |name: &str| {
            headers.insert(
                name.to_owned(),
                json!({ "$ref": format!("#/components/headers/{name}") }),
            )
        };
        if matches!(status, 429 | 503) || codes.contains(&Code::IdempotencyInFlight) {
            and("Retry-After");
        }
        if status == 401 && !codes.contains(&Code::CertificateRequired) {
            and("WWW-Authenticate");
        }
    }
    json!({
        "description": says.join("\n\n"),
        "headers": headers,
        "content": { CONTENT_TYPE: {
            "schema": { "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                { "type": "object", "properties": { "status": { "const": status }, "code": { "enum": names } } },
            ] },
            "examples": examples,
        } },
    })
}

fn example(code: Code) -> Value {
    let (status, name, title) = code.row();
    let mut problem = json!({
        "type": format!("{TYPE_BASE}{}", name.to_ascii_lowercase().replace('_', "-")),
        "title": title,
        "status": status.as_u16(),
        "detail": title,
        "code": name,
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
    });
    if let (Code::ValidationFailed, Some(problem)) = (code, problem.as_object_mut()) {
        let broken = json!([{ "field": "email", "code": "REQUIRED", "message": "Must be present." }]);
        problem.insert("errors".to_owned(), broken);
    }
    problem
}

/// The schema of every error answer.
pub(super) fn problem() -> Value {
    json!({
        "type": "object",
        "description": "Every error answer (RFC 9457). Branch on `code`; `detail` is for people.",
        "required": ["type", "title", "status", "detail", "code", "traceId"],
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string" },
            "code": { "$ref": "#/components/schemas/ErrorCode" },
            "traceId": { "type": "string", "pattern": "^[0-9a-f]{32}$", "description": "Under this the log tells more." },
            "errors": { "type": "array", "minItems": 1, "items": { "$ref": "#/components/schemas/FieldError" } },
        },
    })
}

/// The schema of what is wrong with one member.
pub(super) fn field_error() -> Value {
    json!({
        "type": "object",
        "description": "What is wrong with one member of a request. The value itself is never repeated.",
        "required": ["field", "code", "message"],
        "properties": {
            "field": { "type": "string", "description": "The member, as a path with dots: `address.line1`." },
            "code": { "type": "string", "pattern": "^[A-Z0-9_]+$", "description": "The rule that is broken." },
            "message": { "type": "string", "description": "The rule as a sentence." },
        },
    })
}

/// Every code of the product, with its meaning.
pub(super) fn error_code() -> Value {
    let rows: Vec<_> = Code::ALL
        .into_iter()
        .map(|code| {
            let (status, name, title) = code.row();
            json!({ "const": name, "title": status.as_u16().to_string(), "description": title })
        })
        .collect();
    json!({
        "type": "string",
        "description": "Every error code of Tessera. Which of them an operation may answer stands at the operation.",
        "oneOf": rows,
    })
}
