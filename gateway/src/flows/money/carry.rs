//! Carries a chain out: the book decides, then transfers and sums are written. Every account of the chain was taken.

use shared::mtls::identity::Name;
use time::OffsetDateTime;

use crate::domain::balance::BalanceId;
use crate::domain::card::CardId;
use crate::domain::event::{Event, EventKind};
use crate::domain::ledger::plan::{Leg, Planned};
use crate::domain::ledger::{
    Account, AccountKind, Book, Entry, LedgerRefusal, Merchant, Phase, Step, TransferId, Watch,
};
use crate::domain::partner_balance::PartnerBalance;
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::store::ledger::accounts;
use crate::store::ledger::pending::{self, Pending};
use crate::store::ledger::transfers::{self, NewTransfer};
use crate::store::{Sequence, Tx, events, partner_balances};

/// What a chain is about, beside the money.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::flows) struct About<'a> {
    /// Who is shown the user's leg, with which balance.
    pub shown_to: Option<(UserId, BalanceId)>,
    pub card: Option<CardId>,
    pub reference: Option<&'a str>,
    pub merchant: Option<&'a Merchant>,
    /// The authorisation that a late clearing or a refund belongs to.
    pub authorisation: Option<TransferId>,
}

/// A chain that is about to be carried out.
#[derive(Debug, Clone)]
pub(in crate::flows) struct Chain<'a> {
    pub planned: Vec<Planned>,
    pub about: About<'a>,
    /// What it posts or voids.
    pub pending: &'a [Pending],
    /// Until when it reserves.
    pub expires_at: Option<OffsetDateTime>,
}

impl<'a> Chain<'a> {
    /// A chain that neither reserves nor ends a reservation.
    pub(in crate::flows) const fn at_once(planned: Vec<Planned>, about: About<'a>) -> Self {
        Self {
            planned,
            about,
            pending: &[],
            expires_at: None,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub(in crate::flows) struct Carried {
    /// The first transfer, by which the chain is found again.
    pub first: TransferId,
    /// The accounts as they stand now.
    pub book: Book,
}

/// Carries a chain out on accounts that were taken in this transaction.
///
/// # Errors
/// `INSUFFICIENT_FUNDS`, `PARTNER_LIMIT_EXCEEDED`; nothing is written then.
pub(in crate::flows) async fn carry(
    tx: &mut Tx,
    taken: Vec<Account>,
    chain: &Chain<'_>,
    now: OffsetDateTime,
) -> Result<Carried, Error> {
    let before = Book::of(taken);
    let book = decide(&before, &chain.planned)?;
    save(tx, &before, &book, now).await?;
    let mut first = None;
    for planned in &chain.planned {
        let id = TransferId(tx.next_number(Sequence::Transfers).await?);
        let linked = *first.get_or_insert(id);
        write(tx, (id, linked), planned, chain, &book, now).await?;
    }
    let first = first.ok_or_else(|| Error::internal("a chain without entries"))?;
    Ok(Carried { first, book })
}

/// Frees what was reserved by entries of which no transfer is written: the end by time.
///
/// # Errors
/// When the book does not hold what was reserved.
pub(super) async fn release(
    tx: &mut Tx,
    taken: Vec<Account>,
    planned: &[Planned],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let before = Book::of(taken);
    let book = decide(&before, planned)?;
    save(tx, &before, &book, now).await
}

fn decide(before: &Book, planned: &[Planned]) -> Result<Book, Error> {
    let entries: Vec<Entry> = planned.iter().map(|planned| planned.entry).collect();
    before.after(&entries).map_err(|refusal| match refusal {
        LedgerRefusal::ExceedsCredits(id) => match before.account(id).map(|account| account.kind) {
            Some(kind) if kind.limits_a_partner() => Code::PartnerLimitExceeded.into(),
            Some(AccountKind::User) => Code::InsufficientFunds.into(),
            _ => Error::internal("an account without a limit is at its limit"),
        },
        LedgerRefusal::ExceedsPending | LedgerRefusal::Mismatch | LedgerRefusal::OutOfRange => {
            Error::internal(format!("the ledger refused a chain: {refusal:?}"))
        }
    })
}

/// Writes the accounts that have changed, in order, and tells of limits that run low.
async fn save(tx: &mut Tx, before: &Book, after: &Book, now: OffsetDateTime) -> Result<(), Error> {
    let changed = || {
        after
            .accounts()
            .filter(|account| before.account(account.id).is_none_or(|was| was != *account))
    };
    for account in changed() {
        accounts::save(tx, account).await?;
    }
    for account in changed().filter(|account| account.kind.limits_a_partner()) {
        if let Some(balance) = partner_balances::of_account(tx, account.id).await? {
            watch(tx, &balance, now).await?;
        }
    }
    Ok(())
}

/// Watches a partner balance whose account was taken: crossing its level is told, and kept in mind, in this transaction.
///
/// # Errors
/// When the database fails.
pub(in crate::flows) async fn watch(
    tx: &mut Tx,
    balance: &PartnerBalance,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let Some(level) = balance.low_level else {
        return Ok(());
    };
    let available = balance.sums.available();
    let available = available.ok_or_else(|| Error::internal("a partner balance's sums overflow"))?;
    let next = level.watch(balance.watch, available);
    if next == balance.watch {
        return Ok(());
    }
    partner_balances::set_low_level(tx, balance.id, Some(level), next).await?;
    if next == Watch::Low {
        let event = Event::new(EventKind::PartnerBalanceLow, &balance.partner)
            .telling("partnerBalanceId", balance.id.0)
            .telling("kind", balance.kind.as_str())
            .telling("currency", balance.currency.code())
            .telling("available", available)
            .telling("level", level.level());
        events::write(tx, &event, now).await?;
    }
    Ok(())
}

async fn write(
    tx: &mut Tx,
    ids: (TransferId, TransferId),
    planned: &Planned,
    chain: &Chain<'_>,
    book: &Book,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let (entry, about) = (planned.entry, chain.about);
    let phase = match entry.step {
        Step::Move => Phase::Single,
        Step::Reserve => Phase::Pending,
        Step::MoveReserved(_) => Phase::PostPending,
        Step::Release => Phase::VoidPending,
    };
    let ends = matches!(phase, Phase::PostPending | Phase::VoidPending);
    let pending = chain
        .pending
        .iter()
        .find(|pending| ends && pending.debit == entry.debit);
    let currency = book
        .account(entry.debit)
        .map(|account| account.currency)
        .ok_or_else(|| Error::internal("an account is not in the book"))?;
    let new = NewTransfer {
        ids,
        accounts: (entry.debit, entry.credit),
        amount: entry.amount,
        currency,
        kind: planned.kind,
        phase,
        pending: pending.map(|pending| pending.id),
        about: about.authorisation,
        shown_to: about.shown_to.filter(|_| planned.leg == Leg::User),
        card: about.card,
        reference: about.reference,
        merchant: about.merchant,
    };
    transfers::insert(tx, &new, now).await?;
    if phase == Phase::Pending {
        let expires_at = chain.expires_at;
        let expires_at = expires_at.ok_or_else(|| Error::internal("a hold without an end"))?;
        pending::insert(tx, ids, expires_at).await?;
    }
    Ok(())
}

/// Tells the partner that a transaction was posted.
///
/// # Errors
/// When the database fails.
pub(super) async fn posted(
    tx: &mut Tx,
    partner: &Name,
    transaction: &transfers::Transaction,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let mut event = Event::new(EventKind::TransactionPosted, partner)
        .about_user(transaction.user)
        .telling("transactionId", transaction.id.0)
        .telling("kind", transaction.kind.as_str())
        .telling("balanceId", transaction.balance.0)
        .telling("amount", transaction.amount.minor())
        .telling("currency", transaction.currency.code());
    if let Some(card) = transaction.card {
        event = event.about_card(card);
    }
    Ok(events::write(tx, &event, now).await?)
}
