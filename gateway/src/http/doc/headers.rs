//! Headers and parameters that mean the same at every operation, and the shape of pages.

use serde_json::{Map, Value, json};
use shared::vault_api::{AUDIT_INDEX, HOLDER_PROOF, IDEMPOTENCY_KEY, VAULT_PROOF};

use super::shape::{JWE_EXAMPLE, JWE_PATTERN, JWS_EXAMPLE, JWS_PATTERN, Shape};

/// Eight bytes in base64url, of which the last five are a number below 2^40.
const CURSOR_PATTERN: &str = "^AAAA[A-Za-z0-9_-]{6}[AEIMQUYcgkosw048]$";

/// A public key of nobody's: only what one looks like.
const PUBLIC_KEY: &str = "eyJrdHkiOiJFQyIsImNydiI6IlAtMjU2IiwieCI6IndZSlcxUExVY0g5MkJ0WGZ0X1YwQk9lUlF6akhyRzA1S2UwQlAwbHEzMU0iLCJ5IjoiNjl6V3VOQXJKcW91WUlZWFhqeklrazNBRFZHVmVhcjdKY1FfTGdyZGhLUSJ9";

/// A parameter of the document, by reference.
pub(super) fn parameter(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// The parameters that operations refer to.
pub(super) fn parameters() -> Map<String, Value> {
    encryption()
        .into_iter()
        .chain(of_requests())
        .chain(of_pages())
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn header(name: &str, required: bool, says: &str, schema: Value, example: &str) -> Value {
    json!({ "name": name, "in": "header", "required": required, "description": says, "schema": schema, "example": example })
}

/// What *enc* endpoints need.
fn encryption() -> [(&'static str, Value); 3] {
    let key = header(
        "Public-Key",
        true,
        "Base64 of the caller's public key, to which the answer is sealed: PEM SPKI, DER SPKI or JWK; RSA of 2048 to 8192 bits \
         (e = 65537), answered with `RSA-OAEP-256` + `A256GCM`, or EC P-256, answered with `ECDH-ES` + `A256GCM`.",
        json!({ "type": "string", "contentEncoding": "base64", "pattern": "^[A-Za-z0-9+/_-]+={0,2}$", "maxLength": 8192 }),
        PUBLIC_KEY,
    );
    let encrypted = |words: Value, example: &str, says: &str| {
        header(
            "Encrypted-Request",
            true,
            says,
            json!({ "type": "string", "enum": words }),
            example,
        )
    };
    [
        ("Public-Key", key),
        (
            "Encrypted-Request",
            encrypted(
                json!(["true", "false"]),
                "false",
                "Whether the body is `{payload}`. Without a body either word is taken.",
            ),
        ),
        (
            "Encrypted-Request-true",
            encrypted(json!(["true"]), "true", "The body must be sealed."),
        ),
    ]
}

/// Headers of requests.
fn of_requests() -> [(&'static str, Value); 4] {
    let proof = |required| {
        header(
            HOLDER_PROOF,
            required,
            "The holder's word for this operation, on this card, towards this key: a JWS by a key that is enrolled in the \
             vault, over a nonce of the vault's. Only the vault judges it.",
            json!({ "type": "string", "pattern": JWS_PATTERN, "maxLength": 8192 }),
            JWS_EXAMPLE,
        )
    };
    let idempotency_key = header(
        IDEMPOTENCY_KEY,
        false,
        "The same again within 24 hours gives the first answer, byte for byte; with another body or `Public-Key` it is 422. \
         Operations that give out secrets keep none: there a retry mints anew, without a second effect.",
        json!({ "type": "string", "pattern": "^[!-~]{1,255}$" }),
        "7f9c2ba4-e88f-497d-9f00-d4aa21b8a11d",
    );
    let traceparent = header(
        "traceparent",
        false,
        "W3C Trace Context: the trace under which we log the request, and which `Trace-Id` repeats.",
        json!({ "type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$" }),
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    );
    [
        ("Holder-Proof", proof(false)),
        ("Holder-Proof-required", proof(true)),
        (IDEMPOTENCY_KEY, idempotency_key),
        ("traceparent", traceparent),
    ]
}

/// Which part of a list is wanted.
fn of_pages() -> [(&'static str, Value); 2] {
    let limit = json!({
        "name": "limit", "in": "query", "required": false,
        "description": "Most items on the page; 20 when it is left out. How many are allowed is the installation's setting, \
                        100 unless it says otherwise.",
        "schema": { "type": "integer", "minimum": 1, "maximum": 100 }, "example": 20,
    });
    let cursor = json!({
        "name": "cursor", "in": "query", "required": false,
        "description": "`nextCursor` of the page before.",
        "schema": { "type": "string", "pattern": CURSOR_PATTERN }, "example": "AAAAAAAABGU",
    });
    [("limit", limit), ("cursor", cursor)]
}

/// A header of answers, by reference.
pub(super) fn answer_header(name: &str) -> (String, Value) {
    (
        name.to_owned(),
        json!({ "$ref": format!("#/components/headers/{name}") }),
    )
}

/// The headers of answers.
pub(super) fn answer_headers() -> Value {
    json!({
        "Trace-Id": {
            "description": "Under this the log tells more.", "required": true,
            "schema": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
        },
        VAULT_PROOF: {
            "description": "The vault's answer to the `Holder-Proof`: a JWS over what it did and the hash of what it sealed.",
            "schema": { "type": "string", "pattern": JWS_PATTERN },
        },
        AUDIT_INDEX: {
            "description": "Where the vault's audit log holds the event of this answer.",
            "schema": { "type": "string", "pattern": "^[0-9]+$" },
        },
        "Retry-After": {
            "description": "Seconds after which it is worth another try.",
            "schema": { "type": "string", "pattern": "^[0-9]+$" },
        },
        "WWW-Authenticate": {
            "description": "RFC 6750.",
            "schema": { "type": "string", "const": "Bearer" },
        },
    })
}

/// The schema of a JWE whose plaintext is this.
pub(super) fn sealed(plaintext: &Value, strict: bool) -> Value {
    let mut schema = json!({
        "type": "object",
        "required": ["payload"],
        "properties": { "payload": {
            "type": "string",
            "pattern": JWE_PATTERN,
            "description": "A compact JWE; its plaintext is the JSON of `contentSchema`.",
            "contentMediaType": "application/json",
            "contentSchema": plaintext,
        } },
    });
    if let (true, Some(schema)) = (strict, schema.as_object_mut()) {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
    schema
}

/// What a sealed body looks like.
pub(super) fn sealed_example() -> Value {
    json!({ "payload": JWE_EXAMPLE })
}

/// A page of a list.
pub(super) fn page_of(item: Shape) -> Shape {
    use super::shape::{list, object, pattern, required};
    let cursor = pattern(CURSOR_PATTERN, "AAAAAAAABGU")
        .with("type", json!(["string", "null"]))
        .saying("Goes into `cursor` for the next page; null on the last one.");
    object([
        required("items", list(item, 0, 1000)),
        required("nextCursor", cursor),
    ])
    .with("additionalProperties", true)
}
