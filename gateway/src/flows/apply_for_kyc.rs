//! Files an application for KYC: the data now, documents later. A refused user may apply again.

use super::claimed::{Opened, open};
use crate::domain::kyc::{KycRefusal, KycStatus};
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::idempotency::{Answer, Request};
use crate::store::kyc::{self, Event, Source};
use crate::store::users;

/// Files the application; `data` is its JSON, `render` writes the answer from the status that holds then.
///
/// # Errors
/// `KYC_IN_PROGRESS`, `KYC_ACCEPTED`.
pub async fn apply_for_kyc(
    services: &Services,
    request: &Request,
    user: UserId,
    source: Source,
    data: &str,
    render: impl FnOnce(KycStatus) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let status = users::find_for_update(&mut tx, user)
        .await?
        .ok_or(Code::NotFound)?
        .kyc
        .apply()
        .map_err(|refusal| match refusal {
            KycRefusal::InProgress => Code::KycInProgress,
            KycRefusal::Accepted => Code::KycAccepted,
        })?;
    let event = Event {
        user,
        status,
        source,
        provider: None,
        reference: None,
        application: Some(data),
    };
    kyc::insert(&mut tx, &event, services.now()).await?;
    users::set_kyc(&mut tx, user, status).await?;
    let answer = render(status)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
