//! Challenges for a holder's operations, on both channels: the vault's, passed on as it is.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use shared::vault_api::holders::CreateChallenge;

use super::answer::send_json;
use super::caller::Customer;
use crate::error::Error;

/// `POST …/challenge` → 201 `{nonce, expiresAt}`. A retry makes another challenge; the first one just lapses.
pub(super) async fn create(mut customer: Customer) -> Result<HttpResponse, Error> {
    let (fields, _) = customer.fields().await?;
    fields.finish(|| Some(()))?;
    customer.rates().challenges.check(&customer.user.id)?;
    let services = customer.services();
    let request = CreateChallenge {
        actor: customer.actor.clone(),
    };
    let challenge = services
        .vault
        .challenge_holder(&services.vault_key()?, &customer.user.holder, &request)
        .await?;
    send_json(StatusCode::CREATED, &challenge)
}
