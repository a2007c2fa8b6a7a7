//! Events are delivered again, each under the `webhook-id` that it had: to an endpoint that was away, or has lost something.

use super::super::claimed::{Opened, open};
use crate::domain::operator::Scope;
use crate::domain::webhook::EndpointId;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::webhooks::deliveries::{self, Replay};

/// Events a request sets up: the writer is not held up for longer.
pub const MOST: i64 = 10_000;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How many events are delivered again.
    pub events: u64,
    /// Whether there are more of them, later ones.
    pub more: bool,
}

/// Sets events up for delivery; `render` writes the answer. An operator leaves a `stamp`.
///
/// # Errors
/// `NOT_FOUND` for an endpoint, or an event, that is somebody else's; `WEBHOOK_DISABLED`.
pub async fn replay(
    services: &Services,
    request: &Request,
    (scope, id): (&Scope, EndpointId),
    (which, stamp): (&Replay, Option<&Stamp>),
    render: impl FnOnce(Replayed) -> Result<Answer, Error>,
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
    let events = match which {
        Replay::Between(from, to) => {
            deliveries::replay_between(&mut tx, &endpoint, (*from, *to), (now, MOST)).await?
        }
        Replay::Events(numbers) => {
            for number in numbers {
                if !deliveries::replay_one(&mut tx, &endpoint, *number, now).await? {
                    return Err(Code::NotFound.into());
                }
            }
            numbers.len() as u64
        }
    };
    if let Some(stamp) = stamp {
        let stamp = stamp.clone().named("REPLAY_WEBHOOK").about_webhook(&endpoint);
        audit::write_done(&mut tx, Some(&stamp), now).await?;
    }
    let answer = render(Replayed {
        events,
        more: events == MOST.unsigned_abs(),
    })?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    services.deliveries_due.notify_one();
    Ok(answer)
}
