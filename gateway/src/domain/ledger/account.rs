//! An account: whose money it counts, its four sums, and the limit that they keep.

use shared::money::Currency;

/// The ledger's number of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub i64);

/// What an account counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountKind {
    /// What a user has: one for each user balance.
    User,
    /// What the platform pays where clearing and authorisation differ: one for each program and currency.
    Company,
    /// What a partner's users may spend together, where the operator holds their balances.
    Credit,
    /// The same, where the partner holds them. A partner has one or the other in a currency.
    Deposit,
    /// The bank outside, from which money comes and to which spent claims return.
    Funding,
    /// The scheme, which is owed what its merchants were promised.
    Settlement,
}

impl AccountKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::User,
        Self::Company,
        Self::Credit,
        Self::Deposit,
        Self::Funding,
        Self::Settlement,
    ];

    /// The name in the database and, for those that are shown, on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Company => "COMPANY",
            Self::Credit => "CREDIT",
            Self::Deposit => "DEPOSIT",
            Self::Funding => "FUNDING",
            Self::Settlement => "SETTLEMENT",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether what is spent and held never exceeds what was received (TigerBeetle's flag of this name).
    #[must_use]
    pub const fn debits_must_not_exceed_credits(self) -> bool {
        matches!(self, Self::User | Self::Credit | Self::Deposit)
    }

    /// Whether it limits all users of a partner together.
    #[must_use]
    pub const fn limits_a_partner(self) -> bool {
        matches!(self, Self::Credit | Self::Deposit)
    }
}

/// The four sums of an account, in minor units, none negative.
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
    /// What the account is worth: received less spent. `None` on overflow, which only a corrupt row can bring about.
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

    /// Whether nothing is in it, held, or on the way.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        self.credits_posted == self.debits_posted && self.debits_pending == 0 && self.credits_pending == 0
    }
}

/// An account as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The number.
    pub id: AccountId,
    /// What it counts.
    pub kind: AccountKind,
    /// In which currency.
    pub currency: Currency,
    /// What is in it.
    pub sums: Sums,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive() {
        for kind in AccountKind::ALL {
            assert_eq!(AccountKind::from_name(kind.as_str()), Some(kind));
        }
    }

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

    #[test]
    fn what_is_held_or_on_the_way_is_not_settled() {
        let spent = Sums {
            credits_posted: 7,
            debits_posted: 7,
            ..Sums::default()
        };
        assert!(spent.is_settled() && Sums::default().is_settled());
        for unsettled in [
            Sums {
                debits_pending: 1,
                ..spent
            },
            Sums {
                credits_pending: 1,
                ..spent
            },
            Sums {
                credits_posted: 8,
                ..spent
            },
        ] {
            assert!(!unsettled.is_settled(), "{unsettled:?}");
        }
    }
}
