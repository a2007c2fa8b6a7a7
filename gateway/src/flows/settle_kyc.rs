//! The one way in which a KYC status changes, whoever brings it about: the event is kept, the user's status is set, the
//! automatic balance is made on acceptance, and the partner is told, all in the transaction of the caller.

use crate::domain::event::{Event, EventKind};
use crate::domain::kyc::KycStatus;
use crate::domain::user::User;
use crate::error::Error;
use crate::services::Services;
use crate::store::{Tx, balances, events, kyc, kyc_submissions, users};

/// Settles what has happened to a user whose row is locked. Returns the event's number.
///
/// # Errors
/// When the database fails, or the user's program is not configured any more.
pub(super) async fn settle(
    services: &Services,
    tx: &mut Tx,
    user: &User,
    happened: &kyc::Event<'_>,
) -> Result<i64, Error> {
    let now = services.now();
    let number = kyc::insert(tx, happened, now).await?;
    users::set_kyc(tx, user.id, happened.status).await?;
    if happened.status != user.kyc {
        let mut event = Event::new(EventKind::KycChanged, &user.partner)
            .about_user(user.id)
            .telling("kycStatus", happened.status.as_str());
        if let Some(rejection) = happened.rejection {
            event = event.telling("reasonCode", rejection.reason.as_str());
        }
        events::write(tx, &event, now).await?;
    }
    if matches!(happened.status, KycStatus::Accepted | KycStatus::Rejected) {
        // Whoever was asked needs not be asked any more.
        kyc_submissions::end_of(tx, user.id).await?;
    }
    if happened.status == KycStatus::Accepted {
        automatic_balance(services, tx, user).await?;
    }
    Ok(number)
}

/// Makes the balance that a user has from the moment of acceptance, where the program wants it and there is none yet.
async fn automatic_balance(services: &Services, tx: &mut Tx, user: &User) -> Result<(), Error> {
    let program = services.program_of(user)?;
    if !program.automatic_balance || balances::has_one_in(tx, user.id, program.currency).await? {
        return Ok(());
    }
    let now = services.now();
    let balance = balances::insert(tx, user.id, &program.name, program.currency, now).await?;
    let event = Event::new(EventKind::BalanceCreated, &user.partner)
        .about_user(user.id)
        .telling("balanceId", balance.id.0)
        .telling("currency", program.currency.code());
    events::write(tx, &event, now).await?;
    Ok(())
}
