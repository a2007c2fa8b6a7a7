//! The doors: the whole API on one page, and what all doors share.
//!
//! A door parses, asks whom the thing belongs to, runs one flow and renders its result. The folder is the URL.

pub mod answer;
pub mod body;
pub mod caller;
pub mod enc;
mod header;
mod health;
mod trace;

mod customers;
mod lifecycle;
mod secure;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use shared::mtls::actix::Refused;

use crate::error::{Code, Error};
use crate::rates::Rates;
use crate::services::Services;

pub(crate) use trace::around;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerKind {
    /// Anybody.
    Open,
    /// A user with a session.
    User,
    /// A partner with a client certificate.
    Partner,
}

/// A route: how it is called, by whom, and who answers.
pub struct Route {
    /// The verb.
    pub method: Method,
    /// The pattern of the path.
    pub path: &'static str,
    /// Who may call it.
    pub caller: CallerKind,
    door: fn() -> actix_web::Route,
}

const fn route(
    method: Method,
    path: &'static str,
    caller: CallerKind,
    door: fn() -> actix_web::Route,
) -> Route {
    Route {
        method,
        path,
        caller,
        door,
    }
}

use CallerKind::{Open, Partner, User};

/// The listener for phones and browsers.
pub const PUBLIC: &[Route] = &[
    route(Method::GET, "/health/live", Open, || web::to(health::live)),
    route(Method::GET, "/health/ready", Open, || web::to(health::ready)),
];

/// The listener for partners' servers.
pub const PARTNER: &[Route] = &[];

/// Registers a listener's routes, with what stands behind them.
pub(crate) fn configure(
    config: &mut ServiceConfig,
    routes: &'static [Route],
    services: &Arc<Services>,
    rates: &Arc<Rates>,
) {
    caller::install(config, services, rates);
    let mut by_path: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
    for route in routes {
        by_path.entry(route.path).or_default().push(route);
    }
    // Patterns sort before what they would swallow: `{` comes after every letter, so a word wins over a parameter.
    for (path, routes) in by_path {
        let mut resource = web::resource(path).default_service(web::to(wrong_method));
        for route in routes {
            resource = resource.route((route.door)().method(route.method.clone()));
        }
        config.service(resource);
    }
    config.default_service(web::to(unknown_path));
}

async fn wrong_method() -> Result<HttpResponse, Error> {
    Err(Code::MethodNotAllowed.into())
}

async fn unknown_path() -> Result<HttpResponse, Error> {
    Err(Code::NotFound.into())
}

/// Answers a request on a connection whose certificate is no longer accepted.
pub(crate) fn refuse_peer(_request: &HttpRequest, _refused: Refused) -> HttpResponse {
    let error = Error::from(Code::CertificateRequired);
    HttpResponse::from_error(error)
}
