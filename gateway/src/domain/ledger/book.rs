//! The one place where sums change: entries that come about together, or not at all, applied to the accounts they name.

use std::collections::BTreeMap;

use super::{Account, AccountId, Amount, Sums};

/// How an entry changes the sums of its two accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Moved at once.
    Move,
    /// Reserved on both sides.
    Reserve,
    /// So much was reserved; the entry's amount of it is moved, the rest is free again.
    MoveReserved(Amount),
    /// The entry's amount was reserved and is free again.
    Release,
}

/// One debit, one credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Who gives.
    pub debit: AccountId,
    /// Who gets.
    pub credit: AccountId,
    /// How much.
    pub amount: Amount,
    /// In which way.
    pub step: Step,
}

/// Why a chain of entries is not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerRefusal {
    /// The account would spend or hold more than it has.
    ExceedsCredits(AccountId),
    /// More than was reserved.
    ExceedsPending,
    /// The accounts are one, or of two currencies, or one is not in the book.
    Mismatch,
    /// A sum would leave 64 bits, or fall below zero.
    OutOfRange,
}

/// The accounts of a chain, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book(BTreeMap<AccountId, Account>);

impl Book {
    /// A book of these accounts.
    #[must_use]
    pub fn of(accounts: impl IntoIterator<Item = Account>) -> Self {
        Self(
            accounts
                .into_iter()
                .map(|account| (account.id, account))
                .collect(),
        )
    }

    /// An account of the book.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.0.get(&id)
    }

    /// Every account, in the order of their numbers.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.0.values()
    }

    /// The book after a chain, of which every entry is applied or none.
    ///
    /// # Errors
    /// [`LedgerRefusal`] of the first entry that cannot be.
    pub fn after(&self, chain: &[Entry]) -> Result<Self, LedgerRefusal> {
        let mut book = self.clone();
        for entry in chain {
            book.apply(entry)?;
        }
        Ok(book)
    }

    fn apply(&mut self, entry: &Entry) -> Result<(), LedgerRefusal> {
        let of = |id| self.0.get(&id).map(|account: &Account| account.currency);
        let known = of(entry.debit).zip(of(entry.credit));
        if entry.debit == entry.credit || known.is_none_or(|(debit, credit)| debit != credit) {
            return Err(LedgerRefusal::Mismatch);
        }
        if matches!(entry.step, Step::MoveReserved(reserved) if entry.amount > reserved) {
            return Err(LedgerRefusal::ExceedsPending);
        }
        let (pending, posted) = deltas(entry);
        let debit = self.0.get_mut(&entry.debit).ok_or(LedgerRefusal::Mismatch)?;
        debit.sums = Sums {
            debits_pending: moved(debit.sums.debits_pending, pending)?,
            debits_posted: moved(debit.sums.debits_posted, posted)?,
            ..debit.sums
        };
        if is_overdrawn(debit)? {
            return Err(LedgerRefusal::ExceedsCredits(entry.debit));
        }
        let credit = self.0.get_mut(&entry.credit).ok_or(LedgerRefusal::Mismatch)?;
        credit.sums = Sums {
            credits_pending: moved(credit.sums.credits_pending, pending)?,
            credits_posted: moved(credit.sums.credits_posted, posted)?,
            ..credit.sums
        };
        Ok(())
    }
}

/// By how much an entry changes what is pending and what is posted.
const fn deltas(entry: &Entry) -> (i64, i64) {
    let amount = entry.amount.minor();
    match entry.step {
        Step::Move => (0, amount),
        Step::Reserve => (amount, 0),
        Step::MoveReserved(reserved) => (-reserved.minor(), amount),
        Step::Release => (-amount, 0),
    }
}

fn moved(sum: i64, by: i64) -> Result<i64, LedgerRefusal> {
    let sum = sum.checked_add(by).ok_or(LedgerRefusal::OutOfRange)?;
    if sum < 0 {
        Err(LedgerRefusal::OutOfRange)
    } else {
        Ok(sum)
    }
}

/// Whether an account that must not spends or holds more than it has. Sums are not negative, so a difference does not wrap.
fn is_overdrawn(account: &Account) -> Result<bool, LedgerRefusal> {
    let debits = account
        .sums
        .debits_posted
        .checked_add(account.sums.debits_pending);
    let debits = debits.ok_or(LedgerRefusal::OutOfRange)?;
    Ok(account.kind.debits_must_not_exceed_credits() && debits > account.sums.credits_posted)
}
