//! Secrets of endpoints, made, sealed and opened; and answers that show one, as they are remembered.

use zeroize::Zeroizing;

use crate::domain::text::may_be_card_number;
use crate::domain::webhook::{EndpointId, WebhookSecret};
use crate::error::Error;
use crate::operator_key::Sealed;
use crate::services::Services;
use crate::store::idempotency::{Answer, Request};

/// A fresh secret, and the same sealed.
pub(super) fn fresh(services: &Services, endpoint: EndpointId) -> Result<(WebhookSecret, Vec<u8>), Error> {
    loop {
        let secret = WebhookSecret::of(&Zeroizing::new(services.random()?));
        if !may_be_card_number(secret.expose()) {
            let sealed = services.operator_key.seal(
                Sealed::WebhookSecret,
                &name(endpoint),
                secret.expose().as_bytes(),
                &services.random,
            )?;
            return Ok((secret, sealed));
        }
    }
}

/// Opens a secret.
pub(super) fn open(
    services: &Services,
    endpoint: EndpointId,
    sealed: &[u8],
) -> Result<Zeroizing<String>, Error> {
    let bytes = services
        .operator_key
        .open(Sealed::WebhookSecret, &name(endpoint), sealed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Error::internal("a webhook's secret is no text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn name(endpoint: EndpointId) -> String {
    format!("endpoint {}", endpoint.0)
}

/// An answer with a secret, as it is remembered: sealed.
pub(super) fn seal_answer(services: &Services, request: &Request, answer: &Answer) -> Result<Answer, Error> {
    let body = services.operator_key.seal(
        Sealed::WebhookAnswer,
        &named(request),
        &answer.body,
        &services.random,
    )?;
    Ok(Answer {
        body,
        ..answer.clone()
    })
}

/// The answer that was remembered, for a retry.
pub(super) fn open_answer(services: &Services, request: &Request, answer: Answer) -> Result<Answer, Error> {
    let body = services
        .operator_key
        .open(Sealed::WebhookAnswer, &named(request), &answer.body)?
        .to_vec();
    Ok(Answer { body, ..answer })
}

fn named(request: &Request) -> String {
    format!("{} {}", request.scope, request.key.as_deref().unwrap_or_default())
}
