//! A card as the vault keeps it: sealed fields, and a standing that only ever moves one way.

use serde::{Deserialize, Serialize};
use shared::expiry::Expiry;
use shared::ids::{CardToken, HolderToken, OrderToken, ProgramName};
use shared::masked::MaskedPan;
use shared::vault_api::cards::Standing as StandingName;

use crate::bytes::Base64Bytes;
use crate::crypto::fingerprint::Reach;

/// A field sealed under the card's data key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedField {
    /// Counts how often the field was written; part of the AAD, so that an older value cannot be put back.
    pub version: u32,
    /// Ciphertext and tag.
    pub sealed: Base64Bytes,
}

/// What the vault allows for a card. Never moves back (except through two officers, for a closed card in its grace time).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Standing {
    /// In use.
    Open,
    /// Locked with an irreversible code.
    LockedFinally {
        /// 1, 2, 5 or 8.
        code: u8,
    },
    /// Closed; secrets are destroyed when the grace time ends.
    Closed {
        /// Unix seconds.
        destroy_at: i64,
        /// The irreversible lock that the card had, if any.
        #[serde(default)]
        locked: Option<u8>,
    },
    /// Closed and its secrets destroyed: the token stays as a tombstone.
    Destroyed,
}

/// Why an operation on a card is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StandingRefusal {
    /// An irreversible lock.
    #[error("the card is locked for good")]
    LockedFinally,
    /// Closed or destroyed.
    #[error("the card was removed")]
    Closed,
}

/// Why a code is no final lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only the codes 1, 2, 5 and 8 lock for good")]
pub struct NotAFinalCode;

impl Standing {
    /// Whether card data may be emitted or changed.
    ///
    /// # Errors
    /// The one-way flag that forbids it.
    pub fn permits_use(self) -> Result<(), StandingRefusal> {
        match self {
            Self::Open => Ok(()),
            Self::LockedFinally { .. } => Err(StandingRefusal::LockedFinally),
            Self::Closed { .. } | Self::Destroyed => Err(StandingRefusal::Closed),
        }
    }

    /// After an irreversible lock. A card that is locked already keeps its first code.
    ///
    /// # Errors
    /// [`StandingRefusal::Closed`].
    pub fn lock_finally(self, code: FinalCode) -> Result<Self, StandingRefusal> {
        match self {
            Self::Open => Ok(Self::LockedFinally { code: code.0 }),
            Self::LockedFinally { .. } => Ok(self),
            Self::Closed { .. } | Self::Destroyed => Err(StandingRefusal::Closed),
        }
    }

    /// After closure; closing again changes nothing.
    #[must_use]
    pub fn close(self, destroy_at: i64) -> Self {
        match self {
            Self::Open => Self::Closed {
                destroy_at,
                locked: None,
            },
            Self::LockedFinally { code } => Self::Closed {
                destroy_at,
                locked: Some(code),
            },
            Self::Closed { .. } | Self::Destroyed => self,
        }
    }

    /// What a closed card was before, and when its secrets were due; `None` for one that is not closed, or destroyed.
    #[must_use]
    pub fn restore(self) -> Option<(Self, i64)> {
        match self {
            Self::Closed {
                destroy_at,
                locked: Some(code),
            } => Some((Self::LockedFinally { code }, destroy_at)),
            Self::Closed {
                destroy_at,
                locked: None,
            } => Some((Self::Open, destroy_at)),
            Self::Open | Self::LockedFinally { .. } | Self::Destroyed => None,
        }
    }

    /// The name that callers see.
    #[must_use]
    pub fn name(self) -> StandingName {
        match self {
            Self::Open => StandingName::Open,
            Self::LockedFinally { .. } => StandingName::LockedFinally,
            Self::Closed { .. } | Self::Destroyed => StandingName::Closed,
        }
    }
}

/// A lock code that cannot be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinalCode(u8);

impl TryFrom<u8> for FinalCode {
    type Error = NotAFinalCode;
    fn try_from(code: u8) -> Result<Self, NotAFinalCode> {
        if matches!(code, 1 | 2 | 5 | 8) {
            Ok(Self(code))
        } else {
            Err(NotAFinalCode)
        }
    }
}

/// A card record. Whom it belongs to is fixed at creation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Its name outside the vault.
    pub token: CardToken,
    /// The cardholder.
    pub holder: HolderToken,
    /// The program.
    pub program: ProgramName,
    /// First six and last four digits.
    pub masked: MaskedPan,
    /// The month through which it is valid.
    pub exp: Expiry,
    /// What is allowed.
    pub standing: Standing,
    /// The PAN; gone once destroyed.
    pub pan: Option<SealedField>,
    /// The CVV.
    pub cvv: Option<SealedField>,
    /// The PIN, once set.
    pub pin: Option<SealedField>,
    /// Whether plastic was ordered.
    pub plastic: bool,
    /// The partner that brought in a number of another issuer; `None`: the number is of the program's own range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_of: Option<String>,
    /// The newest order of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderToken>,
    /// What it goes on with, while its next plastic is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextTerm>,
}

/// The life of a card after its next plastic has taken over. Until then nothing of it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextTerm {
    /// The order of the plastic.
    pub order: OrderToken,
    /// The month through which the card will be valid.
    pub exp: Expiry,
    /// The CVV2 that is printed. None where nothing is printed: then another CVV is drawn when the plastic takes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cvv: Option<SealedField>,
}

/// Code, PIN and plastic of a card are its issuer's to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the card is another issuer's")]
pub struct OfAnotherIssuer;

impl Card {
    /// What the card goes on with once this order is in its holder's hands, if it is the order of its next plastic.
    #[must_use]
    pub fn next_by(&self, order: &OrderToken) -> Option<&NextTerm> {
        self.next.as_ref().filter(|next| next.order == *order)
    }

    /// The end after which nothing can be made of the card any more: the next one, while its next plastic is on its way.
    #[must_use]
    pub fn last_end(&self) -> Expiry {
        self.next.as_ref().map_or(self.exp, |next| next.exp)
    }

    /// For whom the number leads to this card.
    #[must_use]
    pub fn reach(&self) -> Reach<'_> {
        self.foreign_of
            .as_deref()
            .map_or(Reach::Everybody, Reach::Partner)
    }

    /// Whether code, PIN and plastic can be given here.
    ///
    /// # Errors
    /// [`OfAnotherIssuer`].
    pub const fn issuer_is_here(&self) -> Result<(), OfAnotherIssuer> {
        match self.foreign_of {
            None => Ok(()),
            Some(_) => Err(OfAnotherIssuer),
        }
    }

    /// The version that the next writing of a field carries.
    #[must_use]
    pub fn next_version(field: Option<&SealedField>) -> u32 {
        field.map_or(1, |field| field.version.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_never_moves_back() {
        let locked = Standing::Open
            .lock_finally(FinalCode::try_from(2).unwrap())
            .unwrap();
        assert_eq!(locked, Standing::LockedFinally { code: 2 });
        assert_eq!(
            locked.lock_finally(FinalCode::try_from(1).unwrap()).unwrap(),
            locked
        );
        assert_eq!(locked.permits_use(), Err(StandingRefusal::LockedFinally));
        let closed = locked.close(10);
        assert_eq!(closed.close(99), closed);
        assert_eq!(
            closed.restore(),
            Some((locked, 10)),
            "two officers give back what was, not more"
        );
        assert_eq!(Standing::Destroyed.restore(), None);
        assert_eq!(
            closed.lock_finally(FinalCode::try_from(1).unwrap()),
            Err(StandingRefusal::Closed)
        );
        assert_eq!(closed.permits_use(), Err(StandingRefusal::Closed));
    }

    #[test]
    fn reversible_codes_are_no_final_locks() {
        let finals: Vec<u8> = (0..=9)
            .filter(|code| FinalCode::try_from(*code).is_ok())
            .collect();
        assert_eq!(finals, [1, 2, 5, 8]);
    }
}
