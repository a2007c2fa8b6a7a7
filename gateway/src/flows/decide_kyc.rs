//! An operator decides a KYC application. On `ACCEPTED` the automatic balance is made in the same commit.

use super::claimed::{Opened, open};
use super::settle_kyc::settle;
use crate::domain::kyc::{KycStatus, Rejection};
use crate::domain::operator::Operator;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::kyc::{Event, Source};
use crate::store::kyc_applications::{self, ApplicationId};
use crate::store::users;

/// Under this name decisions of operators stand with those of other providers.
const PROVIDER: &str = "operator";

/// What an operator decided.
pub struct OperatorDecision {
    /// About which application.
    pub application: ApplicationId,
    /// `ACCEPTED` or `REJECTED`.
    pub status: KycStatus,
    /// What the operator wrote to it for other operators: a case.
    pub note: Option<String>,
    /// Why it was rejected.
    pub rejection: Option<Rejection>,
}

/// Decides; `render` writes the answer.
///
/// # Errors
/// `NOT_FOUND` for what the operator may not know of; `KYC_DECIDED` when the application does not wait any more.
pub async fn decide_kyc(
    services: &Services,
    request: &Request,
    (by, stamp): (&Operator, &Stamp),
    decision: &OperatorDecision,
    render: impl FnOnce(KycStatus) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let application = kyc_applications::find(&mut tx, decision.application)
        .await?
        .filter(|application| by.scope.sees(&application.partner))
        .ok_or(Code::NotFound)?;
    // Locked until the end: of two who decide at the same time the second sees what the first decided.
    let user = users::find_for_update(&mut tx, application.user)
        .await?
        .ok_or(Code::NotFound)?;
    if !kyc_applications::is_waiting(&mut tx, application.id).await? {
        return Err(Code::KycDecided.into());
    }
    let status = decision.status;
    let event = Event {
        user: user.id,
        status,
        source: Source::Operator,
        provider: Some(PROVIDER),
        reference: decision.note.as_deref(),
        application: None,
        rejection: decision.rejection.as_ref(),
    };
    settle(services, &mut tx, &user, &event).await?;
    let detail = match &decision.rejection {
        Some(rejection) => format!("{} {}", status.as_str(), rejection.reason.as_str()),
        None => status.as_str().to_owned(),
    };
    let stamp = stamp.clone().about_user(&user).saying(detail);
    audit::write_done(&mut tx, Some(&stamp), services.now()).await?;
    let answer = render(status)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
