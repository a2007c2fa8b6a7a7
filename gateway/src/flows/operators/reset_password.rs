//! Lets an operator who forgot the password choose another one, by a token that is mailed. The second factor stays: the
//! mailbox alone lets nobody in.

use time::Duration;

use super::super::secret::{hash, token};
use super::mail;
use crate::domain::operator::{Login, OperatorState, Password};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::operator_tokens::{self, Purpose};
use crate::store::{operator_sessions, operators};

/// What a reset token begins with.
const PREFIX: &str = "rst_";
/// A login is mailed to no more often than this.
const PAUSE: Duration = Duration::minutes(5);

/// Mails a token, if there is an operator of this login who can log in. Nobody is told whether there is.
///
/// # Errors
/// When the database or the system's randomness fails.
pub async fn ask(services: &Services, login: &Login, trace: &str) -> Result<(), Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    // Noted for unknown logins too: both wait for the disk.
    let first = operators::note_reset_ask(&mut tx, &hash(login.as_str().as_bytes()), PAUSE, now).await?;
    let known = operators::of_login(&mut tx, login).await?;
    let known = known.filter(|known| first && known.operator.state == OperatorState::Active);
    if let Some(known) = known {
        let operator = known.operator;
        let (token, token_hash) = token(services, PREFIX)?;
        let minutes = i64::from(services.config.operators.password_reset_minutes);
        let expires_at = now + Duration::minutes(minutes);
        let issued = (operator.id, Purpose::PasswordReset);
        operator_tokens::replace(&mut tx, &token_hash, issued, expires_at, now).await?;
        let letter = mail::password_reset(&token);
        mail::write(services, &mut tx, &operator.login, &letter, expires_at).await?;
        let stamp = Stamp::by(&operator, "ASK_PASSWORD_RESET").in_trace(trace);
        audit::write(&mut tx, &stamp, Outcome::Done, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Sets another password. All sessions end, and failed logins are forgotten.
///
/// # Errors
/// `TOKEN_INVALID`.
pub async fn carry_through(
    services: &Services,
    token: &str,
    password: Password,
    trace: &str,
) -> Result<(), Error> {
    let token_hash = hash(token.as_bytes());
    let mut read = services.db.read().await?;
    let found = operator_tokens::find(&mut read, &token_hash, Purpose::PasswordReset, services.now()).await?;
    drop(read);
    found.ok_or(Code::TokenInvalid)?;
    let password_hash = services.pins.hash(password, &services.random).await?;

    let now = services.now();
    let mut tx = services.db.begin().await?;
    let id = operator_tokens::spend(&mut tx, &token_hash, Purpose::PasswordReset, now)
        .await?
        .ok_or(Code::TokenInvalid)?;
    let operator = operators::take(&mut tx, id)
        .await?
        .map(|known| known.operator)
        .filter(|operator| operator.state == OperatorState::Active)
        .ok_or(Code::TokenInvalid)?;
    operators::set_password(&mut tx, id, &password_hash).await?;
    operators::clear_login_tries(&mut tx, &hash(operator.login.as_str().as_bytes())).await?;
    operator_sessions::delete_of(&mut tx, id).await?;
    let stamp = Stamp::by(&operator, "RESET_PASSWORD").in_trace(trace);
    audit::write(&mut tx, &stamp, Outcome::Done, now).await?;
    tx.commit().await?;
    Ok(())
}
