//! `/admin/balances/{balanceId}…`: what operators do with a user's balance, and its transactions.

use actix_web::HttpResponse;

use crate::domain::balance::BalanceChange;
use crate::domain::operator::marker::{ChangeBalanceState, ReloadBalance, ViewTransactions};
use crate::error::Error;
use crate::http::operator::OperatorCall;
use crate::http::{balances, transactions};

/// `POST /admin/balances/{balanceId}/reload`
pub(super) async fn reload(call: OperatorCall<ReloadBalance>) -> Result<HttpResponse, Error> {
    balances::reload(call.into_customer().await?).await
}

/// `POST /admin/balances/{balanceId}/lock`
pub(super) async fn lock(call: OperatorCall<ChangeBalanceState>) -> Result<HttpResponse, Error> {
    balances::change(call.into_customer().await?, BalanceChange::Lock).await
}

/// `POST /admin/balances/{balanceId}/unlock`
pub(super) async fn unlock(call: OperatorCall<ChangeBalanceState>) -> Result<HttpResponse, Error> {
    balances::change(call.into_customer().await?, BalanceChange::Unlock).await
}

/// `POST /admin/balances/{balanceId}/close`
pub(super) async fn close(call: OperatorCall<ChangeBalanceState>) -> Result<HttpResponse, Error> {
    balances::change(call.into_customer().await?, BalanceChange::Close).await
}

/// `GET /admin/balances/{balanceId}/transactions`, `GET /admin/cards/{cardId}/transactions`
pub(super) async fn transactions(call: OperatorCall<ViewTransactions>) -> Result<HttpResponse, Error> {
    transactions::list(call.into_customer().await?).await
}
