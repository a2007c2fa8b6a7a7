//! Where a card comes from. Whoever does not issue a card cannot give it a code, a PIN or plastic.

/// How a card came into the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardOrigin {
    /// Issued here: its number was drawn by the vault.
    Issued,
    /// Brought in by the partner, with a number of the program's own range: from then on like one that was issued here.
    Tokenised,
    /// Brought in by the partner, with a number that another issuer gave out.
    Foreign,
}

impl CardOrigin {
    /// Every origin.
    pub const ALL: [Self; 3] = [Self::Issued, Self::Tokenised, Self::Foreign];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "ISSUED",
            Self::Tokenised => "TOKENISED",
            Self::Foreign => "FOREIGN",
        }
    }

    /// The origin with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == name)
    }

    /// Whether the card's issuer is here: code, PIN and plastic are the issuer's to give.
    #[must_use]
    pub const fn is_issuer_here(self) -> bool {
        match self {
            Self::Issued | Self::Tokenised => true,
            Self::Foreign => false,
        }
    }
}
