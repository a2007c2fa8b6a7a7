//! What is done with partner balances: created once, reloaded under four eyes, watched, locked. Each change by an operator writes
//! its entry into the trail in the same transaction.

pub mod create;
pub mod decide_reload;
pub mod propose_reload;
pub mod set_low_level;
pub mod set_state;
#[cfg(test)]
mod tests;

use crate::domain::operator::{Operator, Scope};
use crate::domain::partner_balance::{PartnerBalance, PartnerBalanceId};
use crate::error::{Code, Error};
use crate::store::{Tx, partner_balances};

/// A partner balance that an operator may know of.
async fn within(tx: &mut Tx, by: &Operator, id: PartnerBalanceId) -> Result<PartnerBalance, Error> {
    partner_balances::find(tx, id)
        .await?
        .filter(|balance| balance.is_within(&by.scope))
        .ok_or_else(|| Code::NotFound.into())
}

/// Money comes in at the platform's bank, so only the platform's operators say that it did: a partner's would lift its own limit.
///
/// # Errors
/// `PLATFORM_ONLY`.
pub fn only_platform(by: &Operator) -> Result<(), Error> {
    if by.scope == Scope::Platform {
        Ok(())
    } else {
        Err(Code::PlatformOnly.into())
    }
}
