//! A partner tests an endpoint: an event that goes there alone.

use super::super::claimed::{Opened, open};
use crate::domain::event::{Event, EventKind};
use crate::domain::operator::Scope;
use crate::domain::webhook::{EndpointId, EventNumber};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::events;
use crate::store::idempotency::{Answer, Request};
use crate::store::webhooks::deliveries;

/// Sends a test; `render` writes the answer.
///
/// # Errors
/// `NOT_FOUND` for an endpoint that is not the partner's, `WEBHOOK_DISABLED`.
pub async fn test_endpoint(
    services: &Services,
    request: &Request,
    (scope, id): (&Scope, EndpointId),
    render: impl FnOnce(EventNumber) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let endpoint = super::find(&mut tx, scope, id).await?;
    if endpoint.disabled_by.is_some() {
        return Err(Code::WebhookDisabled.into());
    }
    let event = Event::new(EventKind::WebhookTest, &endpoint.partner).telling("webhookId", id.0);
    let told = events::write_numbered(&mut tx, &event, now).await?;
    deliveries::insert(&mut tx, id, told.number, now).await?;
    let answer = render(told.number)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    services.deliveries_due.notify_one();
    Ok(answer)
}
