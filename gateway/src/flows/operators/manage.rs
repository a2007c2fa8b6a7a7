//! What an Admin does with other operators. Whoever is changed feels it at once: a session shows the role of the moment.

use super::super::claimed::{Opened, open};
use super::invite::mail_invitation;
use crate::domain::operator::{Operator, OperatorId, OperatorState, Role, Scope};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::operator_tokens::{self, Purpose};
use crate::store::{Tx, operator_sessions, operators};

/// What is to become of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Another role.
    Role(Role),
    /// Cannot log in any more; sessions end.
    Disable,
    /// Can log in again.
    Enable,
    /// Loses password and second factor and is invited anew; sessions end. Of an operator who is invited already: the
    /// invitation is sent again.
    ResetSecondFactor,
}

impl Change {
    const fn action(self) -> &'static str {
        match self {
            Self::Role(_) => "CHANGE_ROLE",
            Self::Disable => "DISABLE_OPERATOR",
            Self::Enable => "ENABLE_OPERATOR",
            Self::ResetSecondFactor => "RESET_SECOND_FACTOR",
        }
    }

    /// Whether an operator who was an Admin can act as one no more.
    const fn unseats(self) -> bool {
        match self {
            Self::Role(Role::Admin) | Self::Enable => false,
            Self::Role(Role::Manager | Role::Employee) | Self::Disable | Self::ResetSecondFactor => true,
        }
    }
}

/// Changes an operator; `render` writes the answer.
///
/// # Errors
/// `NOT_FOUND` for an operator of somebody else than `by` works for; `LAST_ADMIN` when the platform would be left without
/// one; `OPERATOR_DISABLED`.
pub async fn change(
    services: &Services,
    request: &Request,
    (by, stamp): (&Operator, &Stamp),
    (id, change): (OperatorId, Change),
    render: impl FnOnce(&Operator) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    // Before the operator: all who take operators do it in this order.
    let admins = operators::take_platform_admins(&mut tx).await?;
    let operator = operators::take(&mut tx, id)
        .await?
        .map(|known| known.operator)
        .filter(|operator| by.scope.covers(&operator.scope))
        .ok_or(Code::NotFound)?;
    let is_admin = operator.scope == Scope::Platform && admins.contains(&id);
    if is_admin && change.unseats() && admins.len() == 1 {
        return Err(Code::LastAdmin.into());
    }
    let changed = apply(services, &mut tx, operator, change).await?;
    let mut stamp = stamp
        .clone()
        .named(change.action())
        .about_operator(id, &changed.scope);
    if let Change::Role(role) = change {
        stamp = stamp.saying(role.as_str());
    }
    audit::write(&mut tx, &stamp, Outcome::Done, services.now()).await?;
    let answer = render(&changed)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

async fn apply(
    services: &Services,
    tx: &mut Tx,
    mut operator: Operator,
    change: Change,
) -> Result<Operator, Error> {
    let id = operator.id;
    match change {
        Change::Role(role) => {
            operators::set_role(tx, id, role).await?;
            operator.role = role;
        }
        Change::Disable => {
            operators::set_state(tx, id, OperatorState::Disabled).await?;
            operator_sessions::delete_of(tx, id).await?;
            operator_tokens::void(tx, id, Purpose::Invitation).await?;
            operator_tokens::void(tx, id, Purpose::PasswordReset).await?;
            operator.state = OperatorState::Disabled;
        }
        Change::Enable => {
            if operator.state == OperatorState::Disabled {
                operator.state = enable(services, tx, &operator).await?;
            }
        }
        Change::ResetSecondFactor => {
            if operator.state == OperatorState::Disabled {
                return Err(Code::OperatorDisabled.into());
            }
            operators::strip(tx, id).await?;
            operator_sessions::delete_of(tx, id).await?;
            operator_tokens::void(tx, id, Purpose::PasswordReset).await?;
            mail_invitation(services, tx, &operator).await?;
            operator.state = OperatorState::Invited;
        }
    }
    Ok(operator)
}

/// Whoever had accepted the invitation goes on as before; whoever had not is invited anew.
async fn enable(services: &Services, tx: &mut Tx, operator: &Operator) -> Result<OperatorState, Error> {
    let accepted = operators::take(tx, operator.id)
        .await?
        .is_some_and(|known| known.password_hash.is_some() && known.totp_secret.is_some());
    if accepted {
        operators::set_state(tx, operator.id, OperatorState::Active).await?;
        return Ok(OperatorState::Active);
    }
    operators::strip(tx, operator.id).await?;
    mail_invitation(services, tx, operator).await?;
    Ok(OperatorState::Invited)
}
