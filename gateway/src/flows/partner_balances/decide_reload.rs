//! Decide the reload of a partner balance, as another operator of the platform than who proposed it. Approved, the money is
//! credited in the same transaction; the database itself refuses a decision by whoever proposed, and a second credit of one bank
//! transfer.

use super::{only_platform, within};
use crate::domain::event::{Event, EventKind};
use crate::domain::ledger::{AccountKind, TransferId, plan};
use crate::domain::operator::Operator;
use crate::domain::partner_balance::{PartnerBalance, PartnerBalanceId, PartnerReload, PartnerReloadId};
use crate::error::{Code, Error};
use crate::flows::claimed::{Opened, open};
use crate::flows::money::{About, Chain, carry};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::ledger::accounts::{self, Owner};
use crate::store::{Tx, events, partner_reloads};

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The money is there.
    Approve,
    /// It is not.
    Reject,
}

/// Decides; `render` writes the answer from the reload and the balance afterwards.
///
/// # Errors
/// `NOT_FOUND`, `PLATFORM_ONLY`; `RELOAD_DECIDED` when it was decided before; `OWN_PROPOSAL`.
pub async fn decide_reload(
    services: &Services,
    request: &Request,
    (by, stamp): (&Operator, &Stamp),
    (id, reload, decision): (PartnerBalanceId, PartnerReloadId, Decision),
    render: impl FnOnce(&PartnerReload, &PartnerBalance) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let balance = within(&mut tx, by, id).await?;
    only_platform(by)?;
    let reload = partner_reloads::take(&mut tx, id, reload)
        .await?
        .ok_or(Code::NotFound)?;
    reload.judge(by.id)?;
    let (action, transfer) = match decision {
        Decision::Approve => {
            let transfer = credit(services, &mut tx, &balance, &reload).await?;
            ("APPROVE_PARTNER_RELOAD", Some(transfer))
        }
        Decision::Reject => ("REJECT_PARTNER_RELOAD", None),
    };
    let reload = partner_reloads::decide(&mut tx, reload.id, transfer, by.id, now).await?;
    let stamp = stamp
        .clone()
        .named(action)
        .about_partner(&balance.partner)
        .saying(format!("partner balance {}, reload {}", id.0, reload.id.0));
    audit::write(&mut tx, &stamp, Outcome::Done, now).await?;
    let balance = within(&mut tx, by, id).await?;
    let answer = render(&reload, &balance)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

async fn credit(
    services: &Services,
    tx: &mut Tx,
    balance: &PartnerBalance,
    reload: &PartnerReload,
) -> Result<TransferId, Error> {
    let now = services.now();
    let program = match &balance.program {
        Some(program) => program.clone(),
        None => default_program(services, balance)?,
    };
    let owner = Owner {
        partner: &balance.partner,
        program: &program,
        currency: balance.currency,
    };
    let funding = accounts::ensure(tx, owner, AccountKind::Funding, now).await?;
    let taken = accounts::take(tx, [funding, balance.account]).await?;
    let about = About {
        reference: Some(&reload.bank_reference),
        ..About::default()
    };
    let planned = plan::partner_reload(funding, balance.account, reload.amount);
    let carried = carry(tx, taken, &Chain::at_once(planned, about), now).await?;
    // What comes into the platform's own balance is no partner's to be told of.
    if balance.kind.limits_a_partner() {
        let event = Event::new(EventKind::PartnerBalanceReloaded, &balance.partner)
            .telling("partnerBalanceId", balance.id.0)
            .telling("kind", balance.kind.as_str())
            .telling("amount", reload.amount.minor())
            .telling("currency", balance.currency.code());
        events::write(tx, &event, now).await?;
    }
    Ok(carried.first)
}

/// A program of the partner's, by which no account that is used here is found: FUNDING is the partner's.
fn default_program(services: &Services, balance: &PartnerBalance) -> Result<shared::ids::ProgramName, Error> {
    let program = services.config.default_program(&balance.partner);
    program
        .map(|program| program.name.clone())
        .ok_or_else(|| Error::internal("a partner's program is not configured"))
}
