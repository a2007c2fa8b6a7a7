//! A partner has an endpoint's secret replaced. Both sign for a day, so that no message is refused in between.

use time::Duration;

use super::super::claimed::{Opened, open};
use super::secret::{fresh, open_answer, seal_answer};
use crate::domain::operator::Scope;
use crate::domain::webhook::{Endpoint, EndpointId, WebhookSecret};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::idempotency::{Answer, Request};
use crate::store::webhooks;

/// How long the former secret signs too.
const OVERLAP: Duration = Duration::hours(24);

/// Replaces the secret; `render` writes the answer, with the new one.
///
/// # Errors
/// `NOT_FOUND` for an endpoint that is not the partner's.
pub async fn rotate(
    services: &Services,
    request: &Request,
    (scope, id): (&Scope, EndpointId),
    render: impl FnOnce(&Endpoint, &WebhookSecret) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return open_answer(services, request, answer),
        Opened::Claim(claim) => claim,
    };
    let endpoint = webhooks::take(&mut tx, id)
        .await?
        .filter(|endpoint| scope.sees(&endpoint.partner))
        .ok_or(Code::NotFound)?;
    let (secret, sealed) = fresh(services, id)?;
    let until = services.now() + OVERLAP;
    webhooks::rotate(&mut tx, id, &sealed, until).await?;
    let rotated = Endpoint {
        old_secret_until: Some(until),
        ..endpoint
    };
    let answer = render(&rotated, &secret)?;
    claim
        .complete(&mut tx, &seal_answer(services, request, &answer)?)
        .await?;
    tx.commit().await?;
    Ok(answer)
}
