//! `/admin/customers/{customerId}/installations…`: a customer's apps, and what an operator does when a phone is lost.

use actix_web::HttpResponse;

use crate::domain::operator::marker::{RevokeInstallation, ViewInstallations};
use crate::error::Error;
use crate::http::installations;
use crate::http::operator::OperatorCall;

/// `GET /admin/customers/{customerId}/installations`
pub(super) async fn list(call: OperatorCall<ViewInstallations>) -> Result<HttpResponse, Error> {
    installations::list(call.into_customer().await?, None).await
}

/// `DELETE /admin/customers/{customerId}/installations/{installationId}`
pub(super) async fn revoke(call: OperatorCall<RevokeInstallation>) -> Result<HttpResponse, Error> {
    installations::revoke(call.into_customer().await?).await
}
