//! Logs an installation in: a challenge, then its signature by the device's key together with the app's PIN.
//!
//! What is wrong is never told: an unknown installation is answered like a wrong PIN, after the same work. The PIN's
//! counter moves only for those who hold the device's key, so that no stranger locks an installation;
//! nor are logins of an installation counted for others.

use shared::jws::session_proof;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::begin_session::{NewSession, begin_session, renew_session};
use super::claimed::{Opened, open};
use super::secret::{hash, token};
use crate::domain::installation::{AppPin, InstallationId};
use crate::domain::user::UserStanding;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::idempotency::Request;
use crate::store::installations::{self, Installation};
use crate::store::{Tx, sessions, users};

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
/// `AUTHENTICATION_FAILED`; `USER_LOCKED`; 429 while the installation is locked for too many wrong PINs, or logs in too often; 503 while
/// too many log in at once.
pub async fn log_in(services: &Services, mut request: Request, login: Login) -> Result<NewSession, Error> {
    request.scope = format!("installation:{} {}", login.installation.0, request.scope);
    // Before anything is spent or counted: who is turned away for want of a core has lost nothing.
    let turn = services.pins.turn().await?;
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, &request).await? {
        Opened::Replay(kept) => {
            let renewed = renew_session::<()>(services, &mut tx, &kept).await?;
            let (_, session, ()) = renewed.ok_or(Code::AuthenticationFailed)?;
            tx.commit().await?;
            return Ok(session);
        }
        Opened::Claim(claim) => claim,
    };
    let installation = match admit(services, &mut tx, &login).await {
        Ok(installation) => installation,
        Err(refused) => {
            claim.abandon(&mut tx).await?;
            tx.commit().await?;
            if refused.code() == Code::AuthenticationFailed {
                services.pins.verify(turn, login.pin, None).await?;
            }
            return Err(refused);
        }
    };
    tx.commit().await?;

    let right = services
        .pins
        .verify(turn, login.pin, Some(installation.pin_hash))
        .await?;
    let mut tx = services.db.begin().await?;
    // Held until the end: a lock of the user comes before this login or after it.
    let user = users::find_for_update(&mut tx, installation.user).await?;
    // Not cleared: revoked in the meantime.
    let refused = match user {
        Some(user) if right && installations::clear_pin_tries(&mut tx, installation.id).await? => {
            // Told to whoever has the device's key and the PIN, and to nobody else.
            (user.standing != UserStanding::Open).then_some(Code::UserLocked)
        }
        Some(_) | None => Some(Code::AuthenticationFailed),
    };
    if let Some(refused) = refused {
        claim.abandon(&mut tx).await?;
        tx.commit().await?;
        return Err(refused.into());
    }
    let session = begin_session(services, &mut tx, installation.id, &claim, &()).await?;
    tx.commit().await?;
    Ok(session)
}

/// The installation, if its key signed an open challenge, which is spent, and it is not locked; a try is taken before the
/// PIN is compared.
async fn admit(services: &Services, tx: &mut Tx, login: &Login) -> Result<Installation, Error> {
    let failed = || Error::from(Code::AuthenticationFailed);
    let now = services.now();
    let installation = installations::find(tx, login.installation)
        .await?
        .ok_or_else(failed)?;
    let claims = session_proof::verify(&login.proof, &installation.key).map_err(|_| failed())?;
    let meant = i64::try_from(claims.installation_id).is_ok_and(|id| id == installation.id.0);
    let challenge_hash = hash(claims.challenge.as_bytes());
    if !meant || !sessions::spend_challenge(tx, &challenge_hash, installation.id, now).await? {
        return Err(failed());
    }
    services.installation_logins.check(&installation.id)?;
    let settings = &services.config.sessions;
    let (allowed, locked_for) = (
        i64::from(settings.pin_tries),
        i64::from(settings.pin_lock_minutes) * 60_000,
    );
    if !installations::take_pin_try(tx, installation.id, allowed, locked_for, now).await? {
        let wait = (installation.locked_until - now).whole_seconds().max(1);
        return Err(Error::too_many(u32::try_from(wait).unwrap_or(u32::MAX)));
    }
    Ok(installation)
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
