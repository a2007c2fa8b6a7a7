//! Why a card is locked, who locked it, and who may lift that.
//!
//! The table of codes is the processor's: it is the same for locks placed here and outside. A reversible lock may be
//! raised to an irreversible one, never back. By default a lock is lifted only by a party at least as entitled as the one
//! that placed it: the seed lets anyone lift 3, 4, 6 and 7, and a thief with the phone could lift the scheme's fraud lock.

use time::OffsetDateTime;

/// The reasons for a lock. The numbers are the wire's and the processor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockCode {
    /// 1
    CardLost,
    /// 2
    CardStolen,
    /// 3
    PendingQuery,
    /// 4
    CardConsolidation,
    /// 5: a final stop; not the state of a card that waits for its activation.
    CardInactive,
    /// 6: lifting it clears the PIN try counter in the vault, with one exception: [`Lock::clears_pin_tries`].
    PinTriesExceeded,
    /// 7
    SuspectedFraud,
    /// 8
    CardReplaced,
}

impl LockCode {
    /// Every code, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::CardLost,
        Self::CardStolen,
        Self::PendingQuery,
        Self::CardConsolidation,
        Self::CardInactive,
        Self::PinTriesExceeded,
        Self::SuspectedFraud,
        Self::CardReplaced,
    ];

    /// The code with this number, 1 to 8.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|code| i64::from(code.number()) == number)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::CardLost => 1,
            Self::CardStolen => 2,
            Self::PendingQuery => 3,
            Self::CardConsolidation => 4,
            Self::CardInactive => 5,
            Self::PinTriesExceeded => 6,
            Self::SuspectedFraud => 7,
            Self::CardReplaced => 8,
        }
    }

    /// The reason in words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::CardLost => "Card lost",
            Self::CardStolen => "Card stolen",
            Self::PendingQuery => "Pending query",
            Self::CardConsolidation => "Card consolidation",
            Self::CardInactive => "Card inactive",
            Self::PinTriesExceeded => "PIN tries exceeded",
            Self::SuspectedFraud => "Suspected fraud",
            Self::CardReplaced => "Card replaced",
        }
    }

    /// The action code with which every authorisation on the locked card is rejected at the terminal.
    #[must_use]
    pub const fn action_code(self) -> u16 {
        match self {
            Self::CardLost => 2008,
            Self::CardStolen => 2009,
            Self::PendingQuery => 1000,
            Self::CardConsolidation => 1016,
            Self::CardInactive => 1018,
            Self::PinTriesExceeded => 1006,
            Self::SuspectedFraud => 1002,
            Self::CardReplaced => 1011,
        }
    }

    /// Whether nobody can ever lift it.
    #[must_use]
    pub const fn is_irreversible(self) -> bool {
        match self {
            Self::CardLost | Self::CardStolen | Self::CardInactive | Self::CardReplaced => true,
            Self::PendingQuery | Self::CardConsolidation | Self::PinTriesExceeded | Self::SuspectedFraud => {
                false
            }
        }
    }
}

/// Who acts on a card: places a lock, wants to lift one, asks what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The cardholder, from the app.
    User,
    /// The partner whose card it is.
    Partner,
    /// An operator of the panel.
    Operator,
    /// The issuing processor: scheme or acquirer asked for it.
    Processor,
}

impl Party {
    /// Everyone who can place a lock.
    pub const ALL: [Self; 4] = [Self::User, Self::Partner, Self::Operator, Self::Processor];

    /// The name in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Partner => "PARTNER",
            Self::Operator => "OPERATOR",
            Self::Processor => "PROCESSOR",
        }
    }

    /// The party with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|party| party.as_str() == name)
    }
}

/// Who lifts a reversible lock in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiftPolicy {
    /// A user a user's lock; a partner its own and the user's; operators and the processor any.
    ByPlacer,
    /// Anyone any: the letter of the seed (`users_lift_any_reversible_lock`).
    AnyReversible,
}

/// A lock on a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// Why.
    pub code: LockCode,
    /// Who placed it.
    pub placed_by: Party,
    /// When, UTC.
    pub placed_at: OffsetDateTime,
}

/// Why a lock stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LockRefusal {
    /// 409 `LOCK_IRREVERSIBLE`.
    #[error("the card is locked for good")]
    Irreversible,
    /// 403 `LOCK_NOT_YOURS`.
    #[error("the lock was placed by a party that this caller may not overrule")]
    NotYours,
}

impl Lock {
    /// Whether `by` may lift this lock.
    ///
    /// # Errors
    /// [`LockRefusal`].
    pub const fn may_lift(&self, by: Party, policy: LiftPolicy) -> Result<(), LockRefusal> {
        if self.code.is_irreversible() {
            return Err(LockRefusal::Irreversible);
        }
        let entitled = match (policy, by) {
            (LiftPolicy::AnyReversible, _) | (LiftPolicy::ByPlacer, Party::Operator | Party::Processor) => {
                true
            }
            (LiftPolicy::ByPlacer, Party::Partner) => {
                matches!(self.placed_by, Party::User | Party::Partner)
            }
            (LiftPolicy::ByPlacer, Party::User) => matches!(self.placed_by, Party::User),
        };
        if entitled {
            Ok(())
        } else {
            Err(LockRefusal::NotYours)
        }
    }

    /// Whether lifting this lock clears the PIN try counter in the vault: code 6 does, unless a user lifts what a user
    /// placed. Else whoever has the phone for ten minutes guesses the PIN for as long, three tries at a time. A user whose
    /// tries are used up sets a new PIN, under proof.
    #[must_use]
    pub const fn clears_pin_tries(&self, lifted_by: Party) -> bool {
        let by_user_alone = matches!((self.placed_by, lifted_by), (Party::User, Party::User));
        matches!(self.code, LockCode::PinTriesExceeded) && !by_user_alone
    }

    /// The lock that holds after `next` was asked for on a card that this lock is on.
    ///
    /// - The same code again changes nothing: locking is repeatable. Only where the new party is one that the old may not
    ///   overrule does the lock become the new party's, so that a user's own lock 7 cannot shield from the scheme's.
    /// - An irreversible code raises any reversible lock, whoever asks: a holder can always report a loss.
    /// - Another reversible code takes the old one's place only where `next.placed_by` could have lifted it. Else a thief
    ///   would first exchange the scheme's lock for one of the user's and lift that.
    ///
    /// # Errors
    /// [`LockRefusal`].
    pub fn replaced_by(&self, next: Self, policy: LiftPolicy) -> Result<Self, LockRefusal> {
        if self.code == next.code {
            let overrules = next.may_lift(self.placed_by, policy) == Err(LockRefusal::NotYours);
            return Ok(if overrules { next } else { *self });
        }
        if self.code.is_irreversible() {
            return Err(LockRefusal::Irreversible);
        }
        if next.code.is_irreversible() {
            return Ok(next);
        }
        self.may_lift(next.placed_by, policy).map(|()| next)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const POLICIES: [LiftPolicy; 2] = [LiftPolicy::ByPlacer, LiftPolicy::AnyReversible];

    fn lock(code: LockCode, placed_by: Party) -> Lock {
        Lock {
            code,
            placed_by,
            placed_at: datetime!(2026-11-23 12:00 UTC),
        }
    }

    fn later(code: LockCode, placed_by: Party) -> Lock {
        Lock {
            code,
            placed_by,
            placed_at: datetime!(2026-11-23 13:00 UTC),
        }
    }

    /// The default policy, written down a second time, from the contract's sentence.
    fn entitled(by: Party, placed_by: Party) -> bool {
        match by {
            Party::User => placed_by == Party::User,
            Party::Partner => placed_by == Party::User || placed_by == Party::Partner,
            Party::Operator | Party::Processor => true,
        }
    }

    #[test]
    fn only_a_users_own_code_six_gives_no_tries_back() {
        for code in LockCode::ALL {
            for placed_by in Party::ALL {
                for lifted_by in Party::ALL {
                    let clears = lock(code, placed_by).clears_pin_tries(lifted_by);
                    let users_own = placed_by == Party::User && lifted_by == Party::User;
                    assert_eq!(
                        clears,
                        code.number() == 6 && !users_own,
                        "{code:?} {placed_by:?} {lifted_by:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_table_of_codes_is_the_contracts() {
        let table: Vec<(u8, &str, u16, bool)> = LockCode::ALL
            .into_iter()
            .map(|code| {
                (
                    code.number(),
                    code.reason(),
                    code.action_code(),
                    code.is_irreversible(),
                )
            })
            .collect();
        assert_eq!(
            table,
            [
                (1, "Card lost", 2008, true),
                (2, "Card stolen", 2009, true),
                (3, "Pending query", 1000, false),
                (4, "Card consolidation", 1016, false),
                (5, "Card inactive", 1018, true),
                (6, "PIN tries exceeded", 1006, false),
                (7, "Suspected fraud", 1002, false),
                (8, "Card replaced", 1011, true),
            ]
        );
    }

    #[test]
    fn the_vault_answers_processors_with_the_same_action_codes() {
        for code in LockCode::ALL {
            let said = shared::vault_api::processor::action_code(code.number());
            assert_eq!(said, Some(code.action_code()), "{code:?}");
        }
        for none in [0, 9, u8::MAX] {
            assert_eq!(shared::vault_api::processor::action_code(none), None);
        }
    }

    #[test]
    fn only_one_to_eight_are_codes() {
        for code in LockCode::ALL {
            assert_eq!(LockCode::from_number(code.number().into()), Some(code));
        }
        for bad in [i64::MIN, -1, 0, 9, 257, 2008, i64::MAX] {
            assert_eq!(LockCode::from_number(bad), None, "{bad}");
        }
    }

    #[test]
    fn parties_survive_their_names() {
        for party in Party::ALL {
            assert_eq!(Party::from_name(party.as_str()), Some(party));
        }
        assert_eq!(Party::from_name("user"), None);
    }

    #[test]
    fn every_lock_is_lifted_by_the_entitled_alone() {
        for code in LockCode::ALL {
            for placed_by in Party::ALL {
                for by in Party::ALL {
                    for policy in POLICIES {
                        let expected = if code.is_irreversible() {
                            Err(LockRefusal::Irreversible)
                        } else if policy == LiftPolicy::AnyReversible || entitled(by, placed_by) {
                            Ok(())
                        } else {
                            Err(LockRefusal::NotYours)
                        };
                        let lock = lock(code, placed_by);
                        assert_eq!(lock.may_lift(by, policy), expected, "{lock:?} {by:?} {policy:?}");
                    }
                }
            }
        }
    }

    /// Runs `check` on every lock, every further lock and every policy.
    fn on_every_pair(check: impl Fn(Lock, Lock, LiftPolicy)) {
        for code in LockCode::ALL {
            for placed_by in Party::ALL {
                for next_code in LockCode::ALL {
                    for next_by in Party::ALL {
                        for policy in POLICIES {
                            check(lock(code, placed_by), later(next_code, next_by), policy);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_irreversible_lock_never_changes() {
        on_every_pair(|old, next, policy| {
            if old.code.is_irreversible() {
                let expected = if old.code == next.code {
                    Ok(old)
                } else {
                    Err(LockRefusal::Irreversible)
                };
                assert_eq!(old.replaced_by(next, policy), expected, "{old:?} {next:?}");
            }
        });
    }

    #[test]
    fn anyone_may_raise_a_reversible_lock_to_an_irreversible_one() {
        on_every_pair(|old, next, policy| {
            if !old.code.is_irreversible() && next.code.is_irreversible() {
                assert_eq!(old.replaced_by(next, policy), Ok(next));
            }
        });
    }

    #[test]
    fn another_reversible_code_needs_the_right_to_lift_the_old_one() {
        on_every_pair(|old, next, policy| {
            if old.code != next.code && !old.code.is_irreversible() && !next.code.is_irreversible() {
                let expected = old.may_lift(next.placed_by, policy).map(|()| next);
                assert_eq!(old.replaced_by(next, policy), expected, "{old:?} {next:?}");
            }
        });
    }

    #[test]
    fn the_same_code_again_only_ever_makes_a_lock_harder_to_lift() {
        on_every_pair(|old, next, policy| {
            if old.code == next.code {
                let kept = old.replaced_by(next, policy).unwrap();
                for by in Party::ALL {
                    let before = old.may_lift(by, policy).is_ok();
                    let after = kept.may_lift(by, policy).is_ok();
                    assert!(
                        before || !after,
                        "{old:?} {next:?}: {by:?} gained the right to lift"
                    );
                }
            }
        });
        let user = lock(LockCode::SuspectedFraud, Party::User);
        let scheme = later(LockCode::SuspectedFraud, Party::Processor);
        assert_eq!(user.replaced_by(scheme, LiftPolicy::ByPlacer), Ok(scheme));
        assert_eq!(scheme.replaced_by(user, LiftPolicy::ByPlacer), Ok(scheme));
    }

    #[test]
    fn no_chain_of_locks_gives_a_user_what_the_scheme_locked() {
        // Whatever reversible code the user asks for, the scheme's lock is not theirs to lift afterwards.
        let scheme = lock(LockCode::SuspectedFraud, Party::Processor);
        for code in LockCode::ALL {
            let after = scheme
                .replaced_by(later(code, Party::User), LiftPolicy::ByPlacer)
                .unwrap_or(scheme);
            assert!(
                after.may_lift(Party::User, LiftPolicy::ByPlacer).is_err(),
                "{code:?}"
            );
        }
    }
}
