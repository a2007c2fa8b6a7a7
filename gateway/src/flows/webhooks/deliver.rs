//! One try: signed with the secrets of this moment, sent once, and what came of it written down.

use time::Duration;
use zeroize::Zeroizing;

use super::secret::open;
use crate::clients::webhook::Message;
use crate::domain::event::{Event, EventKind};
use crate::domain::webhook::schedule::pause_after;
use crate::domain::webhook::{DisabledBy, Endpoint, Failure, Outcome, Signer, WebhookUrl, message_id};
use crate::error::Error;
use crate::flows::events::message_of;
use crate::services::Services;
use crate::store::webhooks::deliveries::{self, Due};
use crate::store::{Tx, events, webhooks};

/// Tries a delivery that is ours by lease.
///
/// # Errors
/// When the database fails: then it is tried again once the lease is over.
pub async fn deliver(services: &Services, due: &Due) -> Result<(), Error> {
    let outcome = match prepare(services, due).await {
        Ok(Some((url, message))) => services.webhooks.send(&url, message).await,
        // Disabled or deleted since it was taken.
        Ok(None) => return give_back(services, due).await,
        Err(error) => {
            let (endpoint, event) = (due.endpoint.0, due.event.number.0);
            tracing::error!(endpoint, event, %error, cause = error.cause(), "a webhook cannot be prepared");
            Outcome::no_answer(Failure::Internal)
        }
    };
    match outcome {
        Outcome::Arrived(status) => file_arrival(services, due, status).await,
        Outcome::Failed {
            failure,
            status,
            retry_after,
        } => file_failure(services, due, (failure, status), retry_after).await,
    }
}

async fn prepare(services: &Services, due: &Due) -> Result<Option<(WebhookUrl, Message)>, Error> {
    let now = services.now();
    let mut read = services.db.read().await?;
    let Some(endpoint) = webhooks::find(&mut read, due.endpoint).await? else {
        return Ok(None);
    };
    let Some(secrets) = webhooks::secrets(&mut read, due.endpoint).await? else {
        return Ok(None);
    };
    drop(read);
    if endpoint.disabled_by.is_some() {
        return Ok(None);
    }
    let mut opened: Vec<Zeroizing<String>> = vec![open(services, due.endpoint, &secrets.current)?];
    if let Some((old, _)) = secrets.old.filter(|(_, until)| now < *until) {
        opened.push(open(services, due.endpoint, &old)?);
    }
    let body = serde_json::to_vec(&message_of(&due.event))
        .map_err(|_| Error::internal("an event cannot be written"))?;
    let id = message_id(due.event.number, due.endpoint);
    let timestamp = now.unix_timestamp();
    let signature = Signer::under(opened.iter().map(|secret| secret.as_str()))
        .and_then(|signer| signer.sign(&id, timestamp, &body))
        .ok_or_else(|| Error::internal("a webhook cannot be signed"))?;
    let message = Message {
        id,
        timestamp,
        signature,
        body,
    };
    Ok(Some((endpoint.url, message)))
}

async fn give_back(services: &Services, due: &Due) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    deliveries::give_back(&mut tx, due).await?;
    tx.commit().await?;
    Ok(())
}

async fn file_arrival(services: &Services, due: &Due, status: u16) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    deliveries::arrived(&mut tx, due, status, services.now()).await?;
    webhooks::note_arrival(&mut tx, due.endpoint).await?;
    tx.commit().await?;
    Ok(())
}

async fn file_failure(
    services: &Services,
    due: &Due,
    (failure, status): (Failure, Option<u16>),
    retry_after: Option<Duration>,
) -> Result<(), Error> {
    let now = services.now();
    let [chance] = services.random::<1>()?;
    let next = match failure {
        Failure::Gone => None,
        _ => pause_after(due.tries, chance, retry_after).map(|pause| now + pause),
    };
    let (endpoint, event, tries) = (due.endpoint.0, due.event.number.0, due.tries);
    tracing::warn!(
        endpoint,
        event,
        tries,
        failure = failure.as_str(),
        status,
        "a webhook did not arrive"
    );
    let mut tx = services.db.begin().await?;
    if deliveries::failed(&mut tx, due, (failure, status), next).await? {
        judge_endpoint(services, &mut tx, due, failure).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Disables an endpoint that is gone, or to which nothing has arrived for days. What is broken on our side says nothing of it.
async fn judge_endpoint(services: &Services, tx: &mut Tx, due: &Due, failure: Failure) -> Result<(), Error> {
    let now = services.now();
    let reason = match failure {
        Failure::Internal => return Ok(()),
        Failure::Gone => DisabledBy::Gone,
        _ => {
            let hours = Duration::hours(i64::from(services.config.webhooks.disable_after_hours));
            let since = webhooks::note_failure(tx, due.endpoint, now).await?;
            if since.is_none_or(|since| now - since < hours) {
                return Ok(());
            }
            DisabledBy::Failing
        }
    };
    let Some(endpoint) = webhooks::take(tx, due.endpoint).await? else {
        return Ok(());
    };
    disable(services, tx, &endpoint, reason).await
}

async fn disable(
    services: &Services,
    tx: &mut Tx,
    endpoint: &Endpoint,
    reason: DisabledBy,
) -> Result<(), Error> {
    if endpoint.disabled_by.is_some() {
        return Ok(());
    }
    webhooks::set_disabled(tx, endpoint.id, Some(reason)).await?;
    let event = Event::new(EventKind::WebhookDisabled, &endpoint.partner)
        .telling("webhookId", endpoint.id.0)
        .telling("reason", reason.as_str());
    events::write(tx, &event, services.now()).await?;
    tracing::warn!(
        endpoint = endpoint.id.0,
        reason = reason.as_str(),
        "a webhook endpoint is disabled"
    );
    Ok(())
}
