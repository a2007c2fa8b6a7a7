//! Lock, unlock or close a user's balance.

use super::claimed::{Opened, open};
use crate::domain::balance::{Balance, BalanceChange, BalanceId};
use crate::domain::card::Card;
use crate::domain::event::{Event, EventKind};
use crate::domain::lock::Party;
use crate::domain::user::User;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::ledger::accounts::{self, Owner};
use crate::store::{Tx, balances, cards, events, users};

/// Changes the balance; `render` writes the answer from it and from the cards that the user is shown on it, of which at most
/// `cards_shown` are read. An operator's action comes with its stamp.
///
/// # Errors
/// `NOT_FOUND` for a balance that is not the user's; `BALANCE_CLOSED`, `BALANCE_NOT_LOCKED`, `BALANCE_NOT_EMPTY`,
/// `BALANCE_HAS_CARDS`; `LOCK_NOT_YOURS` for a partner where an operator locked it.
pub async fn change_balance(
    services: &Services,
    request: &Request,
    (user, by, stamp): (&User, Party, Option<&Stamp>),
    (id, change, cards_shown): (BalanceId, BalanceChange, i64),
    render: impl FnOnce(&Balance, &[Card]) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let balance = apply(services, &mut tx, user, (id, change), by).await?;
    let stamp = stamp
        .cloned()
        .map(|stamp| stamp.named(change.as_str()).saying(format!("balance {}", id.0)));
    audit::write_done(&mut tx, stamp.as_ref(), services.now()).await?;
    let cards = cards::shown_of_balances(&mut tx, user.id, (id, id), cards_shown).await?;
    let answer = render(&balance, &cards)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Changes a balance within the caller's transaction, and tells of it.
///
/// # Errors
/// As [`change_balance`].
pub async fn apply(
    services: &Services,
    tx: &mut Tx,
    user: &User,
    (id, change): (BalanceId, BalanceChange),
    by: Party,
) -> Result<Balance, Error> {
    let now = services.now();
    // Whoever makes a card takes the user first: none comes onto the balance while it is being closed.
    users::find_for_update(tx, user.id).await?.ok_or(Code::NotFound)?;
    let (before, program) = balances::take(tx, user.id, id).await?.ok_or(Code::NotFound)?;
    let owner = Owner {
        partner: &user.partner,
        program: &program,
        currency: before.currency,
    };
    // Taken: no clearing changes what is in it in between.
    let account = accounts::of_balance(tx, owner, id, now).await?;
    let taken = accounts::take(tx, [account]).await?;
    let sums = taken.first().map(|account| account.sums);
    let before = Balance {
        sums: sums.ok_or_else(|| Error::internal("an account was not taken"))?,
        ..before
    };
    let has_cards = change == BalanceChange::Close && balances::has_live_cards(tx, id).await?;
    let after = before.clone().after(change, by, has_cards)?;
    balances::set_state(tx, &after).await?;
    if after.state != before.state {
        let event = Event::new(EventKind::BalanceStateChanged, &user.partner)
            .about_user(user.id)
            .telling("balanceId", id.0)
            .telling("state", after.state.as_str());
        events::write(tx, &event, now).await?;
    }
    Ok(after)
}
