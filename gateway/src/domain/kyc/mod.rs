//! Whether a person's identity is established (know your customer), and how that may change.

mod content;
mod document;
mod reason;
#[cfg(test)]
pub(crate) mod samples;
mod sandbox;

pub use content::judge;
pub use document::{DocumentId, DocumentKind, DocumentType, NOT_A_KIND, Requirement};
pub use reason::{Rejection, RejectionReason, parse_message, parse_reason};
pub use sandbox::{SandboxOutcome, SandboxView, sandbox_outcome};

/// The states of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KycStatus {
    /// Nothing was filed.
    None,
    /// An application waits for a decision.
    InProgress,
    /// Established: balances and cards may be created.
    Accepted,
    /// Refused; the user may apply again.
    Rejected,
}

impl KycStatus {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::None, Self::InProgress, Self::Accepted, Self::Rejected];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::InProgress => "IN_PROGRESS",
            Self::Accepted => "ACCEPTED",
            Self::Rejected => "REJECTED",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Files an application: possible at first and after a refusal.
    ///
    /// # Errors
    /// Why another application is pointless.
    pub const fn apply(self) -> Result<Self, KycRefusal> {
        match self {
            Self::None | Self::Rejected => Ok(Self::InProgress),
            Self::InProgress => Err(KycRefusal::InProgress),
            Self::Accepted => Err(KycRefusal::Accepted),
        }
    }

    /// Takes over the outcome of a partner's own process. A partner may correct itself in any direction; only to `NONE`
    /// there is no way back, because a decision that was made stays on record.
    #[must_use]
    pub const fn decided_by_partner(self, status: Self) -> Option<Self> {
        match status {
            Self::None => None,
            Self::InProgress | Self::Accepted | Self::Rejected => Some(status),
        }
    }
}

/// Why an application is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KycRefusal {
    /// One is waiting already.
    InProgress,
    /// The identity is established.
    Accepted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_taken_at_first_and_after_a_refusal() {
        assert_eq!(KycStatus::None.apply(), Ok(KycStatus::InProgress));
        assert_eq!(KycStatus::Rejected.apply(), Ok(KycStatus::InProgress));
        assert_eq!(KycStatus::InProgress.apply(), Err(KycRefusal::InProgress));
        assert_eq!(KycStatus::Accepted.apply(), Err(KycRefusal::Accepted));
    }

    #[test]
    fn a_partner_decides_anything_but_that_nothing_was_decided() {
        for from in KycStatus::ALL {
            for to in KycStatus::ALL {
                assert_eq!(from.decided_by_partner(to), (to != KycStatus::None).then_some(to));
            }
        }
    }

    #[test]
    fn names_survive() {
        for status in KycStatus::ALL {
            assert_eq!(KycStatus::from_name(status.as_str()), Some(status));
        }
        assert_eq!(KycStatus::from_name("accepted"), None);
    }
}
