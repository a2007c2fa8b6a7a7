//! This API's own description, written from the table of doors: OpenAPI 3.1. Request and answer types are those of
//! `shared::vault_api`.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::{Map, Value, json};

use super::{Route, routes};

pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().json(build(&routes()))
}

fn build(routes: &[Route]) -> Value {
    let mut paths = Map::new();
    for route in routes {
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        let method = route.method.as_str().to_ascii_lowercase();
        if let Some(item) = item.as_object_mut() {
            item.insert(method, operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tessera vault",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The PCI zone. Mutual TLS 1.3 only; the role is that of the certificate's URI SAN.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "mutualTLS": { "type": "mutualTLS" } },
            "schemas": { "Problem": problem_schema() },
        },
        "security": [{ "mutualTLS": [] }],
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    if route.method == Method::POST && !route.while_locked {
        parameters.push(json!({
            "name": shared::vault_api::IDEMPOTENCY_KEY,
            "in": "header",
            "required": false,
            "description": "Needed by every mutation; the same again gives the first answer.",
            "schema": { "type": "string", "maxLength": 255 },
        }));
    }
    let roles: Vec<&str> = route.roles.iter().map(|role| role.as_str()).collect();
    let problem = json!({
        "description": "A problem (RFC 9457).",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut operation = json!({
        "summary": route.summary,
        "parameters": parameters,
        "x-roles": roles,
        "x-while-locked": route.while_locked,
        "responses": {
            "2XX": { "description": "Done.", "content": { "application/json": {} } },
            "4XX": problem,
            "5XX": problem,
        },
    });
    if route.method == Method::POST {
        operation["requestBody"] =
            json!({ "content": { "application/json": { "schema": { "type": "object" } } } });
    }
    operation
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "traceId"],
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "code": { "type": "string" },
            "traceId": { "type": "string" },
            "errors": { "type": "array", "items": { "type": "object" } },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_door_is_described() {
        let routes = routes();
        let document = build(&routes);
        for route in &routes {
            let method = route.method.as_str().to_ascii_lowercase();
            let operation = &document["paths"][route.path][&method];
            assert!(operation["summary"].is_string(), "{method} {}", route.path);
        }
    }
}
