//! Lock a partner's limit, so that no authorisation of its users passes in that currency, or unlock it. What was approved before is
//! cleared, reversed and refunded all the same.

use super::{only_platform, within};
use crate::domain::operator::Operator;
use crate::domain::partner_balance::{PartnerBalance, PartnerBalanceId, PartnerBalanceState};
use crate::error::{Code, Error};
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::partner_balances;

/// Sets the state; the same again changes nothing. `render` writes the answer.
///
/// # Errors
/// `NOT_FOUND`, `PLATFORM_ONLY`; `NOT_A_LIMIT` for a company balance.
pub async fn set_state(
    services: &Services,
    request: &Request,
    (by, stamp): (&Operator, &Stamp),
    (id, state): (PartnerBalanceId, PartnerBalanceState),
    render: impl FnOnce(&PartnerBalance) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let balance = within(&mut tx, by, id).await?;
    only_platform(by)?;
    if !balance.kind.limits_a_partner() {
        return Err(Code::NotALimit.into());
    }
    partner_balances::set_state(&mut tx, id, state).await?;
    let action = match state {
        PartnerBalanceState::Locked => "LOCK_PARTNER_BALANCE",
        PartnerBalanceState::Active => "UNLOCK_PARTNER_BALANCE",
    };
    let stamp = stamp
        .clone()
        .named(action)
        .about_partner(&balance.partner)
        .saying(format!("partner balance {}", id.0));
    audit::write(&mut tx, &stamp, Outcome::Done, services.now()).await?;
    let answer = render(&PartnerBalance { state, ..balance })?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
