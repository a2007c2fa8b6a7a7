//! Doors under `/admin`: operators, each with a session. The table names the permission of each route; which roles have it
//! stands in `domain::operator`.

mod audit;
mod invitations;
mod operators;
mod sessions;

use actix_web::web;

use super::CallerKind::{Open, Operator};
use super::{DELETE, POST, PUT, Route, readable, route};
use crate::domain::operator::Permission::{ManageOperators, OwnSession, ReadAudit};

/// What operators can call, on the listener for browsers.
#[rustfmt::skip]
pub const ADMIN: &[Route] = &[
    route(POST, "/admin/sessions", Open, || web::to(sessions::create)),
    route(POST, "/admin/invitations/second-factor", Open, || web::to(invitations::second_factor)),
    route(POST, "/admin/invitations/accept", Open, || web::to(invitations::accept)),
    route(POST, "/admin/password-resets", Open, || web::to(invitations::ask_reset)),
    route(POST, "/admin/password-resets/accept", Open, || web::to(invitations::accept_reset)),
    readable("/admin/session", Operator(OwnSession), || web::to(sessions::get)),
    route(DELETE, "/admin/session", Operator(OwnSession), || web::to(sessions::delete)),

    readable("/admin/operators", Operator(ManageOperators), || web::to(operators::list)),
    route(POST, "/admin/operators", Operator(ManageOperators), || web::to(operators::invite)),
    readable("/admin/operators/{operatorId}", Operator(ManageOperators), || web::to(operators::get)),
    route(PUT, "/admin/operators/{operatorId}/role", Operator(ManageOperators), || web::to(operators::put_role)),
    route(POST, "/admin/operators/{operatorId}/disable", Operator(ManageOperators), || web::to(operators::disable)),
    route(POST, "/admin/operators/{operatorId}/enable", Operator(ManageOperators), || web::to(operators::enable)),
    route(POST, "/admin/operators/{operatorId}/second-factor/reset", Operator(ManageOperators), || web::to(operators::reset_second_factor)),
    readable("/admin/audit", Operator(ReadAudit), || web::to(audit::list)),
];
