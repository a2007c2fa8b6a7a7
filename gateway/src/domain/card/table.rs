//! What may be done with a card: by its condition, its type and its origin, by whom. Everything that permits, refuses or lists
//! actions reads these four tables, and so does the documentation of the API (`http::cards::rules`).
//!
//! What they leave to the table of locks (`domain::lock`) is who lifts which code.

use super::{Action, CardOrigin, CardRefusal, CardRules, CardState, CardType, Standing};
use crate::domain::lock::{Lock, LockCode, LockRefusal, Party};
use crate::domain::operator::Permission;

/// What a cell of a table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Permitted.
    Yes,
    /// Refused, and why.
    No(CardRefusal),
    /// Whoever may lift this lock by the table of locks.
    IfMayLift,
}

/// The columns of [`BY_CONDITION`]: where a card stands, as far as it matters for what may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Ordered at the bureau.
    Ordered,
    /// Waits for activation.
    Inactive,
    /// In use.
    Active,
    /// In use, and its next plastic is made.
    Renewed,
    /// Locked with code 3, 4, 6 or 7.
    Reversible,
    /// Locked with code 1, 2 or 8: another card may take its place.
    Replaceable,
    /// Locked with code 1, 2 or 8, and another card has taken its place or is about to.
    Replaced,
    /// Locked with code 5.
    Stopped,
    /// Its last month has passed.
    Expired,
    /// Its last month has passed, and its next plastic is made: it goes on once that is activated.
    Outlived,
    /// Removed.
    Removed,
}

impl Condition {
    /// Every condition, in the order of the columns.
    pub const ALL: [Self; 11] = [
        Self::Ordered,
        Self::Inactive,
        Self::Active,
        Self::Renewed,
        Self::Reversible,
        Self::Replaceable,
        Self::Replaced,
        Self::Stopped,
        Self::Expired,
        Self::Outlived,
        Self::Removed,
    ];

    /// In words, as the documentation has it.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Ordered => "`ORDERED`",
            Self::Inactive => "`INACTIVE`",
            Self::Active => "`ACTIVE`",
            Self::Renewed => "`ACTIVE`, its next plastic made",
            Self::Reversible => "`LOCKED`, code 3, 4, 6 or 7",
            Self::Replaceable => "`LOCKED`, code 1, 2 or 8",
            Self::Replaced => "`LOCKED`, code 1, 2 or 8, replaced",
            Self::Stopped => "`LOCKED`, code 5",
            Self::Expired => "`EXPIRED`",
            Self::Outlived => "`EXPIRED`, its next plastic made",
            Self::Removed => "`REMOVED`",
        }
    }

    /// The condition of a card that stands so.
    #[must_use]
    pub const fn of(standing: Standing) -> Self {
        match standing.state {
            CardState::Ordered { .. } => Self::Ordered,
            CardState::Inactive => Self::Inactive,
            CardState::Active if standing.activates_renewal() => Self::Renewed,
            CardState::Active => Self::Active,
            CardState::Expired { lock } if standing.activates_renewal() && may_go_on(lock) => Self::Outlived,
            CardState::Expired { .. } => Self::Expired,
            CardState::Removed => Self::Removed,
            CardState::Locked { lock, .. } => match lock.code {
                LockCode::PendingQuery
                | LockCode::CardConsolidation
                | LockCode::PinTriesExceeded
                | LockCode::SuspectedFraud => Self::Reversible,
                LockCode::CardInactive => Self::Stopped,
                LockCode::CardLost | LockCode::CardStolen | LockCode::CardReplaced => {
                    if standing.replaced {
                        Self::Replaced
                    } else {
                        Self::Replaceable
                    }
                }
            },
        }
    }
}

/// What is locked for good does not go on. A lock that can be lifted lies on the card also after it has.
const fn may_go_on(lock: Option<Lock>) -> bool {
    match lock {
        Some(lock) => !lock.code.is_irreversible(),
        None => true,
    }
}

/// Who is offered an action at all: the columns of the capability matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The cardholder.
    pub user: bool,
    /// The partner (it removes over the life-cycle paths).
    pub partner: bool,
    /// Operators whose role has this permission.
    pub operator: Option<Permission>,
    /// The issuing processor, at the vault's door.
    pub processor: bool,
}

const YES: Cell = Cell::Yes;
const LIFT: Cell = Cell::IfMayLift;
const HIDDEN: Cell = Cell::No(CardRefusal::NotShown);
const INACTIVE: Cell = Cell::No(CardRefusal::Inactive);
const ACTIVE: Cell = Cell::No(CardRefusal::AlreadyActive);
const LOCKED: Cell = Cell::No(CardRefusal::Locked);
const OPEN: Cell = Cell::No(CardRefusal::NotLocked);
const FINAL: Cell = Cell::No(CardRefusal::Lock(LockRefusal::Irreversible));
const NO_LOSS: Cell = Cell::No(CardRefusal::NotReplaceable);
const TAKEN: Cell = Cell::No(CardRefusal::AlreadyReplaced);
const EXPIRED: Cell = Cell::No(CardRefusal::Expired);
const GONE: Cell = Cell::No(CardRefusal::Removed);
const NOT_VIRTUAL: Cell = Cell::No(CardRefusal::NotVirtual);
const PRINTED: Cell = Cell::No(CardRefusal::AlreadyPrinted);
const NOT_PLASTIC: Cell = Cell::No(CardRefusal::NotPhysical);
const NO_PIN: Cell = Cell::No(CardRefusal::PinNotAvailable);
const THEIRS: Cell = Cell::No(CardRefusal::OfAnotherIssuer);
const ON_CARD: Cell = Cell::No(CardRefusal::CvvNotAvailable);

/// A reversible lock stops payments, not the holder: the card can be looked at, and a PIN be set after code 6. Plastic is
/// not ordered for a card that may be under suspicion. Under an irreversible lock only removal is left, and replacement
/// once; after the last month, and after replacement, removal alone. Next plastic that is made can be activated before and
/// after the end of the old one.
#[rustfmt::skip]
const fn by_condition(action: Action) -> [Cell; 11] {
    match action {
        //                     ORDERED INACTIVE  ACTIVE   RENEWED  3 4 6 7  1 2 8   REPLACED  5      EXPIRED  OUTLIVED REMOVED
        Action::Reveal     => [HIDDEN, INACTIVE, YES,     YES,     YES,     FINAL,   FINAL,   FINAL, EXPIRED, EXPIRED, GONE],
        Action::ResetCvv   => [HIDDEN, INACTIVE, YES,     YES,     YES,     FINAL,   FINAL,   FINAL, EXPIRED, EXPIRED, GONE],
        Action::Print      => [HIDDEN, INACTIVE, YES,     YES,     LOCKED,  FINAL,   FINAL,   FINAL, EXPIRED, EXPIRED, GONE],
        Action::SetPin     => [HIDDEN, INACTIVE, YES,     YES,     YES,     FINAL,   FINAL,   FINAL, EXPIRED, EXPIRED, GONE],
        Action::Activate   => [HIDDEN, YES,      ACTIVE,  YES,     LOCKED,  FINAL,   FINAL,   FINAL, EXPIRED, YES,     GONE],
        Action::Lock       => [HIDDEN, YES,      YES,     YES,     YES,     FINAL,   FINAL,   FINAL, EXPIRED, EXPIRED, GONE],
        Action::Unlock     => [HIDDEN, OPEN,     OPEN,    OPEN,    LIFT,    FINAL,   FINAL,   FINAL, EXPIRED, EXPIRED, GONE],
        Action::Replace    => [HIDDEN, NO_LOSS,  NO_LOSS, NO_LOSS, NO_LOSS, YES,     TAKEN,   FINAL, EXPIRED, EXPIRED, GONE],
        Action::SetRenewal => [HIDDEN, INACTIVE, YES,     YES,     YES,     FINAL,   FINAL,   FINAL, EXPIRED, EXPIRED, GONE],
        Action::Remove     => [HIDDEN, YES,      YES,     YES,     YES,     YES,     YES,     YES,   YES,     YES,     GONE],
    }
}

/// What the type of a card adds to that. For `Print` a program that is not registered for Digital First refuses first.
#[rustfmt::skip]
const fn by_type(action: Action) -> [Cell; 3] {
    match action {
        //                     VIRTUAL  PHYSICAL     DIGITAL_FIRST
        Action::Print      => [YES,     NOT_VIRTUAL, PRINTED],
        Action::SetPin     => [NO_PIN,  YES,         YES],
        Action::ResetCvv   => [YES,     ON_CARD,     YES],
        Action::Activate   => [NOT_PLASTIC, YES,     NOT_PLASTIC],
        Action::Reveal | Action::Lock | Action::Unlock | Action::Replace | Action::SetRenewal | Action::Remove
                           => [YES,     YES,         YES],
    }
}

/// Whoever does not issue a card gives it no code, no PIN, no plastic, no successor and no later end.
#[rustfmt::skip]
const fn by_origin(action: Action) -> [Cell; 3] {
    match action {
        //                     ISSUED TOKENISED FOREIGN
        Action::ResetCvv | Action::Print | Action::SetPin | Action::Replace | Action::SetRenewal
                           => [YES,   YES,      THEIRS],
        Action::Reveal | Action::Activate | Action::Lock | Action::Unlock | Action::Remove
                           => [YES,   YES,      YES],
    }
}

/// Every refusal that stands in the rows of an action.
pub fn refusals(action: Action) -> impl Iterator<Item = CardRefusal> {
    let by_type = type_row(action).map(|(_, cell)| cell);
    let by_origin = origin_row(action).map(|(_, cell)| cell);
    let program = (action == Action::Print).then_some(Cell::No(CardRefusal::NotDigitalFirst));
    let cells = row(action)
        .map(|(_, cell)| cell)
        .chain(by_type)
        .chain(by_origin)
        .chain(program);
    cells.filter_map(|cell| match cell {
        Cell::Yes => None,
        Cell::No(refusal) => Some(refusal),
        Cell::IfMayLift => Some(CardRefusal::Lock(LockRefusal::NotYours)),
    })
}

/// Who is offered the action (capability matrix, rows 3 to 7 and 10 to 13; operators by their roles).
#[must_use]
#[rustfmt::skip]
pub const fn offered(action: Action) -> Offer {
    use Permission as P;
    match action {
        //                        USER   PARTNER OPERATOR                PROCESSOR
        Action::Reveal     => to(true,  true,  None,                    false),
        Action::ResetCvv   => to(true,  false, Some(P::ResetCvv),       false),
        Action::Print      => to(true,  true,  Some(P::PrintCard),      false),
        Action::SetPin     => to(true,  false, None,                    false),
        Action::Activate   => to(true,  true,  Some(P::ActivateCard),   false),
        Action::Lock       => to(true,  true,  Some(P::LockCard),       true),
        Action::Unlock     => to(true,  true,  Some(P::UnlockCard),     true),
        Action::Replace    => to(true,  true,  Some(P::ReplaceCard),    false),
        Action::SetRenewal => to(true,  true,  Some(P::SetCardRenewal), false),
        Action::Remove     => to(true,  true,  Some(P::RemoveCard),     false),
    }
}

const fn to(user: bool, partner: bool, operator: Option<Permission>, processor: bool) -> Offer {
    Offer {
        user,
        partner,
        operator,
        processor,
    }
}

/// The row of an action in the table of conditions, column by column.
pub fn row(action: Action) -> impl Iterator<Item = (Condition, Cell)> {
    Condition::ALL.into_iter().zip(by_condition(action))
}

/// The row of an action in the table of types, column by column.
pub fn type_row(action: Action) -> impl Iterator<Item = (CardType, Cell)> {
    CardType::ALL.into_iter().zip(by_type(action))
}

/// The row of an action in the table of origins, column by column.
pub fn origin_row(action: Action) -> impl Iterator<Item = (CardOrigin, Cell)> {
    CardOrigin::ALL.into_iter().zip(by_origin(action))
}

impl Action {
    /// Whether the contract has a door for this action and this party. An operator's role, where one is known, must have
    /// the permission.
    #[must_use]
    pub fn is_offered_to(self, party: Party, rules: CardRules) -> bool {
        let offer = offered(self);
        match party {
            Party::User => offer.user,
            Party::Partner => offer.partner,
            Party::Processor => offer.processor,
            Party::Operator => offer
                .operator
                .is_some_and(|permission| rules.role.is_none_or(|role| role.may(permission))),
        }
    }
}

impl Standing {
    /// Whether `action` is permitted to `by` now.
    ///
    /// # Errors
    /// [`CardRefusal`]: what stands against it. A lock that asks for a particular code is judged by [`Standing::lock`].
    pub fn permits(self, action: Action, by: Party, rules: CardRules) -> Result<(), CardRefusal> {
        let condition = Condition::of(self);
        let by_condition = row(action).find(|(column, _)| *column == condition);
        let cell = by_condition.map_or(HIDDEN, |(_, cell)| cell);
        // That a card of no plastic needs no activation is said by its type.
        if cell != ACTIVE {
            judge(cell, self.state.lock(), by, rules)?;
        }
        for (_, cell) in origin_row(action).filter(|(origin, _)| *origin == self.origin) {
            judge(cell, self.state.lock(), by, rules)?;
        }
        if action == Action::Print && !rules.digital_first {
            return Err(CardRefusal::NotDigitalFirst);
        }
        for (_, cell) in type_row(action).filter(|(kind, _)| *kind == self.kind) {
            judge(cell, self.state.lock(), by, rules)?;
        }
        judge(cell, self.state.lock(), by, rules)
    }

    /// What `by` may do now: what the contract offers this party, less what condition, type and program forbid.
    #[must_use]
    pub fn allowed_actions(self, by: Party, rules: CardRules) -> Vec<Action> {
        let allowed =
            |action: &Action| action.is_offered_to(by, rules) && self.permits(*action, by, rules).is_ok();
        Action::ALL.into_iter().filter(allowed).collect()
    }
}

fn judge(cell: Cell, lock: Option<Lock>, by: Party, rules: CardRules) -> Result<(), CardRefusal> {
    match cell {
        Cell::Yes => Ok(()),
        Cell::No(refusal) => Err(refusal),
        Cell::IfMayLift => match lock {
            Some(lock) => Ok(lock.may_lift(by, rules.lifting)?),
            None => Err(CardRefusal::NotLocked),
        },
    }
}
