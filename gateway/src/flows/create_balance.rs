//! Creates a balance for a user whose identity is established.

use shared::money::Currency;

use super::claimed::{Opened, open};
use crate::domain::balance::{BALANCES_MAX, Balance};
use crate::domain::event::{Event, EventKind};
use crate::domain::kyc::KycStatus;
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::{balances, events, users};

/// Creates the balance, in the program's currency if none is named; `render` writes the answer. An operator's action comes
/// with its stamp.
///
/// # Errors
/// `USER_LOCKED`, `KYC_REQUIRED`, `TOO_MANY_BALANCES`.
pub async fn create_balance(
    services: &Services,
    request: &Request,
    (user, stamp): (UserId, Option<&Stamp>),
    currency: Option<Currency>,
    render: impl FnOnce(&Balance) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    // Locked until the end, so that neither a refusal of the identity nor another balance comes in between.
    let user = users::find_for_update(&mut tx, user)
        .await?
        .ok_or(Code::NotFound)?;
    if !user.may_get_more() {
        return Err(Code::UserLocked.into());
    }
    if user.kyc != KycStatus::Accepted {
        return Err(Code::KycRequired.into());
    }
    if balances::count_open(&mut tx, user.id).await? >= BALANCES_MAX {
        return Err(Code::TooManyBalances.into());
    }
    let program = services.program_of(&user)?;
    let currency = currency.unwrap_or(program.currency);
    let balance = balances::insert(&mut tx, user.id, &program.name, currency, services.now()).await?;
    let event = Event::new(EventKind::BalanceCreated, &user.partner)
        .about_user(user.id)
        .telling("balanceId", balance.id.0)
        .telling("currency", currency.code());
    events::write(&mut tx, &event, services.now()).await?;
    let stamp = stamp
        .cloned()
        .map(|stamp| stamp.saying(format!("balance {}", balance.id.0)));
    audit::write_done(&mut tx, stamp.as_ref(), services.now()).await?;
    let answer = render(&balance)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
