//! Logs an installation in: a challenge, then its signature by the device's key together with the app's PIN.
//!
//! What is wrong is never told: an unknown installation is answered like a wrong PIN, after the same work. The PIN's
//! counter moves only for those who hold the device's key, so that no stranger locks an installation.

use shared::jws::session_proof;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::begin_session::{NewSession, begin_session};
use super::secret::{hash, token};
use crate::domain::installation::{AppPin, InstallationId};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::installations::{self, Installation};
use crate::store::sessions;

/// What a login challenge begins with.
const CHALLENGE_PREFIX: &str = "lch_";
/// How long a challenge can be answered.
const CHALLENGE_LASTS: Duration = Duration::seconds(60);

/// A challenge as it is handed to the app.
pub struct NewChallenge {
    /// To be signed.
    pub challenge: Zeroizing<String>,
    /// When it lapses.
    pub expires_at: OffsetDateTime,
}

/// Makes a challenge, for installations that do not exist too.
///
/// # Errors
/// When the database or the system's randomness fails.
pub async fn login_challenge(
    services: &Services,
    installation: InstallationId,
) -> Result<NewChallenge, Error> {
    let (challenge, challenge_hash) = token(services, CHALLENGE_PREFIX)?;
    let expires_at = services.now() + CHALLENGE_LASTS;
    let mut tx = services.db.begin().await?;
    sessions::insert_challenge(&mut tx, &challenge_hash, installation, expires_at).await?;
    tx.commit().await?;
    Ok(NewChallenge {
        challenge,
        expires_at,
    })
}

/// What the app sends.
pub struct Login {
    /// Which installation.
    pub installation: InstallationId,
    /// The challenge, signed.
    pub proof: String,
    /// The app's PIN.
    pub pin: AppPin,
}

/// Begins a session.
///
/// # Errors
/// `AUTHENTICATION_FAILED`; 429 while the installation is locked for too many wrong PINs.
pub async fn log_in(services: &Services, login: Login) -> Result<NewSession, Error> {
    let proven = prove(services, &login).await?;
    let Some(installation) = proven else {
        services.pins.verify(login.pin, None).await?;
        return Err(Code::AuthenticationFailed.into());
    };
    take_try(services, &installation).await?;
    if !services
        .pins
        .verify(login.pin, Some(installation.pin_hash))
        .await?
    {
        return Err(Code::AuthenticationFailed.into());
    }
    let mut tx = services.db.begin().await?;
    if !installations::clear_pin_tries(&mut tx, installation.id).await? {
        return Err(Code::AuthenticationFailed.into());
    }
    let session = begin_session(services, &mut tx, installation.id).await?;
    tx.commit().await?;
    Ok(session)
}

/// The installation, if it is in use and its key signed an open challenge, which is spent.
async fn prove(services: &Services, login: &Login) -> Result<Option<Installation>, Error> {
    let mut tx = services.db.begin().await?;
    let Some(installation) = installations::find(&mut tx, login.installation).await? else {
        return Ok(None);
    };
    let Ok(claims) = session_proof::verify(&login.proof, &installation.key) else {
        return Ok(None);
    };
    let meant = i64::try_from(claims.installation_id).is_ok_and(|id| id == installation.id.0);
    let challenge_hash = hash(claims.challenge.as_bytes());
    if !meant || !sessions::spend_challenge(&mut tx, &challenge_hash, installation.id, services.now()).await?
    {
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(installation))
}

/// Takes a try before the PIN is compared.
async fn take_try(services: &Services, installation: &Installation) -> Result<(), Error> {
    let (now, sessions) = (services.now(), &services.config.sessions);
    let (allowed, locked_for) = (
        i64::from(sessions.pin_tries),
        i64::from(sessions.pin_lock_minutes) * 60_000,
    );
    let mut tx = services.db.begin().await?;
    if !installations::take_pin_try(&mut tx, installation.id, allowed, locked_for, now).await? {
        let wait = (installation.locked_until - now).whole_seconds().max(1);
        return Err(Error::too_many(u32::try_from(wait).unwrap_or(u32::MAX)));
    }
    tx.commit().await?;
    Ok(())
}

/// Ends the session of this token.
///
/// # Errors
/// When the database fails.
pub async fn log_out(services: &Services, token_hash: &[u8; 32]) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    sessions::delete(&mut tx, token_hash).await?;
    tx.commit().await?;
    Ok(())
}
