//! Create a partner's CREDIT or DEPOSIT balance. A partner has one of the two in a currency: the database keeps it so.

use shared::ids::ProgramName;
use shared::money::Currency;
use shared::mtls::identity::Name;

use crate::domain::ledger::AccountKind;
use crate::domain::partner_balance::PartnerBalance;
use crate::error::{Code, Error};
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::audit::{self, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::ledger::accounts::{self, Owner};
use crate::store::{StoreError, partner_balances};

/// Which balance.
#[derive(Debug, Clone)]
pub struct NewPartnerBalance {
    /// Whose.
    pub partner: Name,
    /// The partner's program of new users, which names the platform's accounts beside it.
    pub program: ProgramName,
    /// CREDIT or DEPOSIT.
    pub kind: AccountKind,
    /// In which currency.
    pub currency: Currency,
}

/// Creates it, empty and in use; `render` writes the answer. An operator's action comes with its stamp.
///
/// # Errors
/// `PARTNER_BALANCE_EXISTS`.
pub async fn create(
    services: &Services,
    request: &Request,
    stamp: Option<&Stamp>,
    new: &NewPartnerBalance,
    render: impl FnOnce(&PartnerBalance) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let owner = Owner {
        partner: &new.partner,
        program: &new.program,
        currency: new.currency,
    };
    let account = accounts::insert(&mut tx, owner, new.kind, None, now)
        .await
        .map_err(|error| match error {
            StoreError::Duplicate => Error::from(Code::PartnerBalanceExists),
            other => other.into(),
        })?;
    let id = partner_balances::insert(&mut tx, account, now).await?;
    let balance = partner_balances::find(&mut tx, id)
        .await?
        .ok_or_else(|| Error::internal("a partner balance is not found again"))?;
    let stamp = stamp.cloned().map(|stamp| {
        let (kind, currency) = (new.kind.as_str(), new.currency);
        stamp
            .named("CREATE_PARTNER_BALANCE")
            .about_partner(&new.partner)
            .saying(format!("partner balance {}: {kind} {currency}", id.0))
    });
    audit::write_done(&mut tx, stamp.as_ref(), now).await?;
    let answer = render(&balance)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
