//! A transfer: what for, how it moves money, and where it stands. A transfer is written once; what becomes of a pending one is
//! another transfer, which posts or voids it, or its end by time.

/// The ledger's number of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransferId(pub i64);

/// What a transfer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransferKind {
    /// Money of a user came in.
    Reload,
    /// Money of a partner, or of the platform, came in.
    PartnerReload,
    /// A purchase was approved: the money is held.
    Authorisation,
    /// A purchase is settled.
    Clearing,
    /// An approval was taken back.
    Reversal,
    /// A merchant gives back.
    Refund,
    /// What clearing asks beyond the authorisation.
    Difference,
}

impl TransferKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Reload,
        Self::PartnerReload,
        Self::Authorisation,
        Self::Clearing,
        Self::Reversal,
        Self::Refund,
        Self::Difference,
    ];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reload => "RELOAD",
            Self::PartnerReload => "PARTNER_RELOAD",
            Self::Authorisation => "AUTHORISATION",
            Self::Clearing => "CLEARING",
            Self::Reversal => "REVERSAL",
            Self::Refund => "REFUND",
            Self::Difference => "DIFFERENCE",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How a transfer moves money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// At once.
    Single,
    /// Not yet: it is reserved on both sides.
    Pending,
    /// What was reserved is moved, all of it or a part; the rest is free again.
    PostPending,
    /// What was reserved is free again.
    VoidPending,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 4] = [Self::Single, Self::Pending, Self::PostPending, Self::VoidPending];

    /// The name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "SINGLE",
            Self::Pending => "PENDING",
            Self::PostPending => "POST_PENDING",
            Self::VoidPending => "VOID_PENDING",
        }
    }

    /// The phase with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == name)
    }
}

/// What has become of a pending transfer. All but the first are for good, but that what has expired may be cleared late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingState {
    /// It holds money.
    Pending,
    /// Posted: cleared.
    Posted,
    /// Voided: reversed.
    Voided,
    /// Its time is over.
    Expired,
}

impl PendingState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Posted, Self::Voided, Self::Expired];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Posted => "POSTED",
            Self::Voided => "VOIDED",
            Self::Expired => "EXPIRED",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Where a transfer stands, as it is shown: what is not pending first is posted from the start.
pub type TransferState = PendingState;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive() {
        for kind in TransferKind::ALL {
            assert_eq!(TransferKind::from_name(kind.as_str()), Some(kind));
        }
        for phase in Phase::ALL {
            assert_eq!(Phase::from_name(phase.as_str()), Some(phase));
        }
        for state in PendingState::ALL {
            assert_eq!(PendingState::from_name(state.as_str()), Some(state));
        }
    }
}
