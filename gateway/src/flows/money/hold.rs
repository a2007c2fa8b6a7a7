//! Hold: a purchase is approved. The user's balance and the partner's limit are reserved in one step, neither beyond what is
//! there.

use shared::money::Money;
use time::{Duration, OffsetDateTime};

use super::carry::{About, Chain, carry};
use super::parties::{Locks, Side, parties};
use crate::domain::balance::{BalanceId, BalanceState};
use crate::domain::card::CardId;
use crate::domain::ledger::{Amount, Merchant, TransferId, plan};
use crate::domain::user::User;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::ledger::accounts;
use crate::store::{Tx, balances};

/// A purchase that asks for approval. Whether the card may, was judged before.
#[derive(Debug, Clone, Copy)]
pub struct NewHold<'a> {
    /// Whose balance it is.
    pub user: &'a User,
    /// Which balance.
    pub balance: BalanceId,
    /// How much, in the balance's currency.
    pub money: Money,
    /// By which card.
    pub card: Option<CardId>,
    /// The processor's name of the authorisation.
    pub reference: Option<&'a str>,
    /// Where.
    pub merchant: Option<&'a Merchant>,
    /// Until when it holds; by default as long as the program says.
    pub expires_at: Option<OffsetDateTime>,
}

/// Holds. The number is that of the authorisation, by which it is cleared, voided or refunded.
///
/// # Errors
/// `NOT_FOUND` for a balance that is not the user's; `BALANCE_LOCKED`, `BALANCE_CLOSED`, `BALANCE_REQUIRED` for one in another
/// currency; `PARTNER_BALANCE_REQUIRED`, `PARTNER_BALANCE_LOCKED`; `INSUFFICIENT_FUNDS`, `PARTNER_LIMIT_EXCEEDED`. Nothing is
/// written then.
pub async fn hold(services: &Services, tx: &mut Tx, new: &NewHold<'_>) -> Result<TransferId, Error> {
    let now = services.now();
    let amount = Amount::new(new.money.minor).ok_or_else(|| Error::internal("a hold of nothing"))?;
    let (balance, program) = balances::take(tx, new.user.id, new.balance)
        .await?
        .ok_or(Code::NotFound)?;
    match balance.state {
        BalanceState::Active => {}
        BalanceState::Locked => return Err(Code::BalanceLocked.into()),
        BalanceState::Closed => return Err(Code::BalanceClosed.into()),
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
    let parties = parties(tx, side, Locks::Forbid, now).await?;
    let days = Duration::days(services.program_of(new.user)?.hold_days.into());
    let ids = [parties.user, parties.limit, parties.funding, parties.settlement];
    let taken = accounts::take(tx, ids).await?;
    let chain = Chain {
        planned: plan::hold(&parties, amount),
        about: About {
            shown_to: Some((new.user.id, balance.id)),
            card: new.card,
            reference: new.reference,
            merchant: new.merchant,
            authorisation: None,
        },
        pending: &[],
        expires_at: Some(new.expires_at.unwrap_or(now + days)),
    };
    Ok(carry(tx, taken, &chain, now).await?.first)
}
