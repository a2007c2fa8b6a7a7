//! A card as the gateway knows it: by token, masked number and expiry; what state it is in and what may be done with it.
//!
//! What may be done with a card stands in one place, [`table`]. What the vault enforces beside it (closure, final locks,
//! proofs) it enforces by itself.

mod embossed;
mod masked;
mod name;
mod origin;
mod renewal;
pub mod table;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;

use shared::expiry::Expiry;
use shared::ids::CardToken;
use shared::masked::MaskedPan;
use time::OffsetDateTime;

use super::balance::BalanceId;
use super::lock::{LiftPolicy, Lock, LockRefusal, Party};
use super::operator::Role;
use super::order::Delivery;
use super::user::UserId;
pub use embossed::embossed_name;
pub use masked::{MaskedCard, OwnMembers};
pub use name::CardName;
pub use origin::CardOrigin;
pub use renewal::Renewal;

/// The gateway's number of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CardId(pub i64);

/// The three kinds of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardType {
    /// A number without plastic.
    Virtual,
    /// Plastic with a number of its own.
    Physical,
    /// A virtual card of which plastic was ordered: same number, state and locks, nothing to activate.
    DigitalFirst,
}

impl CardType {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Virtual, Self::Physical, Self::DigitalFirst];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Virtual => "VIRTUAL",
            Self::Physical => "PHYSICAL",
            Self::DigitalFirst => "DIGITAL_FIRST",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Where a card stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardState {
    /// Ordered at the bureau; not shown to its user.
    Ordered {
        /// The lock that the processor placed meanwhile: it will hold once the card is linked.
        lock: Option<Lock>,
    },
    /// Linked, waits for activation.
    Inactive,
    /// In use.
    Active,
    /// Every authorisation is rejected with the lock's action code.
    Locked {
        /// The lock that holds.
        lock: Lock,
        /// Where the card returns to when the lock is lifted.
        from: Unlocked,
    },
    /// The last month has passed: every authorisation is rejected.
    Expired {
        /// The lock that held at the end.
        lock: Option<Lock>,
    },
    /// Gone for good; the token stays as a tombstone.
    Removed,
}

/// The states that a lock can lie upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlocked {
    /// Waits for activation.
    Inactive,
    /// In use.
    Active,
}

impl From<Unlocked> for CardState {
    fn from(state: Unlocked) -> Self {
        match state {
            Unlocked::Inactive => Self::Inactive,
            Unlocked::Active => Self::Active,
        }
    }
}

impl CardState {
    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordered { .. } => "ORDERED",
            Self::Inactive => "INACTIVE",
            Self::Active => "ACTIVE",
            Self::Locked { .. } => "LOCKED",
            Self::Expired { .. } => "EXPIRED",
            Self::Removed => "REMOVED",
        }
    }

    /// The lock that holds, if one does.
    #[must_use]
    pub const fn lock(self) -> Option<Lock> {
        match self {
            Self::Locked { lock, .. } => Some(lock),
            Self::Ordered { lock } | Self::Expired { lock } => lock,
            Self::Inactive | Self::Active | Self::Removed => None,
        }
    }
}

/// What callers can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Full card data.
    Reveal,
    /// A new CVV.
    ResetCvv,
    /// Plastic of a virtual card (Digital First).
    Print,
    /// A PIN.
    SetPin,
    /// Taking a physical card into use, or its next plastic.
    Activate,
    /// A lock, or a harder one.
    Lock,
    /// Lifting the lock.
    Unlock,
    /// Another card in the place of one that is lost, stolen or worn.
    Replace,
    /// Whether the card is renewed by itself before its end.
    SetRenewal,
    /// Closing the card for good.
    Remove,
}

impl Action {
    /// Every action, in the order in which `allowedActions` lists them.
    pub const ALL: [Self; 10] = [
        Self::Reveal,
        Self::ResetCvv,
        Self::Print,
        Self::SetPin,
        Self::Activate,
        Self::Lock,
        Self::Unlock,
        Self::Replace,
        Self::SetRenewal,
        Self::Remove,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reveal => "REVEAL",
            Self::ResetCvv => "RESET_CVV",
            Self::Print => "PRINT",
            Self::SetPin => "SET_PIN",
            Self::Activate => "ACTIVATE",
            Self::Lock => "LOCK",
            Self::Unlock => "UNLOCK",
            Self::Replace => "REPLACE",
            Self::SetRenewal => "SET_RENEWAL",
            Self::Remove => "REMOVE",
        }
    }
}

/// What a program lets happen to its cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardRules {
    /// Registered for Digital First: plastic of virtual cards can be ordered.
    pub digital_first: bool,
    /// Who lifts reversible locks.
    pub lifting: LiftPolicy,
    /// The role of the operator who asks: not every role is offered everything. None: whatever any role is offered.
    pub role: Option<Role>,
}

/// Why a card does not permit an action now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardRefusal {
    /// 404: the user does not see the card yet.
    #[error("the card is ordered and not yet the user's to see")]
    NotShown,
    /// 409 `CARD_REMOVED`.
    #[error("the card is removed")]
    Removed,
    /// 409 `CARD_NOT_ACTIVE`.
    #[error("the card is not active yet")]
    Inactive,
    /// 409 `CARD_EXPIRED`.
    #[error("the card's last month has passed")]
    Expired,
    /// 409 `CARD_LOCKED`.
    #[error("the card is locked")]
    Locked,
    /// 409 `NOT_LOCKED`.
    #[error("the card is not locked")]
    NotLocked,
    /// 409 `LOCK_IRREVERSIBLE` or 403 `LOCK_NOT_YOURS`.
    #[error(transparent)]
    Lock(#[from] LockRefusal),
    /// 409 `NOT_REPLACEABLE`.
    #[error("only a card that is locked as lost, stolen or replaced gives its place to another")]
    NotReplaceable,
    /// 409 `ALREADY_REPLACED`.
    #[error("another card has taken this one's place")]
    AlreadyReplaced,
    /// 409 `NOT_DIGITAL_FIRST`.
    #[error("the program is not registered for Digital First")]
    NotDigitalFirst,
    /// 409 `CARD_NOT_VIRTUAL`.
    #[error("only a virtual card permits this")]
    NotVirtual,
    /// 409 `ALREADY_PRINTED`.
    #[error("plastic of the card was ordered before")]
    AlreadyPrinted,
    /// 409 `PIN_NOT_AVAILABLE`.
    #[error("a card without plastic has no PIN")]
    PinNotAvailable,
    /// 409 `CARD_NOT_PHYSICAL`.
    #[error("only a physical card is activated")]
    NotPhysical,
    /// 409 `ALREADY_ACTIVE`.
    #[error("the card is active already")]
    AlreadyActive,
    /// 409 `CVV_NOT_AVAILABLE`.
    #[error("the CVV of a physical card is printed on it")]
    CvvNotAvailable,
    /// 409 `CARD_OF_ANOTHER_ISSUER`.
    #[error("code, PIN and plastic are the issuer's to give")]
    OfAnotherIssuer,
}

/// What a card is and where it stands: all that permission depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Virtual, physical or Digital First.
    pub kind: CardType,
    /// Where it stands.
    pub state: CardState,
    /// Where it comes from.
    pub origin: CardOrigin,
    /// Whether another card has taken its place, or is about to.
    pub replaced: bool,
    /// Its renewal, while the next plastic is on its way.
    pub renewal: Option<Renewal>,
}

/// A card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The gateway's number.
    pub id: CardId,
    /// The vault's name for it.
    pub token: CardToken,
    /// Whose it is.
    pub user: UserId,
    /// The balance it draws on, for good.
    pub balance: BalanceId,
    /// What it is and where it stands.
    pub standing: Standing,
    /// First six and last four digits.
    pub masked: MaskedPan,
    /// The last month of its life.
    pub exp: Expiry,
    /// What the user calls it.
    pub name: Option<CardName>,
    /// When it was created, UTC.
    pub created_at: OffsetDateTime,
    /// How far its plastic is, if any was ordered. Kept by the store with the order.
    pub delivery: Option<Delivery>,
    /// The card whose place it took.
    pub replaces: Option<CardId>,
    /// The card that took its place.
    pub replaced_by: Option<CardId>,
    /// Whether it is renewed by itself before its end, if its program lets it.
    pub automatic_renewal: bool,
}

impl Card {
    /// The card as it stands at `now`: after its last month it is expired, whether or not that was written down yet.
    #[must_use]
    pub fn at(mut self, now: OffsetDateTime) -> Self {
        self.standing.state = match self.standing.state {
            CardState::Inactive | CardState::Active | CardState::Locked { .. } if self.exp.is_past(now) => {
                CardState::Expired {
                    lock: self.standing.state.lock(),
                }
            }
            state => state,
        };
        self
    }
}

/// A card that the vault has yet to give a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCard {
    /// The number that the card will have here.
    pub id: CardId,
    /// Whose it will be.
    pub user: UserId,
    /// The balance it will draw on.
    pub balance: BalanceId,
    /// What the user calls it.
    pub name: Option<CardName>,
    /// When it was asked for, UTC.
    pub created_at: OffsetDateTime,
    /// The card whose place it takes.
    pub replaces: Option<CardId>,
}

impl NewCard {
    /// Virtual cards are in use from the start.
    pub const STANDING: Standing = Standing::new(CardType::Virtual, CardState::Active);

    /// Physical cards are nobody's until the bureau has made them.
    pub const ORDERED: Standing = Standing::new(CardType::Physical, CardState::Ordered { lock: None });

    /// The card, with what the vault made for it.
    #[must_use]
    pub fn issued(self, token: CardToken, masked: MaskedPan, exp: Expiry) -> Card {
        let Self {
            id,
            user,
            balance,
            name,
            created_at,
            replaces,
        } = self;
        Card {
            id,
            token,
            user,
            balance,
            standing: Self::STANDING,
            masked,
            exp,
            name,
            created_at,
            replaces,
            replaced_by: None,
            automatic_renewal: true,
            delivery: None,
        }
    }

    /// The card that was ordered as plastic, with what the vault made for it.
    #[must_use]
    pub fn ordered(self, token: CardToken, masked: MaskedPan, exp: Expiry) -> Card {
        Card {
            standing: Self::ORDERED,
            ..self.issued(token, masked, exp)
        }
    }
}

impl Standing {
    /// A card of this kind in this state that was issued here and whose place nobody took.
    #[must_use]
    pub const fn new(kind: CardType, state: CardState) -> Self {
        Self {
            kind,
            state,
            origin: CardOrigin::Issued,
            replaced: false,
            renewal: None,
        }
    }

    /// The state after `lock` was asked for.
    ///
    /// # Errors
    /// [`CardRefusal`] when the card cannot be locked, or not so.
    pub fn lock(self, lock: Lock, rules: CardRules) -> Result<CardState, CardRefusal> {
        let locked = |lock, from| Ok(CardState::Locked { lock, from });
        match self.state {
            // Nobody else knows the card yet.
            CardState::Ordered { lock: old } if lock.placed_by == Party::Processor => {
                let lock = old.map_or(Ok(lock), |old| old.replaced_by(lock, rules.lifting))?;
                Ok(CardState::Ordered { lock: Some(lock) })
            }
            CardState::Ordered { .. } => Err(CardRefusal::NotShown),
            CardState::Expired { .. } => Err(CardRefusal::Expired),
            CardState::Removed => Err(CardRefusal::Removed),
            CardState::Inactive => locked(lock, Unlocked::Inactive),
            CardState::Active => locked(lock, Unlocked::Active),
            CardState::Locked { lock: old, from } => locked(old.replaced_by(lock, rules.lifting)?, from),
        }
    }

    /// Whether activating the card activates the next plastic of one that was in use.
    #[must_use]
    pub const fn activates_renewal(self) -> bool {
        matches!(self.renewal, Some(Renewal::Made { .. })) && !matches!(self.state, CardState::Inactive)
    }

    /// The state after the lock was lifted, and the lock that is gone.
    ///
    /// # Errors
    /// [`CardRefusal`] when there is no lock, or `by` may not lift it.
    pub fn unlock(self, by: Party, rules: CardRules) -> Result<(CardState, Lock), CardRefusal> {
        match self.state {
            CardState::Ordered { lock } if by == Party::Processor => {
                let lock = lock.ok_or(CardRefusal::NotLocked)?;
                lock.may_lift(by, rules.lifting)?;
                Ok((CardState::Ordered { lock: None }, lock))
            }
            CardState::Ordered { .. } => Err(CardRefusal::NotShown),
            CardState::Expired { .. } => Err(CardRefusal::Expired),
            CardState::Removed => Err(CardRefusal::Removed),
            CardState::Inactive | CardState::Active => Err(CardRefusal::NotLocked),
            CardState::Locked { lock, from } => {
                lock.may_lift(by, rules.lifting)?;
                Ok((from.into(), lock))
            }
        }
    }

    /// The state once the bureau has made the card: it waits for activation, under the lock that was placed meanwhile.
    #[must_use]
    pub const fn linked(self) -> CardState {
        match self.state {
            CardState::Ordered { lock: None } => CardState::Inactive,
            CardState::Ordered { lock: Some(lock) } => CardState::Locked {
                lock,
                from: Unlocked::Inactive,
            },
            state => state,
        }
    }
}
