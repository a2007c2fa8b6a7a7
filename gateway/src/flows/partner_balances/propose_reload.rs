//! Propose the reload of a partner balance: an operator of the platform has seen a bank transfer. Nothing moves yet.

use super::{only_platform, within};
use crate::domain::ledger::{Amount, BankReference};
use crate::domain::operator::Operator;
use crate::domain::partner_balance::{PartnerBalanceId, PartnerReload};
use crate::error::{Code, Error};
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::{StoreError, partner_reloads};

/// What was seen.
#[derive(Debug, Clone)]
pub struct SeenTransfer {
    /// How much, in the balance's currency.
    pub amount: Amount,
    /// What the bank calls it.
    pub bank_reference: BankReference,
}

/// Proposes; `render` writes the answer.
///
/// # Errors
/// `NOT_FOUND`, `PLATFORM_ONLY`; `BANK_REFERENCE_USED` for a bank transfer that waits or was credited, on whatever balance.
pub async fn propose_reload(
    services: &Services,
    request: &Request,
    (by, stamp): (&Operator, &Stamp),
    (id, seen): (PartnerBalanceId, &SeenTransfer),
    render: impl FnOnce(&PartnerReload) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let balance = within(&mut tx, by, id).await?;
    only_platform(by)?;
    let what = (seen.amount, &seen.bank_reference);
    let reload = partner_reloads::insert(&mut tx, balance.id, what, by.id, now)
        .await
        .map_err(|error| match error {
            StoreError::Duplicate => Error::from(Code::BankReferenceUsed),
            other => other.into(),
        })?;
    let detail = format!(
        "partner balance {}, reload {}: {} {}",
        balance.id.0,
        reload.id.0,
        seen.amount.minor(),
        balance.currency
    );
    let stamp = stamp
        .clone()
        .named("PROPOSE_PARTNER_RELOAD")
        .about_partner(&balance.partner)
        .saying(detail);
    audit::write(&mut tx, &stamp, Outcome::Done, now).await?;
    let answer = render(&reload)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
