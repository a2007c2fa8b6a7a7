//! Which accounts a user's transactions touch.

use shared::ids::ProgramName;
use time::OffsetDateTime;

use crate::domain::balance::BalanceId;
use crate::domain::ledger::plan::Parties;
use crate::domain::ledger::{AccountId, AccountKind};
use crate::domain::partner_balance::PartnerBalanceState;
use crate::domain::user::User;
use crate::error::{Code, Error};
use crate::store::ledger::accounts::{self, Owner};
use crate::store::{Tx, partner_balances};
use shared::money::Currency;

/// A user's side of a transaction: whose, on which balance, in which currency and program.
#[derive(Debug, Clone, Copy)]
pub(in crate::flows) struct Side<'a> {
    pub user: &'a User,
    pub balance: BalanceId,
    pub program: &'a ProgramName,
    pub currency: Currency,
}

impl<'a> Side<'a> {
    pub(in crate::flows) const fn owner(&self) -> Owner<'a> {
        Owner {
            partner: &self.user.partner,
            program: self.program,
            currency: self.currency,
        }
    }
}

/// Whether a locked partner balance is in the way: of new holds it is, of what follows from earlier ones it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locks {
    Forbid,
    Ignore,
}

/// The accounts of a user's transactions, made where they are missing. Nothing is taken yet.
///
/// # Errors
/// `PARTNER_BALANCE_REQUIRED`: without a limit nothing is within it; `PARTNER_BALANCE_LOCKED`.
pub(super) async fn parties(
    tx: &mut Tx,
    side: Side<'_>,
    locks: Locks,
    now: OffsetDateTime,
) -> Result<Parties, Error> {
    let owner = side.owner();
    let limit = accounts::limit_of(tx, owner.partner, owner.currency)
        .await?
        .ok_or(Code::PartnerBalanceRequired)?;
    if locks == Locks::Forbid {
        let balance = partner_balances::of_account(tx, limit).await?;
        if balance.is_none_or(|balance| balance.state == PartnerBalanceState::Locked) {
            return Err(Code::PartnerBalanceLocked.into());
        }
    }
    let user = accounts::of_balance(tx, owner, side.balance, now).await?;
    let [company, funding, settlement] = outside(tx, owner, now).await?;
    Ok(Parties {
        user,
        limit,
        funding,
        settlement,
        company,
    })
}

/// COMPANY, FUNDING and SETTLEMENT, made where they are missing, always in this order.
///
/// # Errors
/// When the database fails.
pub(in crate::flows) async fn outside(
    tx: &mut Tx,
    owner: Owner<'_>,
    now: OffsetDateTime,
) -> Result<[AccountId; 3], Error> {
    Ok([
        accounts::ensure(tx, owner, AccountKind::Company, now).await?,
        accounts::ensure(tx, owner, AccountKind::Funding, now).await?,
        accounts::ensure(tx, owner, AccountKind::Settlement, now).await?,
    ])
}
