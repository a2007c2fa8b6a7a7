//! A partner changes or deletes an endpoint; an operator enables or disables one. Where a program's remote URL leads, and that
//! it is there, the configuration decides.

use super::super::claimed::{Opened, open};
use super::create::Wish;
use crate::domain::operator::Scope;
use crate::domain::webhook::{DisabledBy, Endpoint, EndpointId};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::{Tx, webhooks};

/// Puts what a partner wants in the place of what it wanted before. Asked again it does the same again.
///
/// # Errors
/// `NOT_FOUND` for an endpoint that is not the partner's; `REMOTE_URL_CONFIGURED` for another URL of a program's.
pub async fn change(
    services: &Services,
    (scope, id): (&Scope, EndpointId),
    wish: Wish,
    enabled: bool,
) -> Result<Endpoint, Error> {
    let mut tx = services.db.begin().await?;
    let mut endpoint = take(&mut tx, scope, id).await?;
    if endpoint.program.is_some() && endpoint.url != wish.url {
        return Err(Code::RemoteUrlConfigured.into());
    }
    endpoint.url = wish.url;
    endpoint.kinds = wish.kinds;
    endpoint.description = wish.description;
    webhooks::change(&mut tx, &endpoint).await?;
    set_enabled(&mut tx, &mut endpoint, enabled, DisabledBy::Partner).await?;
    tx.commit().await?;
    services.deliveries_due.notify_one();
    Ok(endpoint)
}

/// Deletes an endpoint. What waits for it is not sent.
///
/// # Errors
/// `NOT_FOUND` for an endpoint that is not the partner's; `REMOTE_URL_CONFIGURED` for a program's.
pub async fn delete(services: &Services, (scope, id): (&Scope, EndpointId)) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    if take(&mut tx, scope, id).await?.program.is_some() {
        return Err(Code::RemoteUrlConfigured.into());
    }
    webhooks::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}

/// An operator enables or disables; `render` writes the answer.
///
/// # Errors
/// `NOT_FOUND` for an endpoint of whose partner the operator may not know.
pub async fn switch(
    services: &Services,
    request: &Request,
    (scope, id): (&Scope, EndpointId),
    (enabled, stamp): (bool, &Stamp),
    render: impl FnOnce(&Endpoint) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let mut endpoint = take(&mut tx, scope, id).await?;
    set_enabled(&mut tx, &mut endpoint, enabled, DisabledBy::Operator).await?;
    let action = if enabled {
        "ENABLE_WEBHOOK"
    } else {
        "DISABLE_WEBHOOK"
    };
    let stamp = stamp.clone().named(action).about_webhook(&endpoint);
    audit::write(&mut tx, &stamp, Outcome::Done, services.now()).await?;
    let answer = render(&endpoint)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    services.deliveries_due.notify_one();
    Ok(answer)
}

async fn take(tx: &mut Tx, scope: &Scope, id: EndpointId) -> Result<Endpoint, Error> {
    webhooks::take(tx, id)
        .await?
        .filter(|endpoint| scope.sees(&endpoint.partner))
        .ok_or_else(|| Code::NotFound.into())
}

/// Whoever disables what is disabled changes nothing: the first reason stays.
async fn set_enabled(
    tx: &mut Tx,
    endpoint: &mut Endpoint,
    enabled: bool,
    by: DisabledBy,
) -> Result<(), Error> {
    if enabled == endpoint.disabled_by.is_none() {
        return Ok(());
    }
    endpoint.disabled_by = (!enabled).then_some(by);
    endpoint.failing_since = None;
    webhooks::set_disabled(tx, endpoint.id, endpoint.disabled_by).await?;
    Ok(())
}
