//! The three documents, each written from the rows of the route tables that belong to it: OpenAPI 3.1.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::{CallerKind, ON_PARTNER, ON_PUBLIC, Route};
use super::{Answer, Body, Content, Doc, Proof, Tag, errors, headers, seed, words};
use crate::domain::operator::Role;
#[cfg(test)]
use crate::error::Code;

/// A document: for whom it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// Mobile apps.
    Customer,
    /// Partners' servers.
    Secure,
    /// Operators, and those who run the service.
    Admin,
}

impl Document {
    /// Every document.
    pub const ALL: [Self; 3] = [Self::Customer, Self::Secure, Self::Admin];

    /// The name in its address.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Secure => "secure",
            Self::Admin => "admin",
        }
    }

    /// What it is called, and what it is about.
    pub const fn title(self) -> (&'static str, &'static str) {
        match self {
            Self::Customer => (
                "Tessera: mobile apps",
                "`/customers`: a user's app, with the session of a paired device. Sessions last 10 minutes unless configured \
                 otherwise; when one has ended, the user authenticates again.",
            ),
            Self::Secure => (
                "Tessera: partners' servers",
                "`/secure` and `/lifecycle`: a partner's server, with a client certificate of the partner CA.",
            ),
            Self::Admin => (
                "Tessera: operators",
                "`/admin`: operators, with a session of 15 minutes, in one of three roles (`x-roles` names who may). And what \
                 those need who run the service.",
            ),
        }
    }

    /// The document to which a path belongs.
    pub fn of_path(path: &str) -> Option<Self> {
        match path.split('/').nth(1)? {
            "customers" => Some(Self::Customer),
            "secure" | "lifecycle" => Some(Self::Secure),
            "admin" | "health" | "api" | "callbacks" => Some(Self::Admin),
            _ => None,
        }
    }

    /// Its routes, in the tables' order.
    pub fn routes(self) -> impl Iterator<Item = &'static Route> {
        ON_PUBLIC
            .iter()
            .chain(ON_PARTNER)
            .copied()
            .flatten()
            .filter(move |route| Self::of_path(route.path) == Some(self))
    }

    /// Writes it.
    pub fn build(self) -> Value {
        let mut components = Components::default();
        let mut paths = Map::new();
        let mut tags = Vec::new();
        for route in self.routes() {
            let doc = (route.doc)();
            tags.push(doc.tag);
            components.take(doc.needs());
            let operation = operation(route, &doc, &mut components);
            let item = paths.entry(route.path).or_insert_with(|| json!({}));
            if let Some(item) = item.as_object_mut() {
                item.insert(route.method.as_str().to_ascii_lowercase(), operation);
            }
        }
        let (title, about) = self.title();
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": title,
                "version": env!("CARGO_PKG_VERSION"),
                "description": format!("{about}\n\n{COMMON}"),
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": self.servers(),
            "tags": described(&tags),
            "paths": paths,
            "components": components.into_value(self),
        })
    }

    fn servers(self) -> Value {
        match self {
            Self::Customer | Self::Admin => json!([{ "url": "/" }]),
            Self::Secure => json!([{
                "url": "https://{host}:{port}",
                "description": "The listener that asks for a client certificate.",
                "variables": { "host": { "default": "localhost" }, "port": { "default": "8444" } },
            }]),
        }
    }

    fn security_schemes(self) -> Value {
        match self {
            Self::Customer => json!({ "session": {
                "type": "http", "scheme": "bearer", "description": "`sessionToken` of `POST /customers/pair` or `POST /customers/sessions`.",
            } }),
            Self::Secure => json!({ "certificate": {
                "type": "mutualTLS", "description": "A client certificate of the partner CA that names the partner in its URI SAN.",
            } }),
            Self::Admin => json!({ "operatorSession": {
                "type": "http", "scheme": "bearer", "description": "`sessionToken` of `POST /admin/sessions`.",
            } }),
        }
    }
}

/// What holds at every operation.
const COMMON: &str = "\
**Errors** are `application/problem+json` (RFC 9457); branch on `code`. Checks come in one order everywhere: session or \
certificate, JWE headers, ownership, shape of the body, idempotent replay, proof, opening the payload and judging its content, \
state. What is unknown or somebody else's is 404. A path answers verbs that it has not with 405 `METHOD_NOT_ALLOWED`.

**Requests**: unknown members are refused. Every POST takes `Idempotency-Key`. **Answers**: callers must ignore members that \
they do not know. A body whose members are all optional may be absent. Where a GET shows nothing secret, HEAD stands beside it.

**Values**: ids are integers below 2^40; money is an integer in minor units beside an ISO 4217 code; times are RFC 3339 in UTC. \
Lists are paged by cursor.

**Encryption**: an operation with the header `Public-Key` is an *enc* endpoint. A sealed body is `{\"payload\":\"<compact JWE>\"}`; \
`contentSchema` describes the JSON within. Towards callers: `RSA-OAEP-256` (or `ECDH-ES` to an EC key) + `A256GCM`; from callers, \
to the vault's public key: `RSA-OAEP-256` or `RSA-OAEP` + `A256GCM`. Only answers of success are sealed, errors never.

`x-seed-status` tells whether the text that this interface implements has the verb and the path (`stated`) or they were decided \
here (`assumed`).";

/// What operations refer to.
#[derive(Default)]
struct Components {
    schemas: BTreeMap<String, Value>,
    responses: BTreeMap<String, Value>,
}

impl Components {
    fn take(&mut self, needs: Vec<(String, Value)>) {
        for (name, schema) in needs {
            self.schemas.entry(name).or_insert(schema);
        }
    }

    fn into_value(mut self, document: Document) -> Value {
        for (name, schema) in [
            ("Problem", errors::problem()),
            ("FieldError", errors::field_error()),
            ("ErrorCode", errors::error_code()),
        ] {
            self.schemas.insert(name.to_owned(), schema);
        }
        json!({
            "schemas": self.schemas,
            "responses": self.responses,
            "parameters": headers::parameters(),
            "headers": headers::answer_headers(),
            "securitySchemes": document.security_schemes(),
        })
    }
}

fn described(used: &[Tag]) -> Value {
    let used = Tag::ALL.into_iter().filter(|tag| used.contains(tag));
    used.map(|tag| {
        let (name, description) = tag.text();
        json!({ "name": name, "description": description })
    })
    .collect()
}

fn operation(route: &Route, doc: &Doc, components: &mut Components) -> Value {
    let codes = errors::codes(route, doc);
    let mut responses = Map::new();
    for answer in &doc.answers {
        responses.insert(answer.status.to_string(), answered(answer));
    }
    responses.extend(errors::responses(&codes, &mut components.responses));
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": doc.summary,
        "description": doc.says,
        "tags": [doc.tag.text().0],
        "security": security(route.caller),
        "parameters": parameters(route, doc),
        "responses": responses,
        "x-seed-status": seed::status(route),
        "x-error-codes": codes.iter().map(|code| code.row().1).collect::<Vec<_>>(),
    });
    if let Some(operation) = operation.as_object_mut() {
        if let Some(body) = request_body(&doc.body) {
            operation.insert("requestBody".to_owned(), body);
        }
        if let CallerKind::Operator(permission) = route.caller {
            let roles = Role::ALL.into_iter().filter(|role| role.may(permission));
            operation.insert("x-permission".to_owned(), json!(permission.as_str()));
            operation.insert("x-roles".to_owned(), roles.map(Role::as_str).collect());
        }
    }
    operation
}

/// Verb and path in the form that the seed's own links have: `post_customers_me_cards__cardId__cvv`.
fn operation_id(route: &Route) -> String {
    let path = route.path.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("{}{path}", route.method.as_str().to_ascii_lowercase())
}

fn security(caller: CallerKind) -> Value {
    match caller {
        CallerKind::Open => json!([]),
        CallerKind::User => json!([{ "session": [] }]),
        CallerKind::Partner => json!([{ "certificate": [] }]),
        CallerKind::Operator(_) => json!([{ "operatorSession": [] }]),
    }
}

fn parameters(route: &Route, doc: &Doc) -> Vec<Value> {
    let mut all = Vec::new();
    let names = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    for name in names {
        let text = doc.texts_of_path.iter().find(|(named, _)| *named == name);
        let (schema, example) = match text {
            Some((_, shape)) => (shape.schema(), shape.example().clone()),
            None => (words::id().schema(), json!(1125)),
        };
        all.push(
            json!({ "name": name, "in": "path", "required": true, "schema": schema, "example": example }),
        );
    }
    if doc.paged {
        all.extend([headers::parameter("limit"), headers::parameter("cursor")]);
    }
    for member in &doc.query {
        all.push(json!({
            "name": member.name(), "in": "query", "required": member.is_required(),
            "schema": member.shape().schema(), "example": member.shape().example(),
        }));
    }
    if doc.enc {
        all.push(headers::parameter("Public-Key"));
        all.push(headers::parameter(match doc.body {
            Body::Sealed(_) => "Encrypted-Request-true",
            _ => "Encrypted-Request",
        }));
    }
    match doc.proof {
        Proof::None => {}
        Proof::Optional => all.push(headers::parameter("Holder-Proof")),
        Proof::Required => all.push(headers::parameter("Holder-Proof-required")),
    }
    if errors::takes_idempotency_key(route, doc) {
        all.push(headers::parameter("Idempotency-Key"));
    }
    all.push(headers::parameter("traceparent"));
    all
}

fn request_body(body: &Body) -> Option<Value> {
    let json_content = |schema: Value, examples: Value| json!({ "application/json": { "schema": schema, "examples": examples } });
    let sealed_example = || json!({ "value": headers::sealed_example() });
    let clear = |shape: &super::shape::Shape| json!({ "value": shape.example() });
    Some(match body {
        Body::None => return None,
        Body::Plain(shape) => {
            json!({
                "required": !shape.may_be_empty(),
                "content": json_content(shape.schema(), json!({ "clear": clear(shape) })),
            })
        }
        Body::Sealed(shape) | Body::SealedOrNothing(shape) => {
            json!({
                "required": matches!(body, Body::Sealed(_)),
                "description": plaintext(shape.example()),
                "content": json_content(headers::sealed(&shape.schema(), true), json!({ "sealed": sealed_example() })),
            })
        }
        Body::PlainOrSealed(shape) => {
            json!({
                "required": !shape.may_be_empty(),
                "description": "In clear with `Encrypted-Request: false`, sealed with `true`.",
                "content": json_content(
                    json!({ "oneOf": [shape.schema(), headers::sealed(&shape.schema(), true)] }),
                    json!({ "clear": clear(shape), "sealed": sealed_example() }),
                ),
            })
        }
        Body::Bytes(media_types, most) => json!({
            "required": true,
            "description": format!("At most {most} bytes."),
            "content": bytes(media_types),
        }),
    })
}

/// Sealed content is shown in words, for its example is not what goes over the wire.
fn plaintext(example: &Value) -> String {
    let text = serde_json::to_string_pretty(example).unwrap_or_default();
    format!("The plaintext, for example:\n\n```json\n{text}\n```")
}

fn bytes(media_types: &[&str]) -> Value {
    let content = media_types
        .iter()
        .map(|media_type| ((*media_type).to_owned(), json!({})));
    Value::Object(content.collect())
}

fn answered(answer: &Answer) -> Value {
    let mut described = answer.says.to_owned();
    let mut head = Map::from_iter([headers::answer_header("Trace-Id")]);
    let content = match &answer.content {
        Content::Nothing => None,
        Content::Json(shape) => {
            Some(json!({ "application/json": { "schema": shape.schema(), "example": shape.example() } }))
        }
        Content::Sealed(shape) => {
            head.extend(["Vault-Proof", "Audit-Index"].map(headers::answer_header));
            described = format!(
                "{described} Sealed to `Public-Key`. {}",
                plaintext(shape.example())
            );
            let schema = headers::sealed(&shape.schema(), false);
            Some(json!({ "application/json": { "schema": schema, "example": headers::sealed_example() } }))
        }
        Content::Bytes(media_types) => Some(bytes(media_types)),
    };
    let mut response = json!({ "description": described, "headers": head });
    if let (Some(content), Some(response)) = (content, response.as_object_mut()) {
        response.insert("content".to_owned(), content);
    }
    response
}

/// Every code that some operation of some document may answer.
#[cfg(test)]
pub(super) fn codes_in_use() -> Vec<Code> {
    let mut all = Vec::new();
    for route in Document::ALL.into_iter().flat_map(Document::routes) {
        all.extend(errors::codes(route, &(route.doc)()));
    }
    all
}
