//! Doors under `/admin`: operators, each with a session. The table names the permission of each route; which roles have it
//! stands in `domain::operator`.

mod audit;
mod balances;
mod cards;
mod certificates;
mod customers;
mod installations;
mod invitations;
mod kyc;
mod operators;
mod orders;
mod partner_balances;
mod partners;
mod sessions;
mod summary;
mod webhooks;

use actix_web::web;

use super::CallerKind::{Open, Operator};
use super::balances as balance_doors;
use super::cards as card_doors;
use super::operator::OperatorCall;
use super::transactions;
use super::webhooks::docs;
use super::{DELETE, GET, POST, PUT, Route, readable, route};
use crate::domain::lock::Party;
use crate::domain::operator::Permission::{
    ActivateCard, ChangeBalanceState, CreateBalance, CreateCard, DecideKyc, LockCard, LockCustomer,
    ManageOperators, ManagePartnerBalances, ManagePartners, ManageWebhooks, OrderCard, OwnSession, PrintCard,
    ReadAudit, ReloadBalance, RemoveCard, ReplaceCard, ResetCvv, RevokeInstallation, SetCardRenewal,
    UnlockCard, UnlockCustomer, ViewBalances, ViewCards, ViewCustomers, ViewInstallations, ViewPartners,
    ViewReveals, ViewSummary, ViewTransactions,
};
use crate::domain::operator::marker;

/// What operators can call, on the listener for browsers.
#[rustfmt::skip]
pub const ADMIN: &[Route] = &[
    route(POST, "/admin/sessions", Open, || web::to(sessions::create), sessions::create_doc),
    route(POST, "/admin/invitations/second-factor", Open, || web::to(invitations::second_factor), invitations::second_factor_doc),
    route(POST, "/admin/invitations/accept", Open, || web::to(invitations::accept), invitations::accept_doc),
    route(POST, "/admin/password-resets", Open, || web::to(invitations::ask_reset), invitations::ask_reset_doc),
    route(POST, "/admin/password-resets/accept", Open, || web::to(invitations::accept_reset), invitations::accept_reset_doc),
    readable("/admin/session", Operator(OwnSession), || web::to(sessions::get), sessions::get_doc),
    route(DELETE, "/admin/session", Operator(OwnSession), || web::to(sessions::delete), sessions::delete_doc),

    readable("/admin/operators", Operator(ManageOperators), || web::to(operators::list), operators::list_doc),
    route(POST, "/admin/operators", Operator(ManageOperators), || web::to(operators::invite), operators::invite_doc),
    readable("/admin/operators/{operatorId}", Operator(ManageOperators), || web::to(operators::get), operators::get_doc),
    route(PUT, "/admin/operators/{operatorId}/role", Operator(ManageOperators), || web::to(operators::put_role), operators::put_role_doc),
    route(POST, "/admin/operators/{operatorId}/disable", Operator(ManageOperators), || web::to(operators::disable), operators::disable_doc),
    route(POST, "/admin/operators/{operatorId}/enable", Operator(ManageOperators), || web::to(operators::enable), operators::enable_doc),
    route(POST, "/admin/operators/{operatorId}/second-factor/reset", Operator(ManageOperators), || web::to(operators::reset_second_factor), operators::reset_second_factor_doc),

    readable("/admin/customers", Operator(ViewCustomers), || web::to(customers::list), customers::list_doc),
    readable("/admin/customers/{customerId}", Operator(ViewCustomers), || web::to(customers::get), customers::get_doc),
    route(POST, "/admin/customers/{customerId}/lock", Operator(LockCustomer), || web::to(customers::lock), super::standing::lock_doc),
    route(POST, "/admin/customers/{customerId}/unlock", Operator(UnlockCustomer), || web::to(customers::unlock), super::standing::unlock_doc),
    readable("/admin/customers/{customerId}/installations", Operator(ViewInstallations), || web::to(installations::list), super::installations::list_doc),
    route(DELETE, "/admin/customers/{customerId}/installations/{installationId}", Operator(RevokeInstallation), || web::to(installations::revoke), super::installations::revoke_doc),
    route(POST, "/admin/customers/{customerId}/balances", Operator(CreateBalance), || web::to(customers::create_balance), balance_doors::create_doc),
    readable("/admin/customers/{customerId}/balances", Operator(ViewBalances), || web::to(customers::list_balances), balance_doors::list_doc),
    readable("/admin/customers/{customerId}/balances/{balanceId}", Operator(ViewBalances), || web::to(customers::get_balance), balance_doors::get_doc),
    route(POST, "/admin/balances/{balanceId}/reload", Operator(ReloadBalance), || web::to(balances::reload), balance_doors::reload_doc),
    route(POST, "/admin/balances/{balanceId}/lock", Operator(ChangeBalanceState), || web::to(balances::lock), balance_doors::lock_doc),
    route(POST, "/admin/balances/{balanceId}/unlock", Operator(ChangeBalanceState), || web::to(balances::unlock), || balance_doors::unlock_doc(Party::Operator)),
    route(POST, "/admin/balances/{balanceId}/close", Operator(ChangeBalanceState), || web::to(balances::close), || balance_doors::close_doc(Party::Operator)),
    readable("/admin/balances/{balanceId}/transactions", Operator(ViewTransactions), || web::to(balances::transactions), transactions::of_balance_doc),
    readable("/admin/cards/{cardId}/transactions", Operator(ViewTransactions), || web::to(balances::transactions), transactions::of_card_doc),
    readable("/admin/summary/balances", Operator(ViewSummary), || web::to(summary::balances), summary::doc),

    readable("/admin/partner-balances", Operator(ManagePartnerBalances), || web::to(partner_balances::list), partner_balances::list_doc),
    route(POST, "/admin/partner-balances", Operator(ManagePartnerBalances), || web::to(partner_balances::create), partner_balances::create_doc),
    readable("/admin/partner-balances/{partnerBalanceId}", Operator(ManagePartnerBalances), || web::to(partner_balances::get), partner_balances::get_doc),
    route(PUT, "/admin/partner-balances/{partnerBalanceId}/low-level", Operator(ManagePartnerBalances), || web::to(partner_balances::put_low_level), partner_balances::put_low_level_doc),
    route(POST, "/admin/partner-balances/{partnerBalanceId}/lock", Operator(ManagePartnerBalances), || web::to(partner_balances::lock), partner_balances::lock_doc),
    route(POST, "/admin/partner-balances/{partnerBalanceId}/unlock", Operator(ManagePartnerBalances), || web::to(partner_balances::unlock), partner_balances::unlock_doc),
    route(POST, "/admin/partner-balances/{partnerBalanceId}/reload", Operator(ManagePartnerBalances), || web::to(partner_balances::reload), partner_balances::reload_doc),
    readable("/admin/partner-balances/{partnerBalanceId}/reloads", Operator(ManagePartnerBalances), || web::to(partner_balances::list_reloads), partner_balances::list_reloads_doc),
    route(POST, "/admin/partner-balances/{partnerBalanceId}/reloads/{reloadId}/approve", Operator(ManagePartnerBalances), || web::to(partner_balances::approve), partner_balances::approve_doc),
    route(POST, "/admin/partner-balances/{partnerBalanceId}/reloads/{reloadId}/reject", Operator(ManagePartnerBalances), || web::to(partner_balances::reject), partner_balances::reject_doc),

    readable("/admin/customers/{customerId}/cards", Operator(ViewCards), || web::to(card_doors::list::list::<OperatorCall<marker::ViewCards>>), card_doors::list::doc),
    route(POST, "/admin/customers/{customerId}/cards/virtual", Operator(CreateCard), || web::to(card_doors::create_virtual::create::<OperatorCall<marker::CreateCard>>), || card_doors::create_virtual::doc(Party::Operator)),
    route(POST, "/admin/customers/{customerId}/cards/physical", Operator(OrderCard), || web::to(card_doors::order_physical::order::<OperatorCall<marker::OrderCard>>), || card_doors::order_physical::doc(Party::Operator)),
    readable("/admin/customers/{customerId}/cards/orders", Operator(ViewCards), || web::to(card_doors::orders::list::<OperatorCall<marker::ViewCards>>), card_doors::orders::doc),
    readable("/admin/cards/{cardId}", Operator(ViewCards), || web::to(cards::get), cards::get_doc),
    route(DELETE, "/admin/cards/{cardId}", Operator(RemoveCard), || web::to(card_doors::remove::remove::<OperatorCall<marker::RemoveCard>>), card_doors::remove::doc),
    readable("/admin/cards/{cardId}/reveals", Operator(ViewReveals), || web::to(card_doors::reveals::of_card), card_doors::reveals::of_card_doc),
    route(POST, "/admin/cards/{cardId}/cvv", Operator(ResetCvv), || web::to(cards::reset_cvv), cards::reset_cvv_doc),
    route(POST, "/admin/cards/{cardId}/print", Operator(PrintCard), || web::to(card_doors::print::print::<OperatorCall<marker::PrintCard>>), || card_doors::print::doc(Party::Operator)),
    route(POST, "/admin/cards/{cardId}/activate", Operator(ActivateCard), || web::to(card_doors::activate::activate::<OperatorCall<marker::ActivateCard>>), card_doors::activate::doc),
    route(POST, "/admin/cards/{cardId}/lock", Operator(LockCard), || web::to(card_doors::lock::lock::<OperatorCall<marker::LockCard>>), card_doors::lock::doc),
    route(POST, "/admin/cards/{cardId}/unlock", Operator(UnlockCard), || web::to(card_doors::unlock::unlock::<OperatorCall<marker::UnlockCard>>), card_doors::unlock::doc),
    route(POST, "/admin/cards/{cardId}/replace", Operator(ReplaceCard), || web::to(card_doors::replace::replace::<OperatorCall<marker::ReplaceCard>>), || card_doors::replace::doc(Party::Operator)),
    route(PUT, "/admin/cards/{cardId}/renewal", Operator(SetCardRenewal), || web::to(card_doors::set_renewal::set::<OperatorCall<marker::SetCardRenewal>>), card_doors::set_renewal::doc),

    readable("/admin/orders/overdue", Operator(ViewCards), || web::to(orders::overdue), orders::overdue_doc),

    readable("/admin/kyc/applications", Operator(DecideKyc), || web::to(kyc::list), kyc::list_doc),
    readable("/admin/kyc/applications/{applicationId}", Operator(DecideKyc), || web::to(kyc::get), kyc::get_doc),
    route(GET, "/admin/kyc/applications/{applicationId}/documents/{documentId}", Operator(DecideKyc), || web::to(kyc::document), kyc::document_doc),
    route(POST, "/admin/kyc/applications/{applicationId}/accept", Operator(DecideKyc), || web::to(kyc::accept), || kyc::decide_doc(true)),
    route(POST, "/admin/kyc/applications/{applicationId}/reject", Operator(DecideKyc), || web::to(kyc::reject), || kyc::decide_doc(false)),

    readable("/admin/webhooks", Operator(ManageWebhooks), || web::to(webhooks::list), docs::list_all),
    readable("/admin/webhooks/{webhookId}", Operator(ManageWebhooks), || web::to(webhooks::get), docs::look),
    readable("/admin/webhooks/{webhookId}/deliveries", Operator(ManageWebhooks), || web::to(webhooks::list_deliveries), docs::list_deliveries),
    route(POST, "/admin/webhooks/{webhookId}/enable", Operator(ManageWebhooks), || web::to(webhooks::enable), docs::enable),
    route(POST, "/admin/webhooks/{webhookId}/disable", Operator(ManageWebhooks), || web::to(webhooks::disable), docs::disable),
    route(POST, "/admin/webhooks/{webhookId}/replay", Operator(ManageWebhooks), || web::to(webhooks::replay), docs::replay),
    readable("/admin/programs", Operator(ViewPartners), || web::to(partners::programs), partners::programs_doc),
    readable("/admin/partners", Operator(ViewPartners), || web::to(partners::list), partners::list_doc),
    readable("/admin/partners/{partnerId}", Operator(ViewPartners), || web::to(partners::get), partners::get_doc),
    route(PUT, "/admin/partners/{partnerId}/settings", Operator(ManagePartners), || web::to(partners::put_settings), partners::put_settings_doc),
    readable("/admin/partners/{partnerId}/certificates", Operator(ViewPartners), || web::to(certificates::list), certificates::list_doc),
    route(POST, "/admin/partners/{partnerId}/certificates", Operator(ManagePartners), || web::to(certificates::file), certificates::file_doc),
    readable("/admin/partners/{partnerId}/certificates/{certificateId}", Operator(ViewPartners), || web::to(certificates::get), certificates::get_doc),
    route(POST, "/admin/partners/{partnerId}/certificates/{certificateId}/issue", Operator(ManagePartners), || web::to(certificates::issue), certificates::issue_doc),
    route(POST, "/admin/partners/{partnerId}/certificates/{certificateId}/revoke", Operator(ManagePartners), || web::to(certificates::revoke), certificates::revoke_doc),

    readable("/admin/audit", Operator(ReadAudit), || web::to(audit::list), audit::doc),
];
