use actix_web::App;
use actix_web::body::to_bytes;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, init_service};
use serde_json::Value;

use super::*;
use crate::http::{ON_PUBLIC, around, configure};
use crate::rates::Rates;
use crate::testing::stages;

async fn get(path: &str, headers: &[(&'static str, &str)]) -> ServiceResponse<actix_web::body::BoxBody> {
    let stage = stages().await.remove(0);
    let rates = std::sync::Arc::new(Rates::new(&stage.services.config.limits));
    let services = std::sync::Arc::clone(&stage.services);
    let app = init_service(
        App::new()
            .wrap(from_fn(around))
            .configure(move |config| configure(config, ON_PUBLIC, &services, &rates)),
    )
    .await;
    let mut request = TestRequest::get()
        .uri(path)
        .peer_addr("192.0.2.1:4000".parse().unwrap());
    for (name, value) in headers {
        request = request.insert_header((*name, *value));
    }
    app.call(request.to_request()).await.unwrap()
}

fn header<'a>(answer: &'a ServiceResponse<actix_web::body::BoxBody>, name: &str) -> &'a str {
    answer
        .headers()
        .get(name)
        .unwrap_or_else(|| panic!("no {name}"))
        .to_str()
        .unwrap()
}

#[actix_web::test]
async fn each_document_is_served_where_the_seed_has_it() {
    for name in ["customer", "secure", "admin"] {
        let answer = get(&format!("/api/documentation/{name}/api-docs-{name}.json"), &[]).await;
        assert_eq!(header(&answer, "content-type"), "application/json");
        let document: Value = serde_json::from_slice(&to_bytes(answer.into_body()).await.unwrap()).unwrap();
        assert_eq!(document["openapi"], "3.1.0", "{name}");
    }
}

#[actix_web::test]
async fn whoever_has_a_file_is_not_sent_it_again() {
    let path = "/api/documentation/customer/api-docs-customer.json";
    let first = get(path, &[]).await;
    assert_eq!(header(&first, "cache-control"), REVALIDATED);
    let tag = header(&first, "etag").to_owned();
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"other\", {tag}"),
        "*".to_owned(),
    ] {
        let again = get(path, &[("if-none-match", &known)]).await;
        assert_eq!(again.status().as_u16(), 304, "{known}");
        assert_eq!(header(&again, "etag"), tag);
    }
    let other = get(path, &[("if-none-match", "\"other\"")]).await;
    assert_eq!(other.status().as_u16(), 200);
}

/// Every file that a page names, from the page itself.
#[actix_web::test]
async fn a_page_loads_what_is_here_and_nothing_from_elsewhere() {
    for page in ["", "/customer", "/secure", "/admin"] {
        let answer = get(&format!("/api/documentation{page}"), &[]).await;
        let policy = header(&answer, "content-security-policy").to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
        assert!(!policy.contains("http") && !policy.contains("unsafe"));
        let html = String::from_utf8(to_bytes(answer.into_body()).await.unwrap().to_vec()).unwrap();
        assert!(
            !html.contains("<script>") && !html.contains("style=") && !html.contains("//"),
            "{page}"
        );
        let named: Vec<_> = ["src=\"", "href=\""]
            .iter()
            .flat_map(|attribute| html.split(*attribute).skip(1))
            .collect();
        assert!(named.len() >= 2);
        for path in named.into_iter().filter_map(|rest| rest.split('"').next()) {
            assert!(path.starts_with("/api/documentation/"), "{path}");
            assert_eq!(get(path, &[]).await.status().as_u16(), 200, "{path}");
        }
    }
}

#[actix_web::test]
async fn only_the_pages_own_files_are_served() {
    for name in [
        "index.html",
        "oauth2-redirect.html",
        "swagger-initializer.js",
        "..%2fmod.rs",
        "show-nobody.js",
    ] {
        let answer = get(&format!("/api/documentation/assets/{name}"), &[]).await;
        assert_eq!(answer.status().as_u16(), 404, "{name}");
    }
    let script = get("/api/documentation/assets/swagger-ui-bundle.js", &[]).await;
    assert_eq!(header(&script, "cache-control"), FOR_A_DAY);
}
