//! Begins a session within the transaction that earned it.

use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::secret::token;
use crate::domain::installation::InstallationId;
use crate::error::Error;
use crate::services::Services;
use crate::store::{Tx, sessions};

/// What a session token begins with.
const PREFIX: &str = "ses_";

/// A session as it is handed to the app.
pub struct NewSession {
    /// The bearer token: shown now and never again.
    pub token: Zeroizing<String>,
    /// When it ends, whatever happens in between.
    pub expires_at: OffsetDateTime,
}

/// Begins a session of an installation.
pub(super) async fn begin_session(
    services: &Services,
    tx: &mut Tx,
    installation: InstallationId,
) -> Result<NewSession, Error> {
    let (token, token_hash) = token(services, PREFIX)?;
    let expires_at = services.now() + Duration::minutes(i64::from(services.config.sessions.minutes));
    sessions::insert(tx, &token_hash, installation, expires_at).await?;
    Ok(NewSession { token, expires_at })
}
