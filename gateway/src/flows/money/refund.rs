//! Refund: a merchant gives back. The legs of a purchase, turned round, on locked cards and balances too.

use shared::money::Money;

use super::carry::{About, Chain, carry, posted};
use super::parties::{Locks, Side, parties};
use crate::domain::balance::{BalanceId, BalanceState};
use crate::domain::card::CardId;
use crate::domain::ledger::{Amount, Merchant, TransferId, plan};
use crate::domain::user::User;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::ledger::{accounts, transfers};
use crate::store::{Tx, balances};

/// What a merchant gives back.
#[derive(Debug, Clone, Copy)]
pub struct NewRefund<'a> {
    /// To whom.
    pub user: &'a User,
    /// To which balance.
    pub balance: BalanceId,
    /// How much, in the balance's currency.
    pub money: Money,
    /// By which card.
    pub card: Option<CardId>,
    /// The authorisation of the purchase, where it is known.
    pub authorisation: Option<TransferId>,
    /// The processor's name of the refund.
    pub reference: Option<&'a str>,
    /// Where.
    pub merchant: Option<&'a Merchant>,
}

/// Refunds. The number is that of the user's transaction.
///
/// # Errors
/// `NOT_FOUND` for a balance that is not the user's; `BALANCE_CLOSED`: whoever settles with the scheme has to find the user;
/// `BALANCE_REQUIRED` for a balance in another currency; `PARTNER_BALANCE_REQUIRED`.
pub async fn refund(services: &Services, tx: &mut Tx, new: &NewRefund<'_>) -> Result<TransferId, Error> {
    let now = services.now();
    let amount = Amount::new(new.money.minor).ok_or_else(|| Error::internal("a refund of nothing"))?;
    let (balance, program) = balances::take(tx, new.user.id, new.balance)
        .await?
        .ok_or(Code::NotFound)?;
    if balance.state == BalanceState::Closed {
        return Err(Code::BalanceClosed.into());
    }
    if balance.currency != new.money.currency {
        return Err(Code::BalanceRequired.into());
    }
    let side = Side {
        user: new.user,
        balance: balance.id,
        program: &program,
        currency: balance.currency,
    };
    let parties = parties(tx, side, Locks::Ignore, now).await?;
    let ids = [parties.user, parties.limit, parties.funding, parties.settlement];
    let taken = accounts::take(tx, ids).await?;
    let about = About {
        shown_to: Some((new.user.id, balance.id)),
        card: new.card,
        reference: new.reference,
        merchant: new.merchant,
        authorisation: new.authorisation,
    };
    let carried = carry(
        tx,
        taken,
        &Chain::at_once(plan::refund(&parties, amount), about),
        now,
    )
    .await?;
    let transaction = transfers::find(tx, new.user.id, carried.first)
        .await?
        .ok_or_else(|| Error::internal("a transfer is not found again"))?;
    posted(tx, &new.user.partner, &transaction, now).await?;
    Ok(transaction.id)
}
