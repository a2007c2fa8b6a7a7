//! Doors under `/customers`: a mobile app, with a session or on its way to one.

pub(super) mod pair;
pub(super) mod sessions;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::answer::send_json;
use super::caller::UserCall;
use super::doc::{Doc, Tag, examples};
use super::profile::ProfileView;
use super::{balances, export, holder_challenge, installations, kyc, kyc_documents, transactions};
use crate::error::{Code, Error};
use crate::store::users;

/// `GET /customers/me`
pub(super) async fn me(call: UserCall) -> Result<HttpResponse, Error> {
    let mut read = call.services().db.read().await?;
    let profile = users::profile(&mut read, call.user().id)
        .await?
        .ok_or(Code::NotFound)?;
    send_json(StatusCode::OK, &ProfileView::of(&profile))
}

/// `GET /customers/me/installations`
pub(super) async fn list_installations(call: UserCall) -> Result<HttpResponse, Error> {
    let current = Some(call.installation());
    installations::list(call.into_customer(), current).await
}

/// `DELETE /customers/me/installations/{installationId}`. One's own as well: then the session has ended.
pub(super) async fn revoke_installation(call: UserCall) -> Result<HttpResponse, Error> {
    installations::revoke(call.into_customer()).await
}

/// `GET /customers/me/export`
pub(super) async fn export(call: UserCall) -> Result<HttpResponse, Error> {
    export::get(call.into_customer()).await
}

/// `POST /customers/me/register`
pub(super) async fn register(call: UserCall) -> Result<HttpResponse, Error> {
    kyc::register(call.into_customer()).await
}

/// `GET /customers/me/kyc`
pub(super) async fn get_kyc(call: UserCall) -> Result<HttpResponse, Error> {
    kyc::get(call.into_customer()).await
}

/// `POST /customers/me/kyc/documents`
pub(super) async fn create_kyc_document(call: UserCall) -> Result<HttpResponse, Error> {
    kyc_documents::create(call.into_customer()).await
}

/// `GET /customers/me/kyc/documents`
pub(super) async fn list_kyc_documents(call: UserCall) -> Result<HttpResponse, Error> {
    kyc_documents::list(call.into_customer()).await
}

/// `DELETE /customers/me/kyc/documents/{documentId}`
pub(super) async fn delete_kyc_document(call: UserCall) -> Result<HttpResponse, Error> {
    kyc_documents::delete(call.into_customer()).await
}

/// `POST /customers/me/challenge`
pub(super) async fn challenge(call: UserCall) -> Result<HttpResponse, Error> {
    holder_challenge::create(call.into_customer()).await
}

/// `POST /customers/me/balances`
pub(super) async fn create_balance(call: UserCall) -> Result<HttpResponse, Error> {
    balances::create(call.into_customer()).await
}

/// `GET /customers/me/balances`
pub(super) async fn list_balances(call: UserCall) -> Result<HttpResponse, Error> {
    balances::list(call.into_customer()).await
}

/// `GET /customers/me/balances/{balanceId}`
pub(super) async fn get_balance(call: UserCall) -> Result<HttpResponse, Error> {
    balances::get(call.into_customer()).await
}

/// Of `GET /customers/me`.
pub(super) fn me_doc() -> Doc {
    Doc::new(Tag::Users, "Who am I?")
        .says("The user of the session, as the partner registered them.")
        .answers::<ProfileView>(200, "The user.", examples::profile())
}

/// `GET /customers/me/transactions`
pub(super) async fn list_transactions(call: UserCall) -> Result<HttpResponse, Error> {
    transactions::list(call.into_customer()).await
}
