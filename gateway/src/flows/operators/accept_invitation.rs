//! An invited operator sets up an authenticator app, then shows that it works and chooses a password.

use zeroize::Zeroizing;

use super::super::secret::hash;
use super::second_factor;
use crate::domain::operator::{OperatorState, Password};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::operator_tokens::{self, Purpose};
use crate::store::operators::Credentials;
use crate::store::{Tx, operators};

/// What an authenticator app is set up with. Shown now and never again.
pub struct NewSecondFactor {
    /// As a QR code carries it.
    pub uri: Zeroizing<String>,
    /// As it is typed.
    pub secret: Zeroizing<String>,
}

/// Makes a second factor for the invited operator; an earlier one that was not confirmed is void.
///
/// # Errors
/// `TOKEN_INVALID`.
pub async fn begin(services: &Services, token: &str) -> Result<NewSecondFactor, Error> {
    let mut tx = services.db.begin().await?;
    let invited = invited(services, &mut tx, token).await?.operator;
    let (secret, sealed) = second_factor::fresh(services, invited.id)?;
    operators::set_secret(&mut tx, invited.id, &sealed).await?;
    tx.commit().await?;
    Ok(NewSecondFactor {
        uri: Zeroizing::new(secret.uri(&invited.login, invited.scope.partner())),
        secret: Zeroizing::new(secret.base32()),
    })
}

/// Whom the token invites, locked until the transaction ends.
async fn invited(services: &Services, tx: &mut Tx, token: &str) -> Result<Credentials, Error> {
    let token_hash = hash(token.as_bytes());
    let found = operator_tokens::find(tx, &token_hash, Purpose::Invitation, services.now()).await?;
    let id = found.ok_or(Code::TokenInvalid)?;
    operators::take(tx, id)
        .await?
        .filter(|invited| invited.operator.state == OperatorState::Invited)
        .ok_or_else(|| Code::TokenInvalid.into())
}

/// Accepts: the operator can log in from now on. Returns the recovery codes.
///
/// # Errors
/// `TOKEN_INVALID`; `AUTHENTICATION_FAILED` when the code is not one of the second factor that was set up, after which the
/// invitation is good still.
pub async fn accept(
    services: &Services,
    token: &str,
    password: Password,
    totp: &str,
    trace: &str,
) -> Result<Vec<Zeroizing<String>>, Error> {
    let mut tx = services.db.begin().await?;
    invited(services, &mut tx, token).await?;
    tx.commit().await?;
    let password_hash = services.pins.hash(password, &services.random).await?;

    let now = services.now();
    let mut tx = services.db.begin().await?;
    let Credentials {
        operator,
        totp_secret,
        ..
    } = invited(services, &mut tx, token).await?;
    let id = operator.id;
    let sealed = totp_secret.ok_or(Code::AuthenticationFailed)?;
    let step = second_factor::open(services, id, &sealed)?
        .step_of(totp, now)
        .ok_or(Code::AuthenticationFailed)?;
    operator_tokens::spend(&mut tx, &hash(token.as_bytes()), Purpose::Invitation, now)
        .await?
        .ok_or(Code::TokenInvalid)?;
    operators::set_password(&mut tx, id, &password_hash).await?;
    operators::set_state(&mut tx, id, OperatorState::Active).await?;
    operators::use_step(&mut tx, id, step).await?;
    let codes = second_factor::recovery_codes(services)?;
    operators::set_recovery_codes(&mut tx, id, &codes.hashes).await?;
    let stamp = Stamp::by(&operator, "ACCEPT_INVITATION")
        .about_operator(id, &operator.scope)
        .in_trace(trace);
    audit::write(&mut tx, &stamp, Outcome::Done, now).await?;
    tx.commit().await?;
    Ok(codes.shown)
}
