//! Reload a user's balance: money of the user came in.

use shared::money::Currency;
use shared::problem::FieldError;

use super::claimed::{Opened, open};
use super::money::{About, Chain, Side, carry, outside};
use crate::domain::balance::{Balance, BalanceId, BalanceState};
use crate::domain::card::Card;
use crate::domain::event::{Event, EventKind};
use crate::domain::ledger::{Amount, Reference, plan};
use crate::domain::rule::Rule;
use crate::domain::user::User;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::ledger::accounts;
use crate::store::ledger::transfers::{self, Transaction};
use crate::store::{Tx, balances, cards, events};

const OTHER_CURRENCY: Rule = Rule {
    code: "CURRENCY_MISMATCH",
    message: "Must be the currency of the balance.",
};
const ABOVE_MAXIMUM: Rule = Rule {
    code: "ABOVE_MAXIMUM",
    message: "Must be at most what the program allows in one reload.",
};

/// What came in.
#[derive(Debug, Clone)]
pub struct Reload {
    /// How much.
    pub amount: Amount,
    /// In which currency: the balance's.
    pub currency: Currency,
    /// What the caller calls it.
    pub reference: Option<Reference>,
}

/// What came of it.
#[derive(Debug)]
pub struct Reloaded {
    /// The transaction.
    pub transaction: Transaction,
    /// The balance afterwards.
    pub balance: Balance,
    /// The cards on it that the user is shown.
    pub cards: Vec<Card>,
}

/// Reloads; `render` writes the answer. An operator's action comes with its stamp. Of the cards at most `cards_shown` are read.
///
/// # Errors
/// `VALIDATION_FAILED` for another currency or more than the program allows; `NOT_FOUND` for a balance that is not the user's;
/// `BALANCE_LOCKED`, `BALANCE_CLOSED`.
pub async fn reload_balance(
    services: &Services,
    request: &Request,
    (user, stamp): (&User, Option<&Stamp>),
    (id, reload, cards_shown): (BalanceId, &Reload, i64),
    render: impl FnOnce(&Reloaded) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let (balance, program) = balances::take(&mut tx, user.id, id)
        .await?
        .ok_or(Code::NotFound)?;
    judge(services, user, &balance, reload)?;
    let side = Side {
        user,
        balance: id,
        program: &program,
        currency: balance.currency,
    };
    let (transaction, balance) = post(services, &mut tx, side, balance, reload).await?;
    let stamp = stamp.cloned().map(|stamp| {
        let (amount, currency) = (reload.amount.minor(), reload.currency);
        stamp.saying(format!("balance {}: {amount} {currency}", id.0))
    });
    audit::write_done(&mut tx, stamp.as_ref(), services.now()).await?;
    let cards = cards::shown_of_balances(&mut tx, user.id, (id, id), cards_shown).await?;
    let answer = render(&Reloaded {
        transaction,
        balance,
        cards,
    })?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

fn judge(services: &Services, user: &User, balance: &Balance, reload: &Reload) -> Result<(), Error> {
    let mut wrong = Vec::new();
    let mut refuse = |field: &'static str, rule: Rule| {
        wrong.push(FieldError {
            field: field.into(),
            code: rule.code.into(),
            message: rule.message.into(),
        });
    };
    if reload.currency != balance.currency {
        refuse("currency", OTHER_CURRENCY);
    }
    if reload.amount.minor() > services.program_of(user)?.reload_max {
        refuse("amount", ABOVE_MAXIMUM);
    }
    if !wrong.is_empty() {
        return Err(Error::invalid(wrong));
    }
    match balance.state {
        BalanceState::Active => Ok(()),
        BalanceState::Locked => Err(Code::BalanceLocked.into()),
        BalanceState::Closed => Err(Code::BalanceClosed.into()),
    }
}

async fn post(
    services: &Services,
    tx: &mut Tx,
    side: Side<'_>,
    balance: Balance,
    reload: &Reload,
) -> Result<(Transaction, Balance), Error> {
    let now = services.now();
    let account = accounts::of_balance(tx, side.owner(), balance.id, now).await?;
    let [_, funding, _] = outside(tx, side.owner(), now).await?;
    let taken = accounts::take(tx, [account, funding]).await?;
    let about = About {
        shown_to: Some((side.user.id, balance.id)),
        reference: reload.reference.as_ref().map(Reference::as_str),
        ..About::default()
    };
    let chain = Chain::at_once(plan::reload(funding, account, reload.amount), about);
    let carried = carry(tx, taken, &chain, now).await?;
    let sums = carried.book.account(account).map(|account| account.sums);
    let balance = Balance {
        sums: sums.ok_or_else(|| Error::internal("an account is not in the book"))?,
        ..balance
    };
    let event = Event::new(EventKind::BalanceReloaded, &side.user.partner)
        .about_user(side.user.id)
        .telling("balanceId", balance.id.0)
        .telling("transactionId", carried.first.0)
        .telling("amount", reload.amount.minor())
        .telling("currency", reload.currency.code());
    events::write(tx, &event, now).await?;
    let transaction = transfers::find(tx, side.user.id, carried.first).await?;
    let transaction = transaction.ok_or_else(|| Error::internal("a transfer is not found again"))?;
    Ok((transaction, balance))
}
