//! Takes over the outcome of a partner's own KYC process. On `ACCEPTED` the automatic balance is made in the same commit.

use crate::domain::kyc::KycStatus;
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::kyc::{self, Event, Source};
use crate::store::{Tx, balances, users};

/// What a partner's process came to.
pub struct Decision {
    /// The status, any but `NONE`.
    pub status: KycStatus,
    /// Who established the identity.
    pub provider: String,
    /// Under which name the provider finds it again.
    pub reference: String,
}

/// Sets the flag. Returns the status that holds.
///
/// # Errors
/// `NOT_FOUND` when the user is gone.
pub async fn set_kyc(services: &Services, user: UserId, decision: &Decision) -> Result<KycStatus, Error> {
    let mut tx = services.db.begin().await?;
    let status = {
        let user = users::find_for_update(&mut tx, user)
            .await?
            .ok_or(Code::NotFound)?;
        user.kyc
            .decided_by_partner(decision.status)
            .ok_or_else(|| Error::internal("the door let an impossible decision through"))?
    };
    let event = Event {
        user,
        status,
        source: Source::PartnerProcess,
        provider: Some(&decision.provider),
        reference: Some(&decision.reference),
        application: None,
    };
    kyc::insert(&mut tx, &event, services.now()).await?;
    users::set_kyc(&mut tx, user, status).await?;
    if status == KycStatus::Accepted {
        automatic_balance(services, &mut tx, user).await?;
    }
    tx.commit().await?;
    Ok(status)
}

/// Makes the balance that a user has from the moment of acceptance, where the program wants it and there is none yet.
pub(super) async fn automatic_balance(services: &Services, tx: &mut Tx, user: UserId) -> Result<(), Error> {
    let user = users::find(tx, user).await?.ok_or(Code::NotFound)?;
    let program = services.program_of(&user)?;
    if program.automatic_balance && !balances::has_one_in(tx, user.id, program.currency).await? {
        balances::insert(tx, user.id, &program.name, program.currency, services.now()).await?;
    }
    Ok(())
}
