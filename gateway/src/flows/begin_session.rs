//! Begins a session within the transaction that earned it.
//!
//! Nothing that is kept of the request holds the token: the same request again replaces the session's token by another one,
//! voids the first, and leaves the session's end where it was.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::secret::token;
use crate::domain::installation::InstallationId;
use crate::error::Error;
use crate::services::Services;
use crate::store::idempotency::{Answer, Claim};
use crate::store::{Tx, sessions};

/// What a session token begins with.
const PREFIX: &str = "ses_";
/// Characters of a session token: the prefix, and 256 bits in base64url.
const LENGTH: usize = PREFIX.len() + 43;

/// Whether this has the form of a session token: nobody looks up what has not.
#[must_use]
pub fn has_form_of_token(text: &str) -> bool {
    text.len() == LENGTH && text.starts_with(PREFIX)
}

/// A session as it is handed to the app.
pub struct NewSession {
    /// The bearer token: shown now and never again.
    pub token: Zeroizing<String>,
    /// When it ends, whatever happens in between.
    pub expires_at: OffsetDateTime,
}

/// What is kept of an answered request: how to find its session, and what else its answer said.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    request: i64,
    said: T,
}

/// Begins a session of an installation, and files what a retry needs; `said` is the rest of the answer.
pub(super) async fn begin_session<T: Serialize>(
    services: &Services,
    tx: &mut Tx,
    installation: InstallationId,
    claim: &Claim,
    said: &T,
) -> Result<NewSession, Error> {
    let (token, token_hash) = token(services, PREFIX)?;
    let expires_at = services.now() + Duration::minutes(i64::from(services.config.sessions.minutes));
    sessions::insert(tx, &token_hash, installation, claim.entry(), expires_at).await?;
    if let Some(request) = claim.entry() {
        let body = serde_json::to_vec(&Kept { request, said })
            .map_err(|_| Error::internal("what is kept of a session cannot be written"))?;
        claim
            .complete(
                tx,
                &Answer {
                    status: 201,
                    vault_proof: None,
                    audit_index: None,
                    body,
                },
            )
            .await?;
    }
    Ok(NewSession { token, expires_at })
}

/// The session of an answered request under another token; none when it has ended.
pub(super) async fn renew_session<T: DeserializeOwned>(
    services: &Services,
    tx: &mut Tx,
    kept: &Answer,
) -> Result<Option<(InstallationId, NewSession, T)>, Error> {
    let kept: Kept<T> = serde_json::from_slice(&kept.body)
        .map_err(|_| Error::internal("what is kept of a session cannot be read"))?;
    let (token, token_hash) = token(services, PREFIX)?;
    let renewed = sessions::replace_token(tx, kept.request, &token_hash, services.now()).await?;
    Ok(renewed.map(|(installation, expires_at)| (installation, NewSession { token, expires_at }, kept.said)))
}
