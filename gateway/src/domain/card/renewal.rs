//! The renewal of a card with plastic: the next plastic is on its way while the old one goes on.

use shared::expiry::Expiry;

/// How far a renewal that is under way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The bureau has yet to make the plastic.
    Ordered {
        /// The end that the card has once the plastic has taken over.
        exp: Expiry,
    },
    /// The plastic is made, and takes over when its holder activates it.
    Made {
        /// The end that the card has then.
        exp: Expiry,
    },
}

impl Renewal {
    /// The end that the card has once the plastic has taken over.
    #[must_use]
    pub const fn exp(self) -> Expiry {
        match self {
            Self::Ordered { exp } | Self::Made { exp } => exp,
        }
    }

    /// The name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordered { .. } => "ORDERED",
            Self::Made { .. } => "MADE",
        }
    }

    /// The renewal with this name and end.
    #[must_use]
    pub fn from_name(name: &str, exp: Expiry) -> Option<Self> {
        [Self::Ordered { exp }, Self::Made { exp }]
            .into_iter()
            .find(|renewal| renewal.as_str() == name)
    }
}
