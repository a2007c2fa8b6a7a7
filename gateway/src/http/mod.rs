//! The doors: the whole API on one page, and what all doors share.
//!
//! A door parses, asks whom the thing belongs to, runs one flow and renders its result. The folder is the URL.

pub mod answer;
mod balances;
pub mod body;
mod call;
mod callbacks;
pub mod caller;
mod cards;
pub mod doc;
mod documentation;
pub mod enc;
mod export;
mod header;
mod health;
mod holder_challenge;
pub mod import_rows;
mod installations;
mod kyc;
mod kyc_documents;
mod operator;
pub mod page;
mod partner_balances;
mod person;
mod profile;
mod public_key;
mod search;
mod standing;
mod trace;
mod transactions;
mod webhooks;

mod admin;
mod customers;
mod lifecycle;
mod secure;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use shared::mtls::actix::Refused;

use self::caller::{PartnerCall, UserCall};
use self::doc::Doc;
use crate::domain::lock::Party;
use crate::domain::operator::Permission;
use crate::error::{Code, Error};
use crate::rates::Rates;
use crate::services::Services;
pub use admin::ADMIN;
pub use documentation::DOCUMENTATION;

use trace::Allowed;
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
    /// An operator with a session, in a role that has this permission.
    Operator(Permission),
}

/// A route: how it is called, by whom, and who answers.
pub struct Route {
    /// The verb.
    pub method: Method,
    /// The pattern of the path.
    pub path: &'static str,
    /// Who may call it.
    pub caller: CallerKind,
    /// Whether the verb is GET and HEAD is answered beside it, by the same door less the body.
    pub head: bool,
    /// What it is: `http::doc` makes the OpenAPI documents of it.
    pub doc: fn() -> Doc,
    door: fn() -> actix_web::Route,
}

const fn route(
    method: Method,
    path: &'static str,
    caller: CallerKind,
    door: fn() -> actix_web::Route,
    doc: fn() -> Doc,
) -> Route {
    Route {
        method,
        path,
        caller,
        head: false,
        doc,
        door,
    }
}

/// A GET that costs nothing and shows nothing secret, so that HEAD may come beside it (RFC 9110 section 9.3.2).
const fn readable(
    path: &'static str,
    caller: CallerKind,
    door: fn() -> actix_web::Route,
    doc: fn() -> Doc,
) -> Route {
    Route {
        method: Method::GET,
        path,
        caller,
        head: true,
        doc,
        door,
    }
}

use CallerKind::{Open, Partner, User};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const DELETE: Method = Method::DELETE;

/// The listener for phones and browsers.
#[rustfmt::skip]
pub const PUBLIC: &[Route] = &[
    readable("/health", Open, || web::to(health::ready), health::ready_doc),
    readable("/health/live", Open, || web::to(health::live), health::live_doc),
    readable("/health/ready", Open, || web::to(health::ready), health::ready_doc),

    route(POST, "/callbacks/kyc/{provider}", Open, || web::to(callbacks::kyc), callbacks::kyc_doc),

    readable("/customers/public-key", Open, || web::to(public_key::for_anyone), public_key::doc),
    route(POST, "/customers/pair", Open, || web::to(customers::pair::pair), customers::pair::doc),
    route(POST, "/customers/sessions/challenge", Open, || web::to(customers::sessions::challenge), customers::sessions::challenge_doc),
    route(POST, "/customers/sessions", Open, || web::to(customers::sessions::create), customers::sessions::create_doc),
    route(DELETE, "/customers/me/session", User, || web::to(customers::sessions::delete), customers::sessions::delete_doc),

    readable("/customers/me", User, || web::to(customers::me), customers::me_doc),
    readable("/customers/me/installations", User, || web::to(customers::list_installations), installations::list_doc),
    route(DELETE, "/customers/me/installations/{installationId}", User, || web::to(customers::revoke_installation), installations::revoke_doc),
    route(GET, "/customers/me/export", User, || web::to(customers::export), export::doc),
    route(POST, "/customers/me/register", User, || web::to(customers::register), kyc::register_doc),
    readable("/customers/me/kyc", User, || web::to(customers::get_kyc), kyc::get_doc),
    route(POST, "/customers/me/kyc/documents", User, || web::to(customers::create_kyc_document), kyc_documents::create_doc),
    readable("/customers/me/kyc/documents", User, || web::to(customers::list_kyc_documents), kyc_documents::list_doc),
    route(DELETE, "/customers/me/kyc/documents/{documentId}", User, || web::to(customers::delete_kyc_document), kyc_documents::delete_doc),
    route(POST, "/customers/me/challenge", User, || web::to(customers::challenge), holder_challenge::doc),
    route(POST, "/customers/me/balances", User, || web::to(customers::create_balance), balances::create_doc),
    readable("/customers/me/balances", User, || web::to(customers::list_balances), balances::list_doc),
    readable("/customers/me/balances/{balanceId}", User, || web::to(customers::get_balance), balances::get_doc),
    readable("/customers/me/transactions", User, || web::to(customers::list_transactions), transactions::list_doc),

    readable("/customers/me/reveals", User, || web::to(cards::reveals::of_user::<UserCall>), cards::reveals::of_user_doc),
    route(POST, "/customers/me/cards/virtual", User, || web::to(cards::create_virtual::create::<UserCall>), || cards::create_virtual::doc(Party::User)),
    route(POST, "/customers/me/cards/virtual/async", User, || web::to(cards::create_async::create::<UserCall>), cards::create_async::doc),
    readable("/customers/me/cards/requests/{requestId}", User, || web::to(cards::create_async::status::<UserCall>), cards::create_async::status_doc),
    route(POST, "/customers/me/cards/physical", User, || web::to(cards::order_physical::order::<UserCall>), || cards::order_physical::doc(Party::User)),
    readable("/customers/me/cards", User, || web::to(cards::list::list::<UserCall>), cards::list::doc),
    route(GET, "/customers/me/cards/{cardId}", User, || web::to(cards::reveal::reveal::<UserCall>), cards::reveal::doc),
    route(DELETE, "/customers/me/cards/{cardId}", User, || web::to(cards::remove::remove::<UserCall>), cards::remove::doc),
    route(POST, "/customers/me/cards/{cardId}/challenge", User, || web::to(cards::challenge::challenge::<UserCall>), cards::challenge::doc),
    route(POST, "/customers/me/cards/{cardId}/cvv", User, || web::to(cards::reset_cvv::reset::<UserCall>), cards::reset_cvv::doc),
    route(POST, "/customers/me/cards/{cardId}/print", User, || web::to(cards::print::print::<UserCall>), || cards::print::doc(Party::User)),
    route(POST, "/customers/me/cards/{cardId}/activate", User, || web::to(cards::activate::activate::<UserCall>), cards::activate::doc),
    route(POST, "/customers/me/cards/{cardId}/pin", User, || web::to(cards::set_pin::set::<UserCall>), cards::set_pin::doc),
    route(POST, "/customers/me/cards/{cardId}/lock", User, || web::to(cards::lock::lock::<UserCall>), cards::lock::doc),
    route(POST, "/customers/me/cards/{cardId}/unlock", User, || web::to(cards::unlock::unlock::<UserCall>), cards::unlock::doc),
    route(POST, "/customers/me/cards/{cardId}/replace", User, || web::to(cards::replace::replace::<UserCall>), || cards::replace::doc(Party::User)),
    route(PUT, "/customers/me/cards/{cardId}/renewal", User, || web::to(cards::set_renewal::set::<UserCall>), cards::set_renewal::doc),
];

/// The listener for partners' servers.
#[rustfmt::skip]
pub const PARTNER: &[Route] = &[
    readable("/lifecycle/v1/public-key", Partner, || web::to(public_key::for_partners), public_key::doc),
    route(POST, "/lifecycle/v1/users", Partner, || web::to(lifecycle::users::create), lifecycle::users::create_doc),
    readable("/lifecycle/v1/users", Partner, || web::to(lifecycle::users::list), lifecycle::users::list_doc),
    route(POST, "/lifecycle/v1/imports/sessions", Partner, || web::to(lifecycle::import_sessions::session), lifecycle::import_sessions::session_doc),
    route(POST, "/lifecycle/v1/imports", Partner, || web::to(lifecycle::imports::create), lifecycle::imports::create_doc),
    readable("/lifecycle/v1/imports/{importId}", Partner, || web::to(lifecycle::imports::get), lifecycle::imports::get_doc),
    readable("/lifecycle/v1/imports/{importId}/rows", Partner, || web::to(lifecycle::imports::rows), lifecycle::imports::rows_doc),
    readable("/lifecycle/v1/users/{userId}", Partner, || web::to(lifecycle::users::get), lifecycle::users::get_doc),
    route(PUT, "/lifecycle/v1/users/{userId}", Partner, || web::to(lifecycle::users::put), lifecycle::users::put_doc),
    route(DELETE, "/lifecycle/v1/users/{userId}", Partner, || web::to(lifecycle::users::delete), lifecycle::users::delete_doc),
    route(GET, "/lifecycle/v1/users/{userId}/export", Partner, || web::to(lifecycle::users::export), export::doc),
    route(POST, "/lifecycle/v1/users/{userId}/lock", Partner, || web::to(lifecycle::users::lock), standing::lock_doc),
    route(POST, "/lifecycle/v1/users/{userId}/unlock", Partner, || web::to(lifecycle::users::unlock), standing::unlock_doc),
    readable("/lifecycle/v1/users/{userId}/installations", Partner, || web::to(lifecycle::users::list_installations), installations::list_doc),
    route(DELETE, "/lifecycle/v1/users/{userId}/installations/{installationId}", Partner, || web::to(lifecycle::users::revoke_installation), installations::revoke_doc),
    route(PUT, "/lifecycle/v1/users/{userId}/kyc", Partner, || web::to(lifecycle::users::put_kyc), lifecycle::users::put_kyc_doc),
    route(POST, "/lifecycle/v1/users/{userId}/activation-codes", Partner, || web::to(lifecycle::users::create_code), lifecycle::users::create_code_doc),

    readable("/lifecycle/v1/events", Partner, || web::to(lifecycle::events::list), webhooks::docs::list_events),
    readable("/lifecycle/v1/webhooks", Partner, || web::to(lifecycle::webhooks::list), webhooks::docs::list_own),
    route(POST, "/lifecycle/v1/webhooks", Partner, || web::to(lifecycle::webhooks::create), webhooks::docs::create),
    readable("/lifecycle/v1/webhooks/{webhookId}", Partner, || web::to(lifecycle::webhooks::get), webhooks::docs::get),
    route(PUT, "/lifecycle/v1/webhooks/{webhookId}", Partner, || web::to(lifecycle::webhooks::put), webhooks::docs::put),
    route(DELETE, "/lifecycle/v1/webhooks/{webhookId}", Partner, || web::to(lifecycle::webhooks::delete), webhooks::docs::delete),
    route(POST, "/lifecycle/v1/webhooks/{webhookId}/secret/rotate", Partner, || web::to(lifecycle::webhooks::rotate), webhooks::docs::rotate),
    route(POST, "/lifecycle/v1/webhooks/{webhookId}/test", Partner, || web::to(lifecycle::webhooks::test), webhooks::docs::test),
    readable("/lifecycle/v1/webhooks/{webhookId}/deliveries", Partner, || web::to(lifecycle::webhooks::list_deliveries), webhooks::docs::list_deliveries),
    route(POST, "/lifecycle/v1/webhooks/{webhookId}/replay", Partner, || web::to(lifecycle::webhooks::replay), webhooks::docs::replay),

    route(POST, "/secure/customers/{customerId}/register", Partner, || web::to(secure::register), kyc::register_doc),
    readable("/secure/customers/{customerId}/kyc", Partner, || web::to(secure::get_kyc), kyc::get_doc),
    route(POST, "/secure/customers/{customerId}/kyc/documents", Partner, || web::to(secure::create_kyc_document), kyc_documents::create_doc),
    readable("/secure/customers/{customerId}/kyc/documents", Partner, || web::to(secure::list_kyc_documents), kyc_documents::list_doc),
    route(DELETE, "/secure/customers/{customerId}/kyc/documents/{documentId}", Partner, || web::to(secure::delete_kyc_document), kyc_documents::delete_doc),
    route(POST, "/secure/customers/{customerId}/challenge", Partner, || web::to(secure::challenge), holder_challenge::doc),
    route(POST, "/secure/customers/{customerId}/balances", Partner, || web::to(secure::create_balance), balances::create_doc),
    readable("/secure/customers/{customerId}/balances", Partner, || web::to(secure::list_balances), balances::list_doc),
    readable("/secure/customers/{customerId}/balances/{balanceId}", Partner, || web::to(secure::get_balance), balances::get_doc),
    route(POST, "/secure/customers/{customerId}/balances/{balanceId}/reload", Partner, || web::to(secure::reload_balance), balances::reload_doc),
    route(POST, "/secure/customers/{customerId}/balances/{balanceId}/lock", Partner, || web::to(secure::lock_balance), balances::lock_doc),
    route(POST, "/secure/customers/{customerId}/balances/{balanceId}/unlock", Partner, || web::to(secure::unlock_balance), || balances::unlock_doc(Party::Partner)),
    route(POST, "/secure/customers/{customerId}/balances/{balanceId}/close", Partner, || web::to(secure::close_balance), || balances::close_doc(Party::Partner)),
    readable("/secure/customers/{customerId}/transactions", Partner, || web::to(secure::list_transactions), transactions::list_doc),
    readable("/secure/partner-balances", Partner, || web::to(partner_balances::list), partner_balances::list_doc),
    route(POST, "/secure/partner-balances", Partner, || web::to(partner_balances::create), partner_balances::create_doc),

    readable("/secure/customers/{customerId}/reveals", Partner, || web::to(cards::reveals::of_user::<PartnerCall>), cards::reveals::of_user_doc),
    route(POST, "/secure/customers/{customerId}/cards/virtual", Partner, || web::to(cards::create_virtual::create::<PartnerCall>), || cards::create_virtual::doc(Party::Partner)),
    route(POST, "/secure/customers/{customerId}/cards/virtual/async", Partner, || web::to(cards::create_async::create::<PartnerCall>), cards::create_async::doc),
    readable("/secure/customers/{customerId}/cards/requests/{requestId}", Partner, || web::to(cards::create_async::status::<PartnerCall>), cards::create_async::status_doc),
    route(POST, "/secure/customers/{customerId}/cards/physical", Partner, || web::to(cards::order_physical::order::<PartnerCall>), || cards::order_physical::doc(Party::Partner)),
    readable("/secure/customers/{customerId}/cards/orders", Partner, || web::to(cards::orders::list::<PartnerCall>), cards::orders::doc),
    readable("/secure/customers/{customerId}/cards", Partner, || web::to(cards::list::list::<PartnerCall>), cards::list::doc),
    route(GET, "/secure/customers/{customerId}/cards/{cardId}", Partner, || web::to(cards::reveal::reveal::<PartnerCall>), cards::reveal::doc),
    route(POST, "/secure/customers/{customerId}/cards/{cardId}/challenge", Partner, || web::to(cards::challenge::challenge::<PartnerCall>), cards::challenge::doc),
    route(POST, "/secure/customers/{customerId}/cards/{cardId}/print", Partner, || web::to(cards::print::print::<PartnerCall>), || cards::print::doc(Party::Partner)),
    route(POST, "/secure/customers/{customerId}/cards/{cardId}/activate", Partner, || web::to(cards::activate::activate::<PartnerCall>), cards::activate::doc),
    route(POST, "/secure/customers/{customerId}/cards/{cardId}/lock", Partner, || web::to(cards::lock::lock::<PartnerCall>), cards::lock::doc),
    route(POST, "/secure/customers/{customerId}/cards/{cardId}/unlock", Partner, || web::to(cards::unlock::unlock::<PartnerCall>), cards::unlock::doc),
    route(POST, "/secure/customers/{customerId}/cards/{cardId}/replace", Partner, || web::to(cards::replace::replace::<PartnerCall>), || cards::replace::doc(Party::Partner)),
    route(PUT, "/secure/customers/{customerId}/cards/{cardId}/renewal", Partner, || web::to(cards::set_renewal::set::<PartnerCall>), cards::set_renewal::doc),
    route(POST, "/lifecycle/v1/users/{userId}/cards", Partner, || web::to(cards::tokenise::tokenise), cards::tokenise::doc),
    route(DELETE, "/lifecycle/v1/users/{userId}/cards/{cardId}", Partner, || web::to(cards::remove::remove::<PartnerCall>), cards::remove::doc),
];

/// Everything on the listener for phones and browsers.
pub const ON_PUBLIC: &[&[Route]] = &[PUBLIC, ADMIN, DOCUMENTATION];
/// Everything on the listener for partners' servers.
pub const ON_PARTNER: &[&[Route]] = &[PARTNER];

/// Registers a listener's routes, with what stands behind them.
pub(crate) fn configure(
    config: &mut ServiceConfig,
    tables: &'static [&'static [Route]],
    services: &Arc<Services>,
    rates: &Arc<Rates>,
) {
    call::install(config, services, rates);
    let mut by_path: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
    for route in tables.iter().copied().flatten() {
        by_path.entry(route.path).or_default().push(route);
    }
    // Patterns sort before what they would swallow: `{` comes after every letter, so a word wins over a parameter.
    for (path, routes) in by_path {
        let methods = routes.iter().flat_map(|route| {
            let head = route.head.then_some(Method::HEAD.as_str());
            [route.method.as_str()].into_iter().chain(head)
        });
        let allowed = methods.collect::<Vec<_>>().join(", ");
        let mut resource = web::resource(path)
            .default_service(web::to(move |request| wrong_method(request, allowed.clone())));
        for route in routes {
            resource = resource.route((route.door)().method(route.method.clone()));
            if route.head {
                resource = resource.route((route.door)().method(Method::HEAD));
            }
        }
        config.service(resource);
    }
    config.default_service(web::to(unknown_path));
}

async fn wrong_method(request: HttpRequest, allowed: String) -> Result<HttpResponse, Error> {
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        request.extensions_mut().insert(Allowed(allowed));
    }
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

#[cfg(test)]
mod tests;
