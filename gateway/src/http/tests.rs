use actix_web::App;
use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, init_service};
use shared::problem::Problem;

use super::*;
use crate::testing::{Stage, stages};

async fn listener(
    stage: &Stage,
    tables: &'static [&'static [Route]],
) -> impl Service<actix_http::Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error> {
    let rates = Arc::new(Rates::new(&stage.services.config.limits));
    let services = Arc::clone(&stage.services);
    init_service(
        App::new()
            .wrap(from_fn(around))
            .configure(move |config| configure(config, tables, &services, &rates)),
    )
    .await
}

fn call(method: &Method, path: &str) -> TestRequest {
    TestRequest::default()
        .method(method.clone())
        .uri(path)
        .peer_addr("192.0.2.1:4000".parse().unwrap())
}

async fn problem(answer: ServiceResponse<BoxBody>) -> Problem {
    let content_type = answer
        .headers()
        .get("content-type")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(content_type, "application/problem+json");
    Problem::from_answer(&to_bytes(answer.into_body()).await.unwrap()).unwrap()
}

fn concrete(pattern: &str) -> String {
    pattern
        .split('/')
        .map(|part| if part.starts_with('{') { "1001" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[actix_web::test]
async fn every_route_that_is_not_open_refuses_a_stranger_before_anything_else() {
    let stage = stages().await.remove(0);
    for tables in [ON_PUBLIC, ON_PARTNER] {
        let app = listener(&stage, tables).await;
        for route in tables.iter().copied().flatten() {
            let code = match route.caller {
                CallerKind::Open => continue,
                CallerKind::User | CallerKind::Operator(_) => "SESSION_REQUIRED",
                CallerKind::Partner => "CERTIFICATE_REQUIRED",
            };
            let request = call(&route.method, &concrete(route.path))
                .set_payload("{")
                .to_request();
            let answer = app.call(request).await.unwrap();
            assert_eq!(answer.status().as_u16(), 401, "{} {}", route.method, route.path);
            assert_eq!(
                problem(answer).await.code(),
                code,
                "{} {}",
                route.method,
                route.path
            );
        }
    }
}

#[actix_web::test]
async fn the_table_names_each_route_once_and_by_the_door_of_its_caller() {
    for (routes, prefixes) in [
        (PUBLIC, &["/health/", "/customers/", "/callbacks/"][..]),
        (ADMIN, &["/admin/"]),
        (
            PARTNER,
            &[
                "/lifecycle/v1/",
                "/secure/customers/",
                "/secure/partner-balances/",
            ],
        ),
    ] {
        for (index, route) in routes.iter().enumerate() {
            let twin = |other: &&Route| (other.path, &other.method) == (route.path, &route.method);
            assert!(
                !routes.iter().take(index).any(|other| twin(&other)),
                "{} {}",
                route.method,
                route.path
            );
            assert!(
                prefixes
                    .iter()
                    .any(|p| route.path.starts_with(p) || route.path == p.trim_end_matches('/'))
            );
        }
    }
}

#[actix_web::test]
async fn every_answer_carries_its_trace_and_the_security_headers() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let stage = stages().await.remove(0);
    let app = listener(&stage, ON_PUBLIC).await;
    for path in ["/health/live", "/customers/me", "/nowhere"] {
        let traceparent = ("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
        let answer = app
            .call(call(&GET, path).insert_header(traceparent).to_request())
            .await
            .unwrap();
        for (name, value) in [
            ("trace-id", TRACE),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ] {
            assert_eq!(answer.headers().get(name).unwrap(), value, "{path}");
        }
        if path != "/health/live" {
            assert_eq!(problem(answer).await.trace_id().to_string(), TRACE);
        }
    }
}

#[actix_web::test]
async fn a_trace_that_could_be_a_card_number_is_not_taken_over() {
    let stage = stages().await.remove(0);
    let app = listener(&stage, ON_PUBLIC).await;
    let named = "99990000000000170000000000000000";
    let traceparent = ("traceparent", format!("00-{named}-00f067aa0ba902b7-01"));
    let request = call(&GET, "/health/live").insert_header(traceparent);
    let answer = app.call(request.to_request()).await.unwrap();
    assert_ne!(answer.headers().get("trace-id").unwrap(), named);
}

#[actix_web::test]
async fn only_those_without_a_session_are_told_of_bearer_tokens() {
    let stage = stages().await.remove(0);
    for (routes, path, told) in [
        (ON_PUBLIC, "/customers/me", true),
        (ON_PARTNER, "/lifecycle/v1/users/1001", false),
    ] {
        let app = listener(&stage, routes).await;
        let answer = app.call(call(&GET, path).to_request()).await.unwrap();
        assert_eq!(answer.status().as_u16(), 401);
        assert_eq!(answer.headers().contains_key("www-authenticate"), told, "{path}");
    }
}

#[actix_web::test]
async fn unknown_paths_and_wrong_methods_are_told_apart() {
    let stage = stages().await.remove(0);
    let app = listener(&stage, ON_PUBLIC).await;
    let answer = app
        .call(call(&GET, "/customers/me/cardz").to_request())
        .await
        .unwrap();
    assert_eq!(problem(answer).await.code(), "NOT_FOUND");
    let answer = app
        .call(call(&PUT, "/customers/me/balances").to_request())
        .await
        .unwrap();
    assert_eq!(answer.headers().get("allow").unwrap(), "POST, GET, HEAD");
    assert_eq!(problem(answer).await.code(), "METHOD_NOT_ALLOWED");
}

#[actix_web::test]
async fn head_is_answered_beside_every_get_but_reveals_and_exports() {
    let stage = stages().await.remove(0);
    for tables in [ON_PUBLIC, ON_PARTNER] {
        let app = listener(&stage, tables).await;
        for route in tables
            .iter()
            .copied()
            .flatten()
            .filter(|route| route.method == GET)
        {
            let head = call(&Method::HEAD, &concrete(route.path)).to_request();
            let known = app.call(head).await.unwrap().status().as_u16() != 405;
            // On the operators' path stands a masked card.
            let reveals = route.path.ends_with("/{cardId}") && !route.path.starts_with("/admin/")
                // A document is read whole, on record; so is an export.
                || route.path.ends_with("/documents/{documentId}")
                || route.path.ends_with("/export");
            assert_eq!(known, !reveals, "{}", route.path);
        }
    }
}

#[actix_web::test]
async fn what_is_wrong_with_a_body_is_told_in_its_code() {
    let stage = stages().await.remove(0);
    let app = listener(&stage, ON_PUBLIC).await;
    let json = ("content-type", "application/json");
    let large = format!("\"{}\"", "x".repeat(70_000));
    for (body, content_type, status, code) in [
        ("{", json, 400, "MALFORMED_JSON"),
        ("[]", json, 400, "MALFORMED_JSON"),
        (large.as_str(), json, 413, "BODY_TOO_LARGE"),
        (
            "{}",
            ("content-type", "text/plain"),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        ("{}", json, 422, "VALIDATION_FAILED"),
        (r#"{"installationId":0}"#, json, 422, "VALIDATION_FAILED"),
    ] {
        let request = call(&POST, "/customers/sessions/challenge")
            .insert_header(content_type)
            .set_payload(body.to_owned());
        let answer = app.call(request.to_request()).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{code}");
        assert_eq!(problem(answer).await.code(), code);
    }
}

#[actix_web::test]
async fn without_a_vault_the_gateway_lives_and_is_not_ready() {
    let stage = stages().await.remove(0);
    let app = listener(&stage, ON_PUBLIC).await;
    let live = app.call(call(&GET, "/health/live").to_request()).await.unwrap();
    assert_eq!(live.status().as_u16(), 200);
    let ready = app.call(call(&GET, "/health/ready").to_request()).await.unwrap();
    assert_eq!(ready.status().as_u16(), 503);
    assert_eq!(ready.headers().get("retry-after").unwrap(), "1");
    assert_eq!(problem(ready).await.code(), "VAULT_UNREACHABLE");
    let keys = app
        .call(call(&GET, "/customers/public-key").to_request())
        .await
        .unwrap();
    assert!(keys.headers().contains_key("retry-after"));
    assert_eq!(problem(keys).await.code(), "VAULT_UNAVAILABLE");
}

#[actix_web::test]
async fn a_stranger_is_stopped_by_the_rate_limit_and_a_neighbour_is_not() {
    let stage = stages().await.remove(0);
    let app = listener(&stage, ON_PUBLIC).await;
    let pair = |address: &str| {
        call(&POST, "/customers/pair")
            .peer_addr(address.parse().unwrap())
            .to_request()
    };
    for _ in 0..10 {
        assert_ne!(
            app.call(pair("192.0.2.1:1")).await.unwrap().status().as_u16(),
            429
        );
    }
    let stopped = app.call(pair("192.0.2.1:2")).await.unwrap();
    assert!(stopped.headers().contains_key("retry-after"));
    assert_eq!(problem(stopped).await.code(), "TOO_MANY_REQUESTS");
    assert_ne!(
        app.call(pair("192.0.2.2:1")).await.unwrap().status().as_u16(),
        429
    );
}
