//! Operators: who works with the panel, in which role, and for whom.

mod permission;
mod secret;
pub mod totp;

use shared::mtls::identity::Name;

pub use permission::{Permission, Permitted, marker};
pub use secret::{Login, Password};

/// The gateway's number of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperatorId(pub i64);

/// What an operator may do, from most to least: Admin > Manager > Employee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything that the channel has.
    Admin,
    /// Cards and balances, not people.
    Manager,
    /// Customer service.
    Employee,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Manager, Self::Employee];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::Manager => "MANAGER",
            Self::Employee => "EMPLOYEE",
        }
    }

    /// The role with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// Whether somebody in this role may do that.
    #[must_use]
    pub fn may(self, permission: Permission) -> bool {
        permission.roles().contains(&self)
    }
}

/// For whom an operator works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// For the platform: sees every partner's customers.
    Platform,
    /// For one partner: sees that partner's customers, and of others not even that they exist.
    Partner(Name),
}

impl Scope {
    /// The partner, if it is one's.
    #[must_use]
    pub const fn partner(&self) -> Option<&Name> {
        match self {
            Self::Platform => None,
            Self::Partner(partner) => Some(partner),
        }
    }

    /// The scope of a partner, or of the platform where none is named.
    #[must_use]
    pub fn of(partner: Option<Name>) -> Self {
        partner.map_or(Self::Platform, Self::Partner)
    }

    /// Whether a partner's things are within it.
    #[must_use]
    pub fn sees(&self, partner: &Name) -> bool {
        self.partner().is_none_or(|own| own == partner)
    }

    /// Whether operators of the other scope are within it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        *self == Self::Platform || self == other
    }
}

/// Where an operator stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorState {
    /// Invited by mail; has no password and no second factor yet.
    Invited,
    /// Can log in.
    Active,
    /// Cannot, and has no sessions.
    Disabled,
}

impl OperatorState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Invited, Self::Active, Self::Disabled];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "INVITED",
            Self::Active => "ACTIVE",
            Self::Disabled => "DISABLED",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// An operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The number.
    pub id: OperatorId,
    /// By which the operator logs in and is written to.
    pub login: Login,
    /// What the operator may do.
    pub role: Role,
    /// For whom.
    pub scope: Scope,
    /// Where the operator stands.
    pub state: OperatorState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.as_str()), Some(role));
        }
        for state in OperatorState::ALL {
            assert_eq!(OperatorState::from_name(state.as_str()), Some(state));
        }
        assert_eq!(Role::from_name("admin"), None);
    }

    #[test]
    fn a_partners_operator_sees_that_partner_and_no_other() {
        let (own, other): (Name, Name) = ("own".parse().unwrap(), "other".parse().unwrap());
        let of_own = Scope::Partner(own.clone());
        assert!(of_own.sees(&own) && !of_own.sees(&other));
        assert!(Scope::Platform.sees(&own) && Scope::Platform.sees(&other));
        assert!(of_own.covers(&of_own) && Scope::Platform.covers(&of_own));
        assert!(!of_own.covers(&Scope::Platform) && !of_own.covers(&Scope::Partner(other)));
    }

    /// A higher role may do all that a lower one may.
    #[test]
    fn roles_are_in_order() {
        for permission in Permission::ALL {
            let [admin, manager, employee] = Role::ALL.map(|role| role.may(permission));
            assert!(admin, "{permission:?}");
            assert!(manager || !employee, "{permission:?}");
        }
    }
}
