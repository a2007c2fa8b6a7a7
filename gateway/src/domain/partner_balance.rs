//! A partner's balance, which limits all its users together, or the platform's, which pays differences; and how money comes
//! into it: a bank transfer that one operator has seen and another confirms.

use shared::ids::ProgramName;
use shared::money::Currency;
use shared::mtls::identity::Name;

use super::ledger::{AccountId, AccountKind, Amount, LowLevel, Sums, Watch};
use super::operator::{OperatorId, Scope};

/// The gateway's number of a partner balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartnerBalanceId(pub i64);

/// Whether a partner balance can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartnerBalanceState {
    /// In use.
    Active,
    /// No authorisation of any of the partner's users passes in its currency.
    Locked,
}

impl PartnerBalanceState {
    /// Every state.
    pub const ALL: [Self; 2] = [Self::Active, Self::Locked];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Locked => "LOCKED",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A partner balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerBalance {
    /// The number.
    pub id: PartnerBalanceId,
    /// Its account.
    pub account: AccountId,
    /// CREDIT, DEPOSIT or COMPANY.
    pub kind: AccountKind,
    /// Whose it is; of COMPANY, whose program it serves.
    pub partner: Name,
    /// Of COMPANY: the program.
    pub program: Option<ProgramName>,
    /// In which currency.
    pub currency: Currency,
    /// Whether it can be drawn.
    pub state: PartnerBalanceState,
    /// What is in it.
    pub sums: Sums,
    /// Below which the partner is told.
    pub low_level: Option<LowLevel>,
    /// Whether it was told.
    pub watch: Watch,
}

impl PartnerBalance {
    /// Whether it is within a scope: a partner's own limits are within the partner's, the platform's company balances are not.
    #[must_use]
    pub fn is_within(&self, scope: &Scope) -> bool {
        scope.sees(&self.partner) && (*scope == Scope::Platform || self.kind.limits_a_partner())
    }
}

/// The gateway's number of a reload of a partner balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartnerReloadId(pub i64);

/// What became of a reload that was proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadState {
    /// It waits for another operator.
    Proposed,
    /// Credited.
    Approved,
    /// Refused.
    Rejected,
}

impl ReloadState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Proposed, Self::Approved, Self::Rejected];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "PROPOSED",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A reload: proposed by one operator, decided by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerReload {
    /// The number.
    pub id: PartnerReloadId,
    /// Of which balance.
    pub balance: PartnerBalanceId,
    /// How much, in the balance's currency.
    pub amount: Amount,
    /// The bank's name of the transfer.
    pub bank_reference: String,
    /// What became of it.
    pub state: ReloadState,
    /// Who saw the money.
    pub proposed_by: OperatorId,
    /// Who confirmed or refused it.
    pub decided_by: Option<OperatorId>,
    /// When it was proposed.
    pub created_at: time::OffsetDateTime,
    /// When it was decided.
    pub decided_at: Option<time::OffsetDateTime>,
}

/// Why an operator does not decide a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecisionRefusal {
    /// Four eyes: not who proposed it.
    OwnProposal,
    /// It was decided before.
    Decided,
}

impl PartnerReload {
    /// Whether this operator may decide it now.
    ///
    /// # Errors
    /// [`DecisionRefusal`].
    pub fn judge(&self, by: OperatorId) -> Result<(), DecisionRefusal> {
        if self.state != ReloadState::Proposed {
            return Err(DecisionRefusal::Decided);
        }
        if self.proposed_by == by {
            return Err(DecisionRefusal::OwnProposal);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive() {
        for state in PartnerBalanceState::ALL {
            assert_eq!(PartnerBalanceState::from_name(state.as_str()), Some(state));
        }
        for state in ReloadState::ALL {
            assert_eq!(ReloadState::from_name(state.as_str()), Some(state));
        }
    }

    #[test]
    fn the_platforms_own_money_is_no_partners_to_see() {
        let of = |kind| PartnerBalance {
            id: PartnerBalanceId(1),
            account: AccountId(1),
            kind,
            partner: "partner".parse().unwrap(),
            program: None,
            currency: Currency::EUR,
            state: PartnerBalanceState::Active,
            sums: Sums::default(),
            low_level: None,
            watch: Watch::Armed,
        };
        let own = Scope::Partner("partner".parse().unwrap());
        let other = Scope::Partner("other".parse().unwrap());
        for kind in [AccountKind::Credit, AccountKind::Deposit, AccountKind::Company] {
            assert!(of(kind).is_within(&Scope::Platform));
            assert_eq!(of(kind).is_within(&own), kind != AccountKind::Company);
            assert!(!of(kind).is_within(&other));
        }
    }
}
