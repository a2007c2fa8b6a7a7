//! Set the level below which a partner is told that its balance runs low, or take it away.

use super::within;
use crate::domain::ledger::{LowLevel, Watch};
use crate::domain::operator::Operator;
use crate::domain::partner_balance::{PartnerBalance, PartnerBalanceId};
use crate::error::{Code, Error};
use crate::flows::money::watch;
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::ledger::accounts;
use crate::store::partner_balances;

/// Sets it. A balance that is below the new level already is told of at once; setting the level that is set changes nothing.
///
/// # Errors
/// `NOT_FOUND`; `NOT_A_LIMIT` for a company balance.
pub async fn set_low_level(
    services: &Services,
    (by, stamp): (&Operator, &Stamp),
    id: PartnerBalanceId,
    level: Option<LowLevel>,
) -> Result<PartnerBalance, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let account = within(&mut tx, by, id).await?.account;
    // Taken: nothing crosses the level while it is being moved.
    accounts::take(&mut tx, [account]).await?;
    let mut balance = within(&mut tx, by, id).await?;
    if !balance.kind.limits_a_partner() {
        return Err(Code::NotALimit.into());
    }
    if balance.low_level != level {
        partner_balances::set_low_level(&mut tx, id, level, Watch::Armed).await?;
        (balance.low_level, balance.watch) = (level, Watch::Armed);
        watch(&mut tx, &balance, now).await?;
    }
    let detail = level.map_or_else(
        || format!("partner balance {}: no level", id.0),
        |level| format!("partner balance {}: {} / {}", id.0, level.level(), level.rearm()),
    );
    let stamp = stamp
        .clone()
        .named("SET_LOW_LEVEL")
        .about_partner(&balance.partner)
        .saying(detail);
    audit::write(&mut tx, &stamp, Outcome::Done, now).await?;
    let balance = within(&mut tx, by, id).await?;
    tx.commit().await?;
    Ok(balance)
}
