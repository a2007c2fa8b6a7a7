//! Logs an operator in: password and second factor together, one answer for all that can be wrong.
//!
//! Failures are counted by the login that was tried, whether there is such an operator or not, and before anything is
//! compared; for an unknown login a decoy is hashed. So neither answer nor time tells who is an operator.

use serde::{Deserialize, Serialize};
use time::Duration;
use zeroize::Zeroizing;

use super::super::begin_session::NewSession;
use super::super::claimed::{Opened, open};
use super::super::secret::{hash, token};
use super::second_factor;
use crate::domain::operator::{Login, OperatorState, Password};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::idempotency::{Answer, Claim, Request};
use crate::store::operators::Credentials;
use crate::store::{Tx, operator_sessions, operators};

/// The action's name in the audit trail.
const ACTION: &str = "LOG_IN";

/// What an operator sends.
pub struct OperatorLogin {
    /// Who.
    pub login: Login,
    /// What the operator knows.
    pub password: Password,
    /// What the operator has.
    pub factor: SecondFactor,
}

/// What an operator has.
pub enum SecondFactor {
    /// A code of the authenticator app.
    Totp(Zeroizing<String>),
    /// One of the codes for the day on which the app is lost.
    RecoveryCode(Zeroizing<String>),
}

/// What is kept of an answered request: how to find its session.
#[derive(Serialize, Deserialize)]
struct Kept {
    request: i64,
}

/// Begins a session.
///
/// # Errors
/// `AUTHENTICATION_FAILED`; 429 while the login is locked for too many failures; 503 while too many log in at once.
pub async fn log_in(
    services: &Services,
    mut request: Request,
    attempt: OperatorLogin,
    trace: &str,
) -> Result<NewSession, Error> {
    let OperatorLogin {
        login,
        password,
        factor,
    } = attempt;
    request.scope = format!("operator:{} {}", login.as_str(), request.scope);
    // Before anything is spent or counted: who is turned away for want of a core has lost nothing.
    let turn = services.pins.turn().await?;
    let login_hash = hash(login.as_str().as_bytes());
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, &request).await? {
        Opened::Replay(kept) => {
            let session = renew(services, &mut tx, &kept).await?;
            tx.commit().await?;
            return session.ok_or_else(|| Code::AuthenticationFailed.into());
        }
        Opened::Claim(claim) => claim,
    };
    if let Err(locked) = count_try(services, &mut tx, &login_hash).await {
        claim.abandon(&mut tx).await?;
        tx.commit().await?;
        return Err(locked);
    }
    let known = operators::of_login(&mut tx, &login).await?;
    let known = known.filter(|known| known.operator.state == OperatorState::Active);
    tx.commit().await?;

    let password_hash = known.as_ref().and_then(|known| known.password_hash.clone());
    let right = services.pins.verify(turn, password, password_hash).await?;
    let mut tx = services.db.begin().await?;
    let admitted = match &known {
        Some(known) => right && is_factor(services, &mut tx, known, &factor).await?,
        None => false,
    };
    let Some(known) = known.as_ref().filter(|_| admitted) else {
        if let Some(known) = &known {
            let stamp = Stamp::by(&known.operator, ACTION).in_trace(trace);
            audit::write(&mut tx, &stamp, Outcome::Refused, services.now()).await?;
        }
        claim.abandon(&mut tx).await?;
        tx.commit().await?;
        return Err(Code::AuthenticationFailed.into());
    };
    operators::clear_login_tries(&mut tx, &login_hash).await?;
    let stamp = Stamp::by(&known.operator, ACTION)
        .in_trace(trace)
        .saying(factor.name());
    audit::write(&mut tx, &stamp, Outcome::Done, services.now()).await?;
    let session = begin(services, &mut tx, known, &claim).await?;
    tx.commit().await?;
    Ok(session)
}

impl SecondFactor {
    const fn name(&self) -> &'static str {
        match self {
            Self::Totp(_) => "TOTP",
            Self::RecoveryCode(_) => "RECOVERY_CODE",
        }
    }
}

/// Counts the login as failed until it is not.
async fn count_try(services: &Services, tx: &mut Tx, login_hash: &[u8; 32]) -> Result<(), Error> {
    let rules = &services.config.operators;
    let now = services.now();
    let locked_for = Duration::minutes(i64::from(rules.login_lock_minutes));
    match operators::take_login_try(tx, login_hash, i64::from(rules.login_tries), locked_for, now).await? {
        None => Ok(()),
        Some(until) => {
            let wait = (until - now).whole_seconds().max(1);
            Err(Error::too_many(u32::try_from(wait).unwrap_or(u32::MAX)))
        }
    }
}

/// Compares the second factor and uses it up, in the transaction of the session. The operator is read again: password and
/// state may have changed while the password was compared.
async fn is_factor(
    services: &Services,
    tx: &mut Tx,
    known: &Credentials,
    factor: &SecondFactor,
) -> Result<bool, Error> {
    let id = known.operator.id;
    let Some(now) = operators::take(tx, id).await? else {
        return Ok(false);
    };
    if now.password_hash != known.password_hash || now.operator.state != OperatorState::Active {
        return Ok(false);
    }
    match factor {
        SecondFactor::Totp(code) => {
            let Some(sealed) = now.totp_secret else {
                return Ok(false);
            };
            match second_factor::open(services, id, &sealed)?.step_of(code, services.now()) {
                Some(step) => Ok(operators::use_step(tx, id, step).await?),
                None => Ok(false),
            }
        }
        SecondFactor::RecoveryCode(code) => match second_factor::hash_of_typed(code) {
            Some(hash) => Ok(operators::use_recovery_code(tx, id, &hash).await?),
            None => Ok(false),
        },
    }
}

async fn begin(
    services: &Services,
    tx: &mut Tx,
    known: &Credentials,
    claim: &Claim,
) -> Result<NewSession, Error> {
    let (token, token_hash) = token(services, super::SESSION_PREFIX)?;
    let minutes = i64::from(services.config.operators.session_minutes);
    let expires_at = services.now() + Duration::minutes(minutes);
    operator_sessions::insert(tx, &token_hash, known.operator.id, claim.entry(), expires_at).await?;
    if let Some(request) = claim.entry() {
        let body = serde_json::to_vec(&Kept { request })
            .map_err(|_| Error::internal("what is kept of a session cannot be written"))?;
        let answer = Answer {
            status: 201,
            vault_proof: None,
            audit_index: None,
            body,
        };
        claim.complete(tx, &answer).await?;
    }
    Ok(NewSession { token, expires_at })
}

/// The session of an answered request under another token; none when it has ended.
async fn renew(services: &Services, tx: &mut Tx, kept: &Answer) -> Result<Option<NewSession>, Error> {
    let kept: Kept = serde_json::from_slice(&kept.body)
        .map_err(|_| Error::internal("what is kept of a session cannot be read"))?;
    let (token, token_hash) = token(services, super::SESSION_PREFIX)?;
    let expires_at = operator_sessions::replace_token(tx, kept.request, &token_hash, services.now()).await?;
    Ok(expires_at.map(|expires_at| NewSession { token, expires_at }))
}

/// Ends the session of this token.
///
/// # Errors
/// When the database fails.
pub async fn log_out(services: &Services, token_hash: &[u8; 32], stamp: &Stamp) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    operator_sessions::delete(&mut tx, token_hash).await?;
    let stamp = stamp.clone().named("LOG_OUT");
    audit::write(&mut tx, &stamp, Outcome::Done, services.now()).await?;
    tx.commit().await?;
    Ok(())
}
