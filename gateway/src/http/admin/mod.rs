//! Doors under `/admin`: operators, each with a session. The table names the permission of each route; which roles have it
//! stands in `domain::operator`.

mod audit;
mod cards;
mod customers;
mod installations;
mod invitations;
mod kyc;
mod operators;
mod sessions;
mod summary;

use actix_web::web;

use super::CallerKind::{Open, Operator};
use super::cards as card_doors;
use super::operator::OperatorCall;
use super::{DELETE, GET, POST, PUT, Route, readable, route};
use crate::domain::operator::Permission::{
    CreateBalance, CreateCard, DecideKyc, LockCard, ManageOperators, OwnSession, PrintCard, ReadAudit,
    RemoveCard, ResetCvv, RevokeInstallation, UnlockCard, ViewBalances, ViewCards, ViewCustomers,
    ViewInstallations, ViewSummary,
};
use crate::domain::operator::marker;

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

    readable("/admin/customers", Operator(ViewCustomers), || web::to(customers::list)),
    readable("/admin/customers/{customerId}", Operator(ViewCustomers), || web::to(customers::get)),
    readable("/admin/customers/{customerId}/installations", Operator(ViewInstallations), || web::to(installations::list)),
    route(DELETE, "/admin/customers/{customerId}/installations/{installationId}", Operator(RevokeInstallation), || web::to(installations::revoke)),
    route(POST, "/admin/customers/{customerId}/balances", Operator(CreateBalance), || web::to(customers::create_balance)),
    readable("/admin/customers/{customerId}/balances", Operator(ViewBalances), || web::to(customers::list_balances)),
    readable("/admin/customers/{customerId}/balances/{balanceId}", Operator(ViewBalances), || web::to(customers::get_balance)),
    readable("/admin/summary/balances", Operator(ViewSummary), || web::to(summary::balances)),

    readable("/admin/customers/{customerId}/cards", Operator(ViewCards), || web::to(card_doors::list::list::<OperatorCall<marker::ViewCards>>)),
    route(POST, "/admin/customers/{customerId}/cards/virtual", Operator(CreateCard), || web::to(card_doors::create_virtual::create::<OperatorCall<marker::CreateCard>>)),
    readable("/admin/cards/{cardId}", Operator(ViewCards), || web::to(cards::get)),
    route(DELETE, "/admin/cards/{cardId}", Operator(RemoveCard), || web::to(card_doors::remove::remove::<OperatorCall<marker::RemoveCard>>)),
    route(POST, "/admin/cards/{cardId}/cvv", Operator(ResetCvv), || web::to(cards::reset_cvv)),
    route(POST, "/admin/cards/{cardId}/print", Operator(PrintCard), || web::to(card_doors::print::print::<OperatorCall<marker::PrintCard>>)),
    route(POST, "/admin/cards/{cardId}/lock", Operator(LockCard), || web::to(card_doors::lock::lock::<OperatorCall<marker::LockCard>>)),
    route(POST, "/admin/cards/{cardId}/unlock", Operator(UnlockCard), || web::to(card_doors::unlock::unlock::<OperatorCall<marker::UnlockCard>>)),

    readable("/admin/kyc/applications", Operator(DecideKyc), || web::to(kyc::list)),
    readable("/admin/kyc/applications/{applicationId}", Operator(DecideKyc), || web::to(kyc::get)),
    route(GET, "/admin/kyc/applications/{applicationId}/documents/{documentId}", Operator(DecideKyc), || web::to(kyc::document)),
    route(POST, "/admin/kyc/applications/{applicationId}/accept", Operator(DecideKyc), || web::to(kyc::accept)),
    route(POST, "/admin/kyc/applications/{applicationId}/reject", Operator(DecideKyc), || web::to(kyc::reject)),

    readable("/admin/audit", Operator(ReadAudit), || web::to(audit::list)),
];
