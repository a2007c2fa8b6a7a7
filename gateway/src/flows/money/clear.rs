//! Clear: a purchase is settled. Up to what was held, user and partner pay; what the scheme asks beyond it, the platform's
//! COMPANY pays. A hold that has expired is cleared all the same, as far as both still have the money, and COMPANY pays the rest:
//! the scheme is owed it, and no limit is overdrawn. Cards and balances may be locked.

use super::carry::{About, Chain, carry, posted};
use super::parties::{Locks, Side, parties};
use crate::domain::ledger::{Account, Amount, PendingState, TransferId, plan};
use crate::domain::user::User;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::ledger::accounts;
use crate::store::ledger::pending::{self, Pending};
use crate::store::ledger::transfers::{self, Transaction};
use crate::store::{Tx, balances};

/// What a purchase came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleared {
    /// The user's transaction; none when the platform paid all of it.
    pub transaction: Option<TransferId>,
    /// What user and partner paid, in minor units.
    pub paid: i64,
    /// What the platform paid, in minor units.
    pub difference: i64,
}

/// Clears an authorisation for `amount`, in the balance's currency.
///
/// # Errors
/// `NOT_FOUND` for what is no authorisation of the user's; `HOLD_ENDED` when it was cleared or voided before.
pub async fn clear(
    services: &Services,
    tx: &mut Tx,
    (user, hold): (&User, TransferId),
    amount: Amount,
) -> Result<Cleared, Error> {
    let now = services.now();
    let held = transfers::find(tx, user.id, hold).await?.ok_or(Code::NotFound)?;
    let program = balances::program(tx, held.balance).await?.ok_or(Code::NotFound)?;
    let legs = pending::take(tx, hold).await?;
    let leg = legs.first().ok_or(Code::NotFound)?;
    let side = Side {
        user,
        balance: held.balance,
        program: &program,
        currency: held.currency,
    };
    let mut parties = parties(tx, side, Locks::Ignore, now).await?;
    // What was reserved is where it was reserved, whatever limit the partner has by now.
    if let Some(limit) = legs.get(1) {
        parties.limit = limit.debit;
    }
    let ids = [
        parties.user,
        parties.limit,
        parties.funding,
        parties.settlement,
        parties.company,
    ];
    let taken = accounts::take(tx, ids).await?;
    let planned = match leg.state {
        PendingState::Pending => plan::clearing(&parties, leg.amount, amount),
        PendingState::Expired => {
            let payable = payable(&taken, leg, [parties.user, parties.limit])?;
            plan::late_clearing(&parties, payable, amount)
        }
        PendingState::Posted | PendingState::Voided => return Err(Code::HoldEnded.into()),
    };
    let late = (leg.state == PendingState::Expired).then_some(hold);
    let chain = Chain {
        planned,
        about: About {
            shown_to: Some((user.id, held.balance)),
            card: held.card,
            reference: held.reference.as_deref(),
            merchant: held.merchant.as_ref(),
            authorisation: late,
        },
        pending: &legs,
        expires_at: None,
    };
    let carried = carry(tx, taken, &chain, now).await?;
    pending::end(tx, hold, PendingState::Posted, now).await?;
    let transaction = transfers::find(tx, user.id, carried.first).await?;
    if let Some(transaction) = &transaction {
        posted(tx, &user.partner, transaction, now).await?;
    }
    Ok(outcome(transaction.as_ref(), amount))
}

fn outcome(transaction: Option<&Transaction>, amount: Amount) -> Cleared {
    let paid = transaction.map_or(0, |transaction| transaction.amount.minor());
    Cleared {
        transaction: transaction.map(|transaction| transaction.id),
        paid,
        difference: amount.minor() - paid,
    }
}

/// How much of an expired hold both limits still bear; none when it is nothing.
fn payable(
    taken: &[Account],
    leg: &Pending,
    limits: [crate::domain::ledger::AccountId; 2],
) -> Result<Option<Amount>, Error> {
    let mut least = leg.amount.minor();
    for account in taken.iter().filter(|account| limits.contains(&account.id)) {
        let available = account.sums.available();
        least = least.min(available.ok_or_else(|| Error::internal("an account's sums overflow"))?);
    }
    Ok(Amount::new(least))
}
