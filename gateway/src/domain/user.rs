//! A user: whose cards and balances these are, and what being locked means. Personal data is not part of it; few places need
//! that.
//!
//! A partner or an operator locks a user whose account may be in wrong hands. What then goes on:
//!
//! | | the user | the partner | an operator |
//! |---|---|---|---|
//! | session, login, pairing | no: sessions end with the lock | no activation code | – |
//! | a new balance, a new card, plastic | – | no | no |
//! | look at everything, reveal, reload | – | yes | as the role says |
//! | lock or remove a card, revoke an installation | – | yes | as the role says |
//! | personal data, KYC | – | yes | as the role says |
//! | unlock | – | the partner's own lock | every lock |
//! | remove the user | – | yes | – |
//!
//! Cards that are there are not locked with their user: payments that recur go on, and who wants them stopped locks the cards.
//! A removed user exists for nobody any more.

use shared::ids::{HolderToken, ProgramName};
use shared::mtls::identity::Name;
use time::OffsetDateTime;

use super::kyc::KycStatus;
use super::lock::Party;

/// The gateway's number of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub i64);

/// A registered user, known to the vault as a holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The number.
    pub id: UserId,
    /// Whose user this is.
    pub partner: Name,
    /// Under which program balances and cards are created.
    pub program: ProgramName,
    /// The user in the vault.
    pub holder: HolderToken,
    /// Whether the identity is established.
    pub kyc: KycStatus,
    /// Whether the account can be used.
    pub standing: UserStanding,
}

impl User {
    /// Whether a balance, a card or plastic can be made for the user, by whomever.
    #[must_use]
    pub const fn may_get_more(&self) -> bool {
        matches!(self.standing, UserStanding::Open)
    }
}

/// Whether an account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserStanding {
    /// In use.
    Open,
    /// Locked by the partner or an operator.
    Locked,
    /// For good: the personal data is gone.
    Removed,
}

impl UserStanding {
    /// Every standing.
    pub const ALL: [Self; 3] = [Self::Open, Self::Locked, Self::Removed];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Locked => "LOCKED",
            Self::Removed => "REMOVED",
        }
    }

    /// The standing with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.as_str() == name)
    }
}

/// The lock of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserLock {
    /// Who holds it: partner or operator.
    pub by: Party,
    /// Why, in the words of whoever placed it.
    pub reason: Option<String>,
    /// Since when.
    pub at: OffsetDateTime,
}

/// Whether a lock that `by` places takes the place of the one that is held by `held`: an operator's stands above a
/// partner's, and who locks again changes nothing else.
#[must_use]
pub const fn takes_over(held: Option<Party>, by: Party) -> bool {
    match held {
        None => true,
        Some(held) => rank(by) > rank(held),
    }
}

/// Whether `by` lifts a lock that is held by `held`.
#[must_use]
pub const fn lifts(held: Party, by: Party) -> bool {
    rank(by) > 0 && rank(by) >= rank(held)
}

/// Users and processors lock no users.
const fn rank(party: Party) -> u8 {
    match party {
        Party::User | Party::Processor => 0,
        Party::Partner => 1,
        Party::Operator => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive() {
        for standing in UserStanding::ALL {
            assert_eq!(UserStanding::from_name(standing.as_str()), Some(standing));
        }
        assert_eq!(UserStanding::from_name("open"), None);
    }

    #[test]
    fn an_operators_lock_stands_above_the_partners() {
        use Party::{Operator, Partner, Processor, User};
        for (held, by, takes) in [
            (None, Partner, true),
            (None, Operator, true),
            (Some(Partner), Partner, false),
            (Some(Partner), Operator, true),
            (Some(Operator), Partner, false),
            (Some(Operator), Operator, false),
        ] {
            assert_eq!(takes_over(held, by), takes, "{held:?} {by:?}");
        }
        for (held, by, lifted) in [
            (Partner, Partner, true),
            (Partner, Operator, true),
            (Operator, Operator, true),
            (Operator, Partner, false),
            (Partner, User, false),
            (Partner, Processor, false),
        ] {
            assert_eq!(lifts(held, by), lifted, "{held:?} {by:?}");
        }
    }
}
