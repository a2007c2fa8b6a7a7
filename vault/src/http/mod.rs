//! The vault's doors, all of them on this page. Mutual TLS is settled before a request comes here; the role is in each
//! handler's signature; while the vault is locked everything but health, status, unlock and this API's description
//! answers 503. While it is locked, metrics open to any auditor's certificate: the register cannot be read then.

mod bulk;
mod bureau;
mod call;
mod cards;
mod governance;
mod holders;
mod jobs;
mod measure;
mod metrics;
mod notices;
mod openapi;
mod processor;
mod readings;
mod slots;
mod standing;
mod tokens;
mod trace;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use shared::mtls::actix::Refused;
use shared::mtls::identity::Role;
use shared::vault_api::paths;

pub use self::measure::measure;

use self::call::{
    ForAnyone, ForAuditors, ForBureaus, ForGateway, ForGatewayAndOfficers, ForOfficers, ForOverseers,
    ForProcessors, Permission, problem,
};
use self::trace::trace_of;
use crate::error::Error;

/// One door.
pub struct Route {
    /// GET or POST.
    pub method: Method,
    /// The path, with its variables in braces.
    pub path: &'static str,
    /// Who may enter.
    pub roles: &'static [Role],
    /// Whether it opens while the vault is locked.
    pub while_locked: bool,
    /// What it is for, in a sentence.
    pub summary: &'static str,
    mount: fn() -> actix_web::Route,
}

impl Route {
    fn while_locked(self) -> Self {
        Self {
            while_locked: true,
            ..self
        }
    }
}

/// A door to the unlocked vault, for the callers that `P` permits.
fn door<P: Permission>(
    method: Method,
    path: &'static str,
    mount: fn() -> actix_web::Route,
    summary: &'static str,
) -> Route {
    Route {
        method,
        path,
        roles: P::ROLES,
        while_locked: false,
        summary,
        mount,
    }
}

/// Every door, one a line.
#[must_use]
#[rustfmt::skip]
pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        door::<ForAnyone>(Method::GET, paths::HEALTH, || web::get().to(standing::health), "Liveness").while_locked(),
        door::<ForAnyone>(Method::GET, paths::STATUS, || web::get().to(standing::status), "Locked or unlocked").while_locked(),
        door::<ForAnyone>(Method::GET, paths::OPENAPI, || web::get().to(openapi::document), "This document").while_locked(),
        door::<ForAuditors>(Method::GET, paths::METRICS, || web::get().to(metrics::metrics), "Metrics").while_locked(),
        door::<ForOfficers>(Method::POST, paths::UNLOCK, || web::post().to(standing::unlock), "Hand in a share of the root key").while_locked(),
        door::<ForOfficers>(Method::POST, paths::LOCK, || web::post().to(standing::lock), "Forget every key"),
        door::<ForAnyone>(Method::GET, paths::KEYS, || web::get().to(readings::keys), "Public keys with their attestation"),

        door::<ForOverseers>(Method::GET, paths::PROGRAMS, || web::get().to(governance::programs), "List programs"),
        door::<ForOverseers>(Method::GET, paths::PARTIES, || web::get().to(governance::parties), "List registered parties"),
        door::<ForOverseers>(Method::GET, paths::CERTIFICATES, || web::get().to(metrics::certificates), "List what ends: certificates and revocation lists"),
        door::<ForOverseers>(Method::GET, paths::PENDING_KEYS, || web::get().to(holders::pending), "List holder keys that wait"),
        door::<ForOverseers>(Method::GET, paths::APPROVALS, || web::get().to(governance::approvals), "List proposals"),
        door::<ForOfficers>(Method::POST, paths::APPROVALS, || web::post().to(governance::propose), "Propose an operation that takes two officers"),
        door::<ForOverseers>(Method::GET, "/v1/approvals/{approval}", || web::get().to(governance::approval), "One proposal"),
        door::<ForOfficers>(Method::POST, "/v1/approvals/{approval}/approve", || web::post().to(governance::approve), "Approve another officer's proposal"),

        door::<ForOverseers>(Method::GET, paths::KEY_INVENTORY, || web::get().to(readings::key_inventory), "Every key version: state, age, uses, warnings"),
        door::<ForOverseers>(Method::GET, paths::JOBS, || web::get().to(jobs::list), "List jobs"),
        door::<ForOfficers>(Method::POST, paths::INTEGRITY, || web::post().to(jobs::integrity), "Open every record once and name those that do not"),
        door::<ForOverseers>(Method::GET, "/v1/jobs/{job}", || web::get().to(jobs::one), "One job and its progress"),
        door::<ForOfficers>(Method::POST, "/v1/jobs/{job}/pause", || web::post().to(jobs::pause), "Let a job rest"),
        door::<ForOfficers>(Method::POST, "/v1/jobs/{job}/resume", || web::post().to(jobs::resume), "Let a job go on"),
        door::<ForOfficers>(Method::POST, "/v1/jobs/{job}/throttle", || web::post().to(jobs::throttle), "How fast a job may be"),

        door::<ForOverseers>(Method::GET, paths::SLOTS, || web::get().to(slots::list), "List the root key's slots"),
        door::<ForOfficers>(Method::GET, "/v1/slots/{slot}/share", || web::get().to(slots::share), "The caller's own share of a pending slot, sealed to them"),
        door::<ForOfficers>(Method::POST, "/v1/slots/{slot}/drill", || web::post().to(slots::drill), "Show a share, to verify or drill a slot"),

        door::<ForGateway>(Method::POST, paths::HOLDERS, || web::post().to(holders::create), "Create a holder"),
        door::<ForGateway>(Method::GET, "/v1/holders/{holder}/keys", || web::get().to(holders::keys), "List a holder's keys"),
        door::<ForGateway>(Method::POST, "/v1/holders/{holder}/keys", || web::post().to(holders::enrol), "Enrol a holder key"),
        door::<ForGateway>(Method::POST, "/v1/holders/{holder}/keys/{key}/revoke", || web::post().to(holders::revoke), "Revoke a holder key"),
        door::<ForGateway>(Method::POST, "/v1/holders/{holder}/challenges", || web::post().to(holders::challenge), "Challenge for holder operations"),
        door::<ForGateway>(Method::POST, "/v1/holders/{holder}/issue-payload", || web::post().to(cards::open_issue_payload), "Open the payload of a request to create a card"),
        door::<ForGateway>(Method::POST, "/v1/holders/{holder}/cards", || web::post().to(cards::issue), "Issue a card"),

        door::<ForGateway>(Method::GET, "/v1/holders/{holder}/reveals", || web::get().to(holders::reveals), "Who saw a holder's cards"),

        door::<ForGateway>(Method::GET, "/v1/cards/{card}/reveals", || web::get().to(cards::reveals), "Who saw a card"),
        door::<ForGateway>(Method::POST, "/v1/cards/{card}/challenges", || web::post().to(cards::challenge), "Challenge for operations on a card"),
        door::<ForGateway>(Method::POST, "/v1/cards/{card}/reveal", || web::post().to(cards::reveal), "Full card data, sealed to a proven holder"),
        door::<ForGateway>(Method::POST, "/v1/cards/{card}/cvv", || web::post().to(cards::reset_cvv), "New CVV, sealed to a proven holder"),
        door::<ForGateway>(Method::POST, "/v1/cards/{card}/cvv-unseen", || web::post().to(cards::reset_cvv_unseen), "New CVV, told to nobody"),
        door::<ForGateway>(Method::POST, "/v1/cards/{card}/print", || web::post().to(cards::print), "Order plastic of a virtual card"),
        door::<ForGateway>(Method::POST, "/v1/cards/{card}/pin", || web::post().to(cards::set_pin), "Set the PIN"),
        door::<ForGateway>(Method::POST, "/v1/cards/{card}/pin-tries/clear", || web::post().to(cards::clear_pin_tries), "Clear the PIN try counter"),
        door::<ForGateway>(Method::POST, "/v1/cards/{card}/renew", || web::post().to(cards::renew), "Move the end of a card on, with another CVV"),
        door::<ForGateway>(Method::POST, "/v1/cards/{card}/final-lock", || web::post().to(cards::lock_finally), "Lock a card for good"),
        door::<ForGatewayAndOfficers>(Method::POST, "/v1/cards/{card}/erase", || web::post().to(cards::erase), "Close a card and destroy its secrets"),

        door::<ForOverseers>(Method::GET, paths::BACKUPS, || web::get().to(bulk::backups), "Backups whose life has not ended"),
        door::<ForOverseers>(Method::GET, paths::RETENTION, || web::get().to(bulk::retention_report), "What is kept, what was destroyed, and from when it is beyond recovery"),
        door::<ForOfficers>(Method::POST, "/v1/imports/{approval}/file", || web::post().to(bulk::import_file), "The file of an approved import"),
        door::<ForOfficers>(Method::GET, "/v1/imports/{approval}/rows", || web::get().to(bulk::import_rows), "What became of each row of an import"),
        door::<ForOfficers>(Method::GET, "/v1/exports/{approval}/file", || web::get().to(bulk::export_file), "The file of an export that is done"),

        door::<ForOverseers>(Method::GET, paths::AUDIT_EVENTS, || web::get().to(readings::audit_events), "Audit events, from an index on"),
        door::<ForOverseers>(Method::GET, paths::AUDIT_CHECKPOINT, || web::get().to(readings::audit_checkpoint), "A signed checkpoint of the audit log"),
        door::<ForOverseers>(Method::GET, paths::AUDIT_INCLUSION, || web::get().to(readings::audit_inclusion), "That an event is in the log of a size"),
        door::<ForOverseers>(Method::GET, paths::AUDIT_CONSISTENCY, || web::get().to(readings::audit_consistency), "That the log of one size begins with that of another"),
    ];
    routes.extend(of_processors());
    routes.extend(of_plastic());
    routes.extend(of_existing_cards());
    routes
}

/// The processors' doors.
#[rustfmt::skip]
fn of_processors() -> Vec<Route> {
    vec![
        door::<ForProcessors>(Method::POST, paths::VERIFY_CVV, || web::post().to(processor::verify_cvv), "Is this the card's CVV?"),
        door::<ForProcessors>(Method::POST, paths::VERIFY_PIN, || web::post().to(processor::verify_pin), "Is this the card's PIN?"),
        door::<ForProcessors>(Method::POST, paths::LOCK_OUTSIDE, || web::post().to(processor::lock), "Lock the card of this number"),
        door::<ForProcessors>(Method::POST, paths::UNLOCK_OUTSIDE, || web::post().to(processor::unlock), "Lift the lock of the card of this number"),
    ]
}

/// The bureau's doors, and those through which the gateway hears what happened there.
#[rustfmt::skip]
fn of_plastic() -> Vec<Route> {
    vec![
        door::<ForGateway>(Method::POST, "/v1/holders/{holder}/order-payload", || web::post().to(cards::open_order_payload), "Open the payload of an order of a physical card"),
        door::<ForGateway>(Method::POST, "/v1/holders/{holder}/physical-cards", || web::post().to(cards::order), "Order a physical card"),

        door::<ForGateway>(Method::POST, "/v1/cards/{card}/renewal", || web::post().to(cards::renew_plastic), "Order the next plastic of a card that nears its end"),
        door::<ForGateway>(Method::POST, "/v1/cards/{card}/renewal/activate", || web::post().to(cards::activate_renewal), "The renewed plastic is in its holder's hands"),

        door::<ForGateway>(Method::GET, paths::NOTICES, || web::get().to(notices::read), "What happened without the gateway, from an index on; waits for news"),
        door::<ForGateway>(Method::POST, paths::ACKNOWLEDGE_NOTICES, || web::post().to(notices::acknowledge), "Everything up to an index was applied"),

        door::<ForBureaus>(Method::POST, paths::BATCHES, || web::post().to(bureau::make), "A batch of what waits, sealed to the bureau"),
        door::<ForBureaus>(Method::GET, "/v1/bureau/batches/{batch}", || web::get().to(bureau::fetch), "A batch again, byte for byte"),
        door::<ForBureaus>(Method::POST, "/v1/bureau/orders/{order}/confirm", || web::post().to(bureau::confirm), "The plastic is made"),
        door::<ForBureaus>(Method::POST, "/v1/bureau/orders/{order}/ship", || web::post().to(bureau::ship), "The plastic was handed to the carrier"),
        door::<ForBureaus>(Method::POST, "/v1/bureau/orders/{order}/fail", || web::post().to(bureau::fail), "The plastic will not come"),
        door::<ForBureaus>(Method::POST, "/v1/bureau/orders/{order}/return", || web::post().to(bureau::come_back), "The plastic came back"),
        door::<ForOverseers>(Method::GET, paths::WAITING_ORDERS, || web::get().to(bureau::waiting), "Orders that the bureau has not confirmed"),
    ]
}

/// The gateway's doors for cards that partners bring in.
#[rustfmt::skip]
fn of_existing_cards() -> Vec<Route> {
    vec![
        door::<ForGateway>(Method::POST, "/v1/holders/{holder}/token-payload", || web::post().to(tokens::open_payload), "Open the payload of a request to tokenise a card"),
        door::<ForGateway>(Method::POST, "/v1/holders/{holder}/tokens", || web::post().to(tokens::tokenise), "A token for a card that exists already"),
        door::<ForGateway>(Method::POST, "/v1/holders/{holder}/row-tokens", || web::post().to(tokens::row), "A token for the card in a row of a mass import"),
        door::<ForGateway>(Method::POST, paths::ROW_VERDICTS, || web::post().to(tokens::judge_row), "Judge a row of a mass import without tokenising its card"),
        door::<ForGateway>(Method::POST, paths::IMPORT_SESSIONS, || web::post().to(tokens::session), "A nonce for the card rows of a mass import"),
    ]
}

/// Mounts every door.
pub fn configure(config: &mut web::ServiceConfig) {
    for route in routes() {
        config.route(route.path, (route.mount)());
    }
    config.default_service(web::route().to(nowhere));
}

/// A path that leads nowhere, or the wrong method.
async fn nowhere(request: HttpRequest) -> HttpResponse {
    problem(&Error::NotFound("resource"), trace_of(&request))
}

/// The answer to a connection whose certificate ended while it was open.
pub fn refuse_peer(request: &HttpRequest, _refused: Refused) -> HttpResponse {
    problem(&Error::CertificateEnded, trace_of(request))
}
