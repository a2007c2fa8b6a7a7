//! A partner names an endpoint, and is shown its secret once.

use shared::mtls::identity::Name;

use super::super::claimed::{Opened, open};
use super::secret::{fresh, open_answer, seal_answer};
use crate::domain::webhook::{Endpoint, Kinds, WebhookSecret, WebhookUrl};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::idempotency::{Answer, Request};
use crate::store::webhooks;

/// What a partner decides of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Where it is.
    pub url: WebhookUrl,
    /// What it wants.
    pub kinds: Kinds,
    /// What the partner calls it.
    pub description: Option<String>,
}

/// Makes an endpoint; `render` writes the answer, with the secret.
///
/// # Errors
/// `TOO_MANY_WEBHOOKS`.
pub async fn create(
    services: &Services,
    request: &Request,
    partner: &Name,
    wish: Wish,
    render: impl FnOnce(&Endpoint, &WebhookSecret) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return open_answer(services, request, answer),
        Opened::Claim(claim) => claim,
    };
    let most = i64::from(services.config.webhooks.endpoints_per_partner);
    if webhooks::count_made(&mut tx, partner).await? >= most {
        return Err(Code::TooManyWebhooks.into());
    }
    let id = webhooks::next_id(&mut tx).await?;
    let (secret, sealed) = fresh(services, id)?;
    let endpoint = Endpoint {
        id,
        partner: partner.clone(),
        program: None,
        url: wish.url,
        kinds: wish.kinds,
        description: wish.description,
        disabled_by: None,
        failing_since: None,
        old_secret_until: None,
        created_at: services.now(),
    };
    webhooks::insert(&mut tx, &endpoint, &sealed).await?;
    let answer = render(&endpoint, &secret)?;
    claim
        .complete(&mut tx, &seal_answer(services, request, &answer)?)
        .await?;
    tx.commit().await?;
    Ok(answer)
}
