//! A user's balance: a USER account in one currency, its state, and who may change it.

use shared::money::Currency;

use super::ledger::Sums;
use super::lock::Party;
use super::user::UserId;

/// Most balances of a user that are not closed: more than anyone has currencies to keep apart.
pub const BALANCES_MAX: i64 = 50;

/// The gateway's number of a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BalanceId(pub i64);

/// Whether a balance can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalanceState {
    /// In use.
    Active,
    /// No authorisation and no reload passes; what was approved before is still cleared, reversed or refunded.
    Locked,
    /// For good: nothing is in it, and nothing comes in.
    Closed,
}

impl BalanceState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Active, Self::Locked, Self::Closed];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Locked => "LOCKED",
            Self::Closed => "CLOSED",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The number.
    pub id: BalanceId,
    /// Whose it is.
    pub user: UserId,
    /// In which currency.
    pub currency: Currency,
    /// Whether it can be used.
    pub state: BalanceState,
    /// Who locked it, while it is locked: a partner, or an operator, whose lock the partner does not lift.
    pub locked_by: Option<Party>,
    /// What is in it.
    pub sums: Sums,
}

/// What is done to a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalanceChange {
    /// It cannot be used for a while.
    Lock,
    /// It can be used again.
    Unlock,
    /// It ends.
    Close,
}

impl BalanceChange {
    /// The name in the audit trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lock => "LOCK_BALANCE",
            Self::Unlock => "UNLOCK_BALANCE",
            Self::Close => "CLOSE_BALANCE",
        }
    }
}

/// Why a balance is not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalanceRefusal {
    /// It was closed before.
    Closed,
    /// It is not locked.
    NotLocked,
    /// An operator locked it.
    NotYours,
    /// Something is in it, held or on the way.
    NotEmpty,
    /// A card that can be used, or can be used again, is on it.
    HasCards,
}

impl Balance {
    /// The balance after a change by a partner or an operator. Locking what is locked changes nothing, but that an operator's
    /// lock takes the place of a partner's.
    ///
    /// # Errors
    /// [`BalanceRefusal`].
    pub fn after(
        mut self,
        change: BalanceChange,
        by: Party,
        has_live_cards: bool,
    ) -> Result<Self, BalanceRefusal> {
        let is_others = self.locked_by == Some(Party::Operator) && by != Party::Operator;
        match (change, self.state) {
            (_, BalanceState::Closed) => return Err(BalanceRefusal::Closed),
            (BalanceChange::Lock, BalanceState::Locked) if is_others => {}
            (BalanceChange::Lock, _) => {
                self.state = BalanceState::Locked;
                self.locked_by = Some(by);
            }
            (BalanceChange::Unlock, BalanceState::Active) => return Err(BalanceRefusal::NotLocked),
            (BalanceChange::Unlock | BalanceChange::Close, _) if is_others => {
                return Err(BalanceRefusal::NotYours);
            }
            (BalanceChange::Unlock, BalanceState::Locked) => {
                self.state = BalanceState::Active;
                self.locked_by = None;
            }
            (BalanceChange::Close, _) => {
                if !self.sums.is_settled() {
                    return Err(BalanceRefusal::NotEmpty);
                }
                if has_live_cards {
                    return Err(BalanceRefusal::HasCards);
                }
                self.state = BalanceState::Closed;
                self.locked_by = None;
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(state: BalanceState, locked_by: Option<Party>) -> Balance {
        Balance {
            id: BalanceId(1),
            user: UserId(1),
            currency: Currency::EUR,
            state,
            locked_by,
            sums: Sums::default(),
        }
    }

    #[test]
    fn every_state_and_every_change_by_everybody() {
        use BalanceChange::{Close, Lock, Unlock};
        use BalanceRefusal::{Closed, NotLocked, NotYours};
        use BalanceState as S;
        let (partner, operator) = (Party::Partner, Party::Operator);
        let locked = |by| Ok((S::Locked, Some(by)));
        for (state, locked_by, change, by, expected) in [
            (S::Active, None, Lock, partner, locked(partner)),
            (S::Active, None, Lock, operator, locked(operator)),
            (S::Active, None, Unlock, partner, Err(NotLocked)),
            (S::Active, None, Unlock, operator, Err(NotLocked)),
            (S::Active, None, Close, partner, Ok((S::Closed, None))),
            (S::Active, None, Close, operator, Ok((S::Closed, None))),
            (S::Locked, Some(partner), Lock, partner, locked(partner)),
            (S::Locked, Some(partner), Lock, operator, locked(operator)),
            (S::Locked, Some(partner), Unlock, partner, Ok((S::Active, None))),
            (S::Locked, Some(partner), Unlock, operator, Ok((S::Active, None))),
            (S::Locked, Some(partner), Close, partner, Ok((S::Closed, None))),
            (S::Locked, Some(operator), Lock, partner, locked(operator)),
            (S::Locked, Some(operator), Unlock, partner, Err(NotYours)),
            (S::Locked, Some(operator), Close, partner, Err(NotYours)),
            (S::Locked, Some(operator), Unlock, operator, Ok((S::Active, None))),
            (S::Locked, Some(operator), Close, operator, Ok((S::Closed, None))),
            (S::Closed, None, Lock, operator, Err(Closed)),
            (S::Closed, None, Unlock, operator, Err(Closed)),
            (S::Closed, None, Close, operator, Err(Closed)),
        ] {
            let after = balance(state, locked_by).after(change, by, false);
            let after = after.map(|balance| (balance.state, balance.locked_by));
            assert_eq!(after, expected, "{state:?} {locked_by:?} {change:?} {by:?}");
        }
    }

    #[test]
    fn what_is_in_it_or_on_it_keeps_it_open() {
        let mut full = balance(BalanceState::Active, None);
        full.sums.credits_posted = 1;
        let refused = full.after(BalanceChange::Close, Party::Operator, false);
        assert_eq!(refused, Err(BalanceRefusal::NotEmpty));
        let refused = balance(BalanceState::Active, None).after(BalanceChange::Close, Party::Operator, true);
        assert_eq!(refused, Err(BalanceRefusal::HasCards));
    }
}
