//! A card as the gateway knows it: by token, masked number and expiry; what state it is in and what may be done with it.
//!
//! [`Standing::permits`] is the one table of action, state and type. What the vault enforces beside it (closure, final locks,
//! proofs) it enforces by itself.

mod masked;
mod name;
mod origin;
#[cfg(test)]
mod tests;

use shared::expiry::Expiry;
use shared::ids::CardToken;
use shared::masked::MaskedPan;
use time::OffsetDateTime;

use super::balance::BalanceId;
use super::lock::{LiftPolicy, Lock, LockRefusal, Party};
use super::order::Delivery;
use super::user::UserId;
pub use masked::{MaskedCard, OwnMembers};
pub use name::CardName;
pub use origin::CardOrigin;

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
    Ordered,
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
            Self::Ordered => "ORDERED",
            Self::Inactive => "INACTIVE",
            Self::Active => "ACTIVE",
            Self::Locked { .. } => "LOCKED",
            Self::Removed => "REMOVED",
        }
    }

    /// The lock that holds, if one does.
    #[must_use]
    pub const fn lock(self) -> Option<Lock> {
        match self {
            Self::Locked { lock, .. } => Some(lock),
            Self::Ordered | Self::Inactive | Self::Active | Self::Removed => None,
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
    /// Taking a physical card into use.
    Activate,
    /// A lock, or a harder one.
    Lock,
    /// Lifting the lock.
    Unlock,
    /// Closing the card for good.
    Remove,
}

impl Action {
    /// Every action, in the order in which `allowedActions` lists them.
    pub const ALL: [Self; 8] = [
        Self::Reveal,
        Self::ResetCvv,
        Self::Print,
        Self::SetPin,
        Self::Activate,
        Self::Lock,
        Self::Unlock,
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
            Self::Remove => "REMOVE",
        }
    }

    /// Whether the contract has a door for this action and this party (capability matrix, rows 3 to 7 and 10 to 12; the
    /// partner removes over the life-cycle paths).
    #[must_use]
    pub const fn is_offered_to(self, party: Party) -> bool {
        match (self, party) {
            (Self::Lock | Self::Unlock, _) => true,
            (Self::Reveal, Party::User | Party::Partner)
            | (Self::ResetCvv, Party::User | Party::Operator)
            | (Self::Print | Self::Activate | Self::Remove, Party::User | Party::Partner | Party::Operator)
            | (Self::SetPin, Party::User) => true,
            (Self::Reveal, Party::Operator | Party::Processor)
            | (Self::ResetCvv, Party::Partner | Party::Processor)
            | (Self::Print | Self::Activate | Self::Remove, Party::Processor)
            | (Self::SetPin, Party::Partner | Party::Operator | Party::Processor) => false,
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
    /// Whether an operator who asks may remove cards: not every role may. Of all that is done with cards this alone
    /// depends on it.
    pub operators_remove: bool,
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
    /// 409 `CARD_LOCKED`.
    #[error("the card is locked")]
    Locked,
    /// 409 `NOT_LOCKED`.
    #[error("the card is not locked")]
    NotLocked,
    /// 409 `LOCK_IRREVERSIBLE` or 403 `LOCK_NOT_YOURS`.
    #[error(transparent)]
    Lock(#[from] LockRefusal),
    /// 409 `NOT_DIGITAL_FIRST`.
    #[error("the program is not registered for Digital First")]
    NotDigitalFirst,
    /// 409 `CARD_NOT_VIRTUAL`.
    #[error("only a virtual card can be printed")]
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
}

impl NewCard {
    /// Virtual cards are in use from the start.
    pub const STANDING: Standing = Standing {
        kind: CardType::Virtual,
        state: CardState::Active,
        origin: CardOrigin::Issued,
    };

    /// Physical cards are nobody's until the bureau has made them.
    pub const ORDERED: Standing = Standing {
        kind: CardType::Physical,
        state: CardState::Ordered,
        origin: CardOrigin::Issued,
    };

    /// The card, with what the vault made for it.
    #[must_use]
    pub fn issued(self, token: CardToken, masked: MaskedPan, exp: Expiry) -> Card {
        let Self {
            id,
            user,
            balance,
            name,
            created_at,
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
    /// Whether `action` is permitted to `by` now.
    ///
    /// # Errors
    /// [`CardRefusal`]: what stands against it. A lock that asks for a particular code is judged by [`Standing::lock`].
    pub fn permits(self, action: Action, by: Party, rules: CardRules) -> Result<(), CardRefusal> {
        match self.state {
            CardState::Ordered => return Err(CardRefusal::NotShown),
            CardState::Removed => return Err(CardRefusal::Removed),
            CardState::Inactive => while_inactive(action)?,
            CardState::Active => while_active(action)?,
            CardState::Locked { lock, .. } => while_locked(action, lock, by, rules)?,
        }
        match (action, self.kind) {
            (Action::ResetCvv | Action::Print | Action::SetPin, _) if !self.origin.is_issuer_here() => {
                Err(CardRefusal::OfAnotherIssuer)
            }
            (Action::Print, _) if !rules.digital_first => Err(CardRefusal::NotDigitalFirst),
            (Action::Print, CardType::Physical) => Err(CardRefusal::NotVirtual),
            (Action::Print, CardType::DigitalFirst) => Err(CardRefusal::AlreadyPrinted),
            (Action::Activate, CardType::Virtual | CardType::DigitalFirst) => Err(CardRefusal::NotPhysical),
            (Action::Activate, CardType::Physical) if self.state == CardState::Active => {
                Err(CardRefusal::AlreadyActive)
            }
            (Action::SetPin, CardType::Virtual) => Err(CardRefusal::PinNotAvailable),
            (Action::ResetCvv, CardType::Physical) => Err(CardRefusal::CvvNotAvailable),
            (
                Action::Reveal
                | Action::ResetCvv
                | Action::Print
                | Action::SetPin
                | Action::Activate
                | Action::Lock
                | Action::Unlock
                | Action::Remove,
                _,
            ) => Ok(()),
        }
    }

    /// What `by` may do now: what the contract offers this party, less what state, type and program forbid.
    #[must_use]
    pub fn allowed_actions(self, by: Party, rules: CardRules) -> Vec<Action> {
        let withheld =
            |action: Action| action == Action::Remove && by == Party::Operator && !rules.operators_remove;
        let allowed = |action: &Action| {
            action.is_offered_to(by) && !withheld(*action) && self.permits(*action, by, rules).is_ok()
        };
        Action::ALL.into_iter().filter(allowed).collect()
    }

    /// The state after `lock` was asked for.
    ///
    /// # Errors
    /// [`CardRefusal`] when the card cannot be locked, or not so.
    pub fn lock(self, lock: Lock, rules: CardRules) -> Result<CardState, CardRefusal> {
        let locked = |lock, from| Ok(CardState::Locked { lock, from });
        match self.state {
            CardState::Ordered => Err(CardRefusal::NotShown),
            CardState::Removed => Err(CardRefusal::Removed),
            CardState::Inactive => locked(lock, Unlocked::Inactive),
            CardState::Active => locked(lock, Unlocked::Active),
            CardState::Locked { lock: old, from } => locked(old.replaced_by(lock, rules.lifting)?, from),
        }
    }

    /// The state after the lock was lifted, and the lock that is gone.
    ///
    /// # Errors
    /// [`CardRefusal`] when there is no lock, or `by` may not lift it.
    pub fn unlock(self, by: Party, rules: CardRules) -> Result<(CardState, Lock), CardRefusal> {
        match self.state {
            CardState::Ordered => Err(CardRefusal::NotShown),
            CardState::Removed => Err(CardRefusal::Removed),
            CardState::Inactive | CardState::Active => Err(CardRefusal::NotLocked),
            CardState::Locked { lock, from } => {
                lock.may_lift(by, rules.lifting)?;
                Ok((from.into(), lock))
            }
        }
    }
}

fn while_inactive(action: Action) -> Result<(), CardRefusal> {
    match action {
        Action::Reveal | Action::ResetCvv | Action::Print | Action::SetPin => Err(CardRefusal::Inactive),
        Action::Unlock => Err(CardRefusal::NotLocked),
        Action::Activate | Action::Lock | Action::Remove => Ok(()),
    }
}

fn while_active(action: Action) -> Result<(), CardRefusal> {
    match action {
        Action::Unlock => Err(CardRefusal::NotLocked),
        Action::Reveal
        | Action::ResetCvv
        | Action::Print
        | Action::SetPin
        | Action::Activate
        | Action::Lock
        | Action::Remove => Ok(()),
    }
}

/// A reversible lock stops payments, not the holder: the card can be looked at, and a PIN be set after code 6. Plastic is
/// not ordered for a card that may be under suspicion. Under an irreversible lock only removal is left.
fn while_locked(action: Action, lock: Lock, by: Party, rules: CardRules) -> Result<(), CardRefusal> {
    match action {
        Action::Remove => Ok(()),
        Action::Reveal
        | Action::ResetCvv
        | Action::SetPin
        | Action::Activate
        | Action::Lock
        | Action::Print
            if lock.code.is_irreversible() =>
        {
            Err(LockRefusal::Irreversible.into())
        }
        Action::Print | Action::Activate => Err(CardRefusal::Locked),
        Action::Reveal | Action::ResetCvv | Action::SetPin | Action::Lock => Ok(()),
        Action::Unlock => lock.may_lift(by, rules.lifting).map_err(CardRefusal::from),
    }
}
