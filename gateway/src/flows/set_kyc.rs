//! Takes over the outcome of a partner's own KYC process. On `ACCEPTED` the automatic balance is made in the same commit.

use super::settle_kyc::settle;
use crate::domain::kyc::{KycStatus, Rejection};
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::kyc::{Event, Source};
use crate::store::users;

/// What a partner's process came to.
pub struct Decision {
    /// The status, any but `NONE`.
    pub status: KycStatus,
    /// Who established the identity.
    pub provider: String,
    /// Under which name the provider finds it again.
    pub reference: String,
    /// Why it was rejected, where the partner says so.
    pub rejection: Option<Rejection>,
}

/// Sets the flag. Returns the status that holds.
///
/// # Errors
/// `NOT_FOUND` when the user is gone; `KYC_NOT_BY_PARTNER` where the program leaves the decision to somebody else.
pub async fn set_kyc(services: &Services, user: UserId, decision: &Decision) -> Result<KycStatus, Error> {
    let mut tx = services.db.begin().await?;
    let user = users::find_for_update(&mut tx, user)
        .await?
        .ok_or(Code::NotFound)?;
    if !services.program_of(&user)?.kyc_partner_flag {
        return Err(Code::KycNotByPartner.into());
    }
    let status = user
        .kyc
        .decided_by_partner(decision.status)
        .ok_or_else(|| Error::internal("the door let an impossible decision through"))?;
    let event = Event {
        user: user.id,
        status,
        source: Source::PartnerProcess,
        provider: Some(&decision.provider),
        reference: Some(&decision.reference),
        application: None,
        rejection: decision.rejection.as_ref(),
    };
    settle(services, &mut tx, &user, &event).await?;
    tx.commit().await?;
    Ok(status)
}
