//! Transitions and the wire form of a card; what is permitted is tested in `table_tests`.

use time::macros::datetime;

use super::*;
use crate::domain::lock::LockCode;

pub(super) const RULES: [CardRules; 4] = [
    CardRules {
        digital_first: true,
        lifting: LiftPolicy::ByPlacer,
        role: None,
    },
    CardRules {
        digital_first: true,
        lifting: LiftPolicy::AnyReversible,
        role: None,
    },
    CardRules {
        digital_first: false,
        lifting: LiftPolicy::ByPlacer,
        role: None,
    },
    CardRules {
        digital_first: false,
        lifting: LiftPolicy::AnyReversible,
        role: None,
    },
];

pub(super) fn lock(code: LockCode, placed_by: Party) -> Lock {
    Lock {
        code,
        placed_by,
        placed_at: datetime!(2026-11-23 12:00 UTC),
    }
}

pub(super) fn every_state() -> Vec<CardState> {
    let mut states = vec![
        CardState::Ordered { lock: None },
        CardState::Inactive,
        CardState::Active,
        CardState::Removed,
        CardState::Expired { lock: None },
    ];
    for code in LockCode::ALL {
        for placed_by in Party::ALL {
            for from in [Unlocked::Inactive, Unlocked::Active] {
                states.push(CardState::Locked {
                    lock: lock(code, placed_by),
                    from,
                });
            }
            states.push(CardState::Expired {
                lock: Some(lock(code, placed_by)),
            });
            states.push(CardState::Ordered {
                lock: Some(lock(code, placed_by)),
            });
        }
    }
    states
}

fn renewals() -> [Option<Renewal>; 3] {
    let exp = "2032-11-30".parse().unwrap();
    [None, Some(Renewal::Ordered { exp }), Some(Renewal::Made { exp })]
}

pub(super) fn on_everything(check: impl Fn(Standing, Party, CardRules)) {
    for state in every_state() {
        for kind in CardType::ALL {
            for party in Party::ALL {
                for rules in RULES {
                    for origin in CardOrigin::ALL {
                        for replaced in [false, true] {
                            for renewal in renewals() {
                                let standing = Standing {
                                    kind,
                                    state,
                                    origin,
                                    replaced,
                                    renewal,
                                };
                                check(standing, party, rules);
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn only_a_locked_card_is_unlocked_and_only_by_the_entitled() {
    on_everything(|card, party, rules| {
        let permitted = card.permits(Action::Unlock, party, rules);
        let unlocked = card.unlock(party, rules);
        // The table is of what callers ask for here; the processor, who knows the number, has its own door at the vault.
        if !(matches!(card.state, CardState::Ordered { .. }) && party == Party::Processor) {
            assert_eq!(
                permitted,
                unlocked.map(|_| ()),
                "the table and the transition agree: {card:?} {party:?}"
            );
        }
        match card.state {
            CardState::Locked { lock, from } => {
                assert_eq!(
                    permitted,
                    lock.may_lift(party, rules.lifting).map_err(CardRefusal::from)
                );
                if let Ok((state, lifted)) = unlocked {
                    assert_eq!((state, lifted), (from.into(), lock));
                }
            }
            CardState::Active | CardState::Inactive => assert_eq!(permitted, Err(CardRefusal::NotLocked)),
            // Nobody else knows the card.
            CardState::Ordered { lock } => {
                assert!(permitted.is_err());
                let lifts = lock.is_some_and(|lock| lock.may_lift(party, rules.lifting).is_ok());
                assert_eq!(unlocked.is_ok(), party == Party::Processor && lifts);
            }
            CardState::Removed | CardState::Expired { .. } => {
                assert!(permitted.is_err());
            }
        }
    });
}

#[test]
fn locking_keeps_where_the_card_came_from_and_never_softens() {
    on_everything(|card, party, rules| {
        for code in LockCode::ALL {
            let asked = Lock {
                placed_at: datetime!(2026-11-24 12:00 UTC),
                ..lock(code, party)
            };
            let after = card.lock(asked, rules);
            match (card.state, after) {
                (CardState::Active, Ok(state)) => {
                    assert_eq!(
                        state,
                        CardState::Locked {
                            lock: asked,
                            from: Unlocked::Active
                        }
                    );
                }
                (CardState::Inactive, Ok(state)) => {
                    assert_eq!(
                        state,
                        CardState::Locked {
                            lock: asked,
                            from: Unlocked::Inactive
                        }
                    );
                }
                (
                    CardState::Locked { lock: old, from },
                    Ok(CardState::Locked {
                        lock: new,
                        from: kept,
                    }),
                ) => {
                    assert_eq!(kept, from);
                    assert!(new == old || new == asked);
                    assert!(
                        !old.code.is_irreversible() || new == old,
                        "never back: {old:?} {new:?}"
                    );
                }
                (CardState::Locked { .. }, Err(CardRefusal::Lock(_)))
                | (CardState::Removed, Err(CardRefusal::Removed))
                | (CardState::Expired { .. }, Err(CardRefusal::Expired))
                | (CardState::Ordered { lock: Some(_) }, Err(CardRefusal::Lock(_))) => {}
                (CardState::Ordered { .. }, Err(CardRefusal::NotShown)) => {
                    assert_ne!(party, Party::Processor)
                }
                (CardState::Ordered { lock: old }, Ok(CardState::Ordered { lock: Some(new) })) => {
                    assert_eq!(party, Party::Processor);
                    assert!(new == asked || Some(new) == old);
                    assert!(old.is_none_or(|old| !old.code.is_irreversible() || new == old));
                }
                (state, after) => panic!("{state:?} {asked:?}: {after:?}"),
            }
        }
    });
}

#[test]
fn names_of_kinds_lead_back_to_them() {
    for origin in CardOrigin::ALL {
        assert_eq!(CardOrigin::from_name(origin.as_str()), Some(origin));
    }
    for kind in CardType::ALL {
        assert_eq!(CardType::from_name(kind.as_str()), Some(kind));
    }
    assert_eq!(CardType::from_name("virtual"), None);
}

#[test]
fn a_masked_card_has_the_members_of_the_contract() {
    let state = CardState::Locked {
        lock: lock(LockCode::SuspectedFraud, Party::User),
        from: Unlocked::Active,
    };
    let new = NewCard {
        id: CardId(1001),
        user: UserId(1002),
        balance: BalanceId(1003),
        name: Some(CardName::parse("Groceries").unwrap()),
        created_at: datetime!(2026-11-23 12:00 UTC),
        replaces: Some(CardId(1000)),
    };
    let ours = serde_json::to_value(OwnMembers::of_new(&new, Party::Partner, RULES[0])).unwrap();
    assert_eq!(
        ours.to_string(),
        concat!(
            r#"{"id":1001,"type":"VIRTUAL","state":"ACTIVE","origin":"ISSUED","name":"Groceries","balanceId":1003,"#,
            r#""allowedActions":["REVEAL","PRINT","LOCK","SET_RENEWAL","REMOVE"],"#,
            r#""createdAt":"2026-11-23T12:00:00Z","replaces":1000,"automaticRenewal":true}"#
        )
    );

    let token = CardToken::from_random(&[7; 16]).unwrap();
    let mut card = new.issued(
        token.clone(),
        "999900******0017".parse().unwrap(),
        "2029-11-30".parse().unwrap(),
    );
    card.standing.state = state;
    card.replaced_by = Some(CardId(1002));
    card.automatic_renewal = false;
    let masked = serde_json::to_string(&MaskedCard::of(&card, Party::User, RULES[0])).unwrap();
    let expected = [
        r#"{"id":1001,"type":"VIRTUAL","state":"LOCKED","origin":"ISSUED","name":"Groceries","balanceId":1003,"#,
        r#""lock":{"reasonCode":7,"reason":"Suspected fraud","actionCode":1002,"irreversible":false,"#,
        r#""placedBy":"USER","#,
        r#""placedAt":"2026-11-23T12:00:00Z"},"allowedActions":["REVEAL","RESET_CVV","LOCK","UNLOCK","SET_RENEWAL","REMOVE"],"#,
        r#""createdAt":"2026-11-23T12:00:00Z","replaces":1000,"replacedBy":1002,"automaticRenewal":false,"#,
        &format!(r#""token":"{token}","maskedCardNo":"999900******0017","exp":"2029-11-30"}}"#),
    ];
    assert_eq!(masked, expected.concat());
}

#[test]
fn a_card_is_expired_from_the_day_after_its_last_one() {
    on_everything(|standing, _, _| {
        let mut card = a_card();
        card.standing = standing;
        let (last, after) = (datetime!(2029-11-30 23:59:59 UTC), datetime!(2029-12-01 0:00 UTC));
        assert_eq!(card.clone().at(last), card);
        let state = card.at(after).standing.state;
        match standing.state {
            CardState::Ordered { .. } | CardState::Removed => assert_eq!(state, standing.state),
            _ => assert_eq!(
                state,
                CardState::Expired {
                    lock: standing.state.lock()
                }
            ),
        }
    });
}

fn a_card() -> Card {
    let new = NewCard {
        id: CardId(1001),
        user: UserId(1002),
        balance: BalanceId(1003),
        name: None,
        created_at: datetime!(2026-11-23 12:00 UTC),
        replaces: None,
    };
    new.issued(
        CardToken::from_random(&[7; 16]).unwrap(),
        "999900******0017".parse().unwrap(),
        "2029-11-30".parse().unwrap(),
    )
}
