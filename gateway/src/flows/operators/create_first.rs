//! Makes an operator from the command line: the first one, whom nobody can invite.

use zeroize::Zeroizing;

use super::invite::{Invitation, file};
use super::second_factor;
use crate::domain::operator::{Operator, OperatorState, Password};
use crate::error::Error;
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::operators;

/// What the command line shows, once.
pub struct Created {
    /// The operator's number.
    pub operator: Operator,
    /// What an authenticator app is set up with.
    pub uri: Zeroizing<String>,
    /// For the day on which the app is lost.
    pub recovery_codes: Vec<Zeroizing<String>>,
}

/// Makes an operator who can log in at once.
///
/// # Errors
/// `LOGIN_TAKEN`.
pub async fn create(services: &Services, new: Invitation, password: Password) -> Result<Created, Error> {
    let password_hash = services.pins.hash(password, &services.random).await?;
    let mut tx = services.db.begin().await?;
    let operator = Operator {
        id: operators::next_id(&mut tx).await?,
        login: new.login,
        role: new.role,
        scope: new.scope,
        state: OperatorState::Active,
    };
    file(&mut tx, &operator, services).await?;
    let (secret, sealed) = second_factor::fresh(services, operator.id)?;
    operators::set_secret(&mut tx, operator.id, &sealed).await?;
    operators::set_password(&mut tx, operator.id, &password_hash).await?;
    operators::set_state(&mut tx, operator.id, OperatorState::Active).await?;
    let codes = second_factor::recovery_codes(services)?;
    operators::set_recovery_codes(&mut tx, operator.id, &codes.hashes).await?;
    let stamp = Stamp::by_command_line("CREATE_OPERATOR")
        .about_operator(operator.id, &operator.scope)
        .saying(operator.role.as_str());
    audit::write(&mut tx, &stamp, Outcome::Done, services.now()).await?;
    tx.commit().await?;
    Ok(Created {
        uri: Zeroizing::new(secret.uri(&operator.login, operator.scope.partner())),
        operator,
        recovery_codes: codes.shown,
    })
}
