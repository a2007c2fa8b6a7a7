//! Doors under `/secure`: a partner's server on behalf of its users.

use actix_web::HttpResponse;

use super::caller::PartnerCall;
use super::{balances, holder_challenge, kyc, kyc_documents, transactions};
use crate::domain::balance::BalanceChange;
use crate::error::Error;

/// `POST /secure/customers/{customerId}/register`
pub(super) async fn register(call: PartnerCall) -> Result<HttpResponse, Error> {
    kyc::register(call.into_customer().await?).await
}

/// `GET /secure/customers/{customerId}/kyc`
pub(super) async fn get_kyc(call: PartnerCall) -> Result<HttpResponse, Error> {
    kyc::get(call.into_customer().await?).await
}

/// `POST /secure/customers/{customerId}/kyc/documents`
pub(super) async fn create_kyc_document(call: PartnerCall) -> Result<HttpResponse, Error> {
    kyc_documents::create(call.into_customer().await?).await
}

/// `GET /secure/customers/{customerId}/kyc/documents`
pub(super) async fn list_kyc_documents(call: PartnerCall) -> Result<HttpResponse, Error> {
    kyc_documents::list(call.into_customer().await?).await
}

/// `DELETE /secure/customers/{customerId}/kyc/documents/{documentId}`
pub(super) async fn delete_kyc_document(call: PartnerCall) -> Result<HttpResponse, Error> {
    kyc_documents::delete(call.into_customer().await?).await
}

/// `POST /secure/customers/{customerId}/challenge`
pub(super) async fn challenge(call: PartnerCall) -> Result<HttpResponse, Error> {
    holder_challenge::create(call.into_customer().await?).await
}

/// `POST /secure/customers/{customerId}/balances`
pub(super) async fn create_balance(call: PartnerCall) -> Result<HttpResponse, Error> {
    balances::create(call.into_customer().await?).await
}

/// `GET /secure/customers/{customerId}/balances`
pub(super) async fn list_balances(call: PartnerCall) -> Result<HttpResponse, Error> {
    balances::list(call.into_customer().await?).await
}

/// `GET /secure/customers/{customerId}/balances/{balanceId}`
pub(super) async fn get_balance(call: PartnerCall) -> Result<HttpResponse, Error> {
    balances::get(call.into_customer().await?).await
}

/// `POST /secure/customers/{customerId}/balances/{balanceId}/reload`
pub(super) async fn reload_balance(call: PartnerCall) -> Result<HttpResponse, Error> {
    balances::reload(call.into_customer().await?).await
}

/// `POST /secure/customers/{customerId}/balances/{balanceId}/lock`
pub(super) async fn lock_balance(call: PartnerCall) -> Result<HttpResponse, Error> {
    balances::change(call.into_customer().await?, BalanceChange::Lock).await
}

/// `POST /secure/customers/{customerId}/balances/{balanceId}/unlock`
pub(super) async fn unlock_balance(call: PartnerCall) -> Result<HttpResponse, Error> {
    balances::change(call.into_customer().await?, BalanceChange::Unlock).await
}

/// `POST /secure/customers/{customerId}/balances/{balanceId}/close`
pub(super) async fn close_balance(call: PartnerCall) -> Result<HttpResponse, Error> {
    balances::change(call.into_customer().await?, BalanceChange::Close).await
}

/// `GET /secure/customers/{customerId}/transactions`
pub(super) async fn list_transactions(call: PartnerCall) -> Result<HttpResponse, Error> {
    transactions::list(call.into_customer().await?).await
}
