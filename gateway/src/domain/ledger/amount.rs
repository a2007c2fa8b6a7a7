//! What a transfer moves: more than nothing, in minor units of the accounts' currency.

use crate::domain::rule::Rule;

const NOT_AN_AMOUNT: Rule = Rule {
    code: "OUT_OF_RANGE",
    message: "Must be a positive amount in minor units, at most 10^15.",
};

/// A positive number of minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i64);

impl Amount {
    /// Most that a request may move: ten trillions of major units, which JSON still tells exactly and sums bear thousands of.
    pub const REQUEST_MAX: i64 = 1_000_000_000_000_000;

    /// So many minor units; none for zero and below.
    #[must_use]
    pub const fn new(minor: i64) -> Option<Self> {
        if minor > 0 { Some(Self(minor)) } else { None }
    }

    /// As it stands in a request.
    ///
    /// # Errors
    /// A [`Rule`] for zero and below, and for more than anybody moves.
    pub fn parse(minor: i64) -> Result<Self, Rule> {
        Self::new(minor)
            .filter(|amount| amount.0 <= Self::REQUEST_MAX)
            .ok_or(NOT_AN_AMOUNT)
    }

    /// Minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// What is left beyond `other`; none when nothing is.
    #[must_use]
    pub const fn beyond(self, other: Self) -> Option<Self> {
        // Both are positive, so the difference fits.
        Self::new(self.0 - other.0)
    }
}
