//! Invites an operator by mail.

use time::Duration;

use super::super::claimed::{Opened, open};
use super::super::secret::token;
use super::mail;
use crate::domain::operator::{Login, Operator, OperatorState, Role, Scope};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::operator_tokens::{self, Purpose};
use crate::store::{StoreError, Tx, operators};

/// What an invitation token begins with.
const PREFIX: &str = "inv_";

/// Whom to invite.
pub struct Invitation {
    /// By which the operator will log in, and where the mail goes.
    pub login: Login,
    /// In which role.
    pub role: Role,
    /// For whom.
    pub scope: Scope,
}

/// Invites; `render` writes the answer, which does not hold the token.
///
/// # Errors
/// `ROLE_FORBIDDEN` for an operator of somebody else than `by` works for; `LOGIN_TAKEN`.
pub async fn invite(
    services: &Services,
    request: &Request,
    by: &Operator,
    invitation: Invitation,
    stamp: &Stamp,
    render: impl FnOnce(&Operator) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    if !by.scope.covers(&invitation.scope) {
        return Err(Code::RoleForbidden.into());
    }
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let invited = Operator {
        id: operators::next_id(&mut tx).await?,
        login: invitation.login,
        role: invitation.role,
        scope: invitation.scope,
        state: OperatorState::Invited,
    };
    file(&mut tx, &invited, services).await?;
    mail_invitation(services, &mut tx, &invited).await?;
    let stamp = stamp
        .clone()
        .named("INVITE_OPERATOR")
        .about_operator(invited.id, &invited.scope)
        .saying(invited.role.as_str());
    audit::write(&mut tx, &stamp, Outcome::Done, services.now()).await?;
    let answer = render(&invited)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Files a new operator.
pub(super) async fn file(tx: &mut Tx, operator: &Operator, services: &Services) -> Result<(), Error> {
    operators::insert(tx, operator, services.now())
        .await
        .map_err(|error| match error {
            StoreError::Duplicate => Code::LoginTaken.into(),
            error => error.into(),
        })
}

/// Mails an invitation; an earlier one is void.
pub(super) async fn mail_invitation(
    services: &Services,
    tx: &mut Tx,
    invited: &Operator,
) -> Result<(), Error> {
    let (token, token_hash) = token(services, PREFIX)?;
    let now = services.now();
    let expires_at = now + Duration::hours(i64::from(services.config.operators.invitation_hours));
    let issued = (invited.id, Purpose::Invitation);
    operator_tokens::replace(tx, &token_hash, issued, expires_at, now).await?;
    mail::write(
        services,
        tx,
        &invited.login,
        &mail::invitation(&token),
        expires_at,
    )
    .await
}
