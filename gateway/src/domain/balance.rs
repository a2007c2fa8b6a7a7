//! A user's balance: an account in one currency, kept in the words of double entry. Integers in minor units, no floats.

use shared::money::Currency;

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
    /// No authorisation passes.
    Locked,
    /// For good.
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

/// The four sums of an account, in minor units, none negative (the vocabulary of TigerBeetle's accounts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Held by authorisations.
    pub debits_pending: i64,
    /// Spent.
    pub debits_posted: i64,
    /// On the way in.
    pub credits_pending: i64,
    /// Received.
    pub credits_posted: i64,
}

impl Sums {
    /// What the balance is worth: received less spent. `None` on overflow, which only a corrupt row can bring about.
    #[must_use]
    pub const fn value(self) -> Option<i64> {
        self.credits_posted.checked_sub(self.debits_posted)
    }

    /// What can be spent: the value less what is held.
    #[must_use]
    pub const fn available(self) -> Option<i64> {
        match self.value() {
            Some(value) => value.checked_sub(self.debits_pending),
            None => None,
        }
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
    /// What is in it.
    pub sums: Sums,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_lowers_what_is_available_and_not_the_value() {
        let sums = Sums {
            credits_posted: 1_000,
            debits_posted: 300,
            debits_pending: 250,
            credits_pending: 99,
        };
        assert_eq!(sums.value(), Some(700));
        assert_eq!(sums.available(), Some(450));
        let empty = Sums::default();
        assert_eq!((empty.value(), empty.available()), (Some(0), Some(0)));
    }

    #[test]
    fn sums_do_not_wrap() {
        let sums = Sums {
            credits_posted: -2,
            debits_posted: i64::MAX,
            ..Sums::default()
        };
        assert_eq!((sums.value(), sums.available()), (None, None));
    }
}
