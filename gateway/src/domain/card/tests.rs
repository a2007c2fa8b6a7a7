//! Every state, action, party, type and rule, against the contract's sentences written down a second time.

use time::macros::datetime;

use super::*;
use crate::domain::lock::LockCode;

const RULES: [CardRules; 4] = [
    CardRules {
        digital_first: true,
        lifting: LiftPolicy::ByPlacer,
        operators_remove: true,
    },
    CardRules {
        digital_first: true,
        lifting: LiftPolicy::AnyReversible,
        operators_remove: true,
    },
    CardRules {
        digital_first: false,
        lifting: LiftPolicy::ByPlacer,
        operators_remove: true,
    },
    CardRules {
        digital_first: false,
        lifting: LiftPolicy::AnyReversible,
        operators_remove: true,
    },
];

fn lock(code: LockCode, placed_by: Party) -> Lock {
    Lock {
        code,
        placed_by,
        placed_at: datetime!(2026-11-23 12:00 UTC),
    }
}

fn every_state() -> Vec<CardState> {
    let mut states = vec![
        CardState::Ordered,
        CardState::Inactive,
        CardState::Active,
        CardState::Removed,
    ];
    for code in LockCode::ALL {
        for placed_by in Party::ALL {
            for from in [Unlocked::Inactive, Unlocked::Active] {
                states.push(CardState::Locked {
                    lock: lock(code, placed_by),
                    from,
                });
            }
        }
    }
    states
}

fn on_everything(check: impl Fn(Standing, Party, CardRules)) {
    for state in every_state() {
        for kind in CardType::ALL {
            for party in Party::ALL {
                for rules in RULES {
                    let origin = CardOrigin::Issued;
                    check(Standing { kind, state, origin }, party, rules);
                }
            }
        }
    }
}

#[test]
fn a_removed_card_permits_nothing_and_an_ordered_one_is_not_shown() {
    on_everything(|card, party, rules| {
        for action in Action::ALL {
            match card.state {
                CardState::Removed => {
                    assert_eq!(card.permits(action, party, rules), Err(CardRefusal::Removed))
                }
                CardState::Ordered => {
                    assert_eq!(card.permits(action, party, rules), Err(CardRefusal::NotShown))
                }
                _ => {}
            }
        }
        if matches!(card.state, CardState::Removed | CardState::Ordered) {
            assert!(card.allowed_actions(party, rules).is_empty());
        }
    });
}

#[test]
fn under_an_irreversible_lock_only_removal_is_left() {
    on_everything(|card, party, rules| {
        if card.state.lock().is_some_and(|lock| lock.code.is_irreversible()) {
            for action in Action::ALL {
                let expected = match action {
                    Action::Remove => Ok(()),
                    _ => Err(CardRefusal::Lock(LockRefusal::Irreversible)),
                };
                assert_eq!(
                    card.permits(action, party, rules),
                    expected,
                    "{action:?} {card:?}"
                );
            }
        }
    });
}

#[test]
fn every_shown_card_can_be_removed() {
    on_everything(|card, party, rules| {
        let shown = !matches!(card.state, CardState::Ordered | CardState::Removed);
        assert_eq!(card.permits(Action::Remove, party, rules).is_ok(), shown);
    });
}

#[test]
fn only_a_locked_card_is_unlocked_and_only_by_the_entitled() {
    on_everything(|card, party, rules| {
        let permitted = card.permits(Action::Unlock, party, rules);
        let unlocked = card.unlock(party, rules);
        assert_eq!(
            permitted,
            unlocked.map(|_| ()),
            "the table and the transition agree: {card:?} {party:?}"
        );
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
            CardState::Ordered | CardState::Removed => assert!(permitted.is_err()),
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
                | (CardState::Ordered, Err(CardRefusal::NotShown)) => {}
                (state, after) => panic!("{state:?} {asked:?}: {after:?}"),
            }
        }
    });
}

#[test]
fn plastic_is_ordered_once_for_an_active_virtual_card_of_a_digital_first_program() {
    on_everything(|card, party, rules| {
        let possible =
            card.state == CardState::Active && card.kind == CardType::Virtual && rules.digital_first;
        assert_eq!(
            card.permits(Action::Print, party, rules).is_ok(),
            possible,
            "{card:?} {rules:?}"
        );
    });
    let print = |kind, rules| {
        Standing {
            kind,
            state: CardState::Active,
            origin: CardOrigin::Issued,
        }
        .permits(Action::Print, Party::User, rules)
    };
    assert_eq!(
        print(CardType::Virtual, RULES[2]),
        Err(CardRefusal::NotDigitalFirst)
    );
    assert_eq!(
        print(CardType::DigitalFirst, RULES[0]),
        Err(CardRefusal::AlreadyPrinted)
    );
    assert_eq!(print(CardType::Physical, RULES[0]), Err(CardRefusal::NotVirtual));
}

#[test]
fn a_physical_card_is_activated_once_and_no_other() {
    on_everything(|card, party, rules| {
        let expected = match (card.state, card.kind) {
            (CardState::Ordered, _) => Err(CardRefusal::NotShown),
            (CardState::Removed, _) => Err(CardRefusal::Removed),
            (CardState::Locked { lock, .. }, _) if lock.code.is_irreversible() => {
                Err(LockRefusal::Irreversible.into())
            }
            (CardState::Locked { .. }, _) => Err(CardRefusal::Locked),
            (CardState::Inactive | CardState::Active, CardType::Virtual | CardType::DigitalFirst) => {
                Err(CardRefusal::NotPhysical)
            }
            (CardState::Active, CardType::Physical) => Err(CardRefusal::AlreadyActive),
            (CardState::Inactive, CardType::Physical) => Ok(()),
        };
        assert_eq!(card.permits(Action::Activate, party, rules), expected, "{card:?}");
    });
}

#[test]
fn a_pin_needs_plastic_and_a_new_cvv_a_card_without_a_printed_one() {
    on_everything(|card, party, rules| {
        let usable = card.permits(Action::Reveal, party, rules).is_ok();
        let pin = card.permits(Action::SetPin, party, rules).is_ok();
        let cvv = card.permits(Action::ResetCvv, party, rules).is_ok();
        assert_eq!(pin, usable && card.kind != CardType::Virtual);
        assert_eq!(cvv, usable && card.kind != CardType::Physical);
    });
}

#[test]
fn a_card_is_looked_at_while_active_or_locked_reversibly() {
    on_everything(|card, party, rules| {
        let expected = match card.state {
            CardState::Active => true,
            CardState::Locked { lock, .. } => !lock.code.is_irreversible(),
            CardState::Ordered | CardState::Inactive | CardState::Removed => false,
        };
        assert_eq!(
            card.permits(Action::Reveal, party, rules).is_ok(),
            expected,
            "{card:?}"
        );
    });
}

#[test]
fn each_party_is_offered_what_the_capability_matrix_gives_it() {
    let offered = |party| {
        Action::ALL
            .into_iter()
            .filter(|action| action.is_offered_to(party))
            .map(Action::as_str)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        offered(Party::User),
        [
            "REVEAL",
            "RESET_CVV",
            "PRINT",
            "SET_PIN",
            "ACTIVATE",
            "LOCK",
            "UNLOCK",
            "REMOVE"
        ]
    );
    assert_eq!(
        offered(Party::Partner),
        ["REVEAL", "PRINT", "ACTIVATE", "LOCK", "UNLOCK", "REMOVE"]
    );
    assert_eq!(
        offered(Party::Operator),
        ["RESET_CVV", "PRINT", "ACTIVATE", "LOCK", "UNLOCK", "REMOVE"]
    );
    assert_eq!(offered(Party::Processor), ["LOCK", "UNLOCK"]);
}

#[test]
fn allowed_actions_are_what_is_offered_and_permitted() {
    on_everything(|card, party, rules| {
        for action in Action::ALL {
            let allowed = card.allowed_actions(party, rules).contains(&action);
            assert_eq!(
                allowed,
                action.is_offered_to(party) && card.permits(action, party, rules).is_ok()
            );
        }
    });
}

#[test]
fn an_operator_whose_role_may_not_remove_is_offered_everything_else() {
    on_everything(|card, party, rules| {
        let lesser = CardRules {
            operators_remove: false,
            ..rules
        };
        let mut expected = card.allowed_actions(party, rules);
        expected.retain(|action| party != Party::Operator || *action != Action::Remove);
        assert_eq!(card.allowed_actions(party, lesser), expected);
    });
}

#[test]
fn names_of_kinds_lead_back_to_them() {
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
    };
    let ours = serde_json::to_value(OwnMembers::of_new(&new, Party::Partner, RULES[0])).unwrap();
    assert_eq!(
        ours.to_string(),
        concat!(
            r#"{"id":1001,"type":"VIRTUAL","state":"ACTIVE","origin":"ISSUED","name":"Groceries","balanceId":1003,"#,
            r#""allowedActions":["REVEAL","PRINT","LOCK","REMOVE"],"createdAt":"2026-11-23T12:00:00Z"}"#
        )
    );

    let token = CardToken::from_random(&[7; 16]).unwrap();
    let mut card = new.issued(
        token.clone(),
        "999900******0017".parse().unwrap(),
        "2029-11-30".parse().unwrap(),
    );
    card.standing.state = state;
    let masked = serde_json::to_string(&MaskedCard::of(&card, Party::User, RULES[0])).unwrap();
    let expected = [
        r#"{"id":1001,"type":"VIRTUAL","state":"LOCKED","origin":"ISSUED","name":"Groceries","balanceId":1003,"#,
        r#""lock":{"reasonCode":7,"reason":"Suspected fraud","actionCode":1002,"irreversible":false,"#,
        r#""placedBy":"USER","#,
        r#""placedAt":"2026-11-23T12:00:00Z"},"allowedActions":["REVEAL","RESET_CVV","LOCK","UNLOCK","REMOVE"],"#,
        r#""createdAt":"2026-11-23T12:00:00Z","#,
        &format!(r#""token":"{token}","maskedCardNo":"999900******0017","exp":"2029-11-30"}}"#),
    ];
    assert_eq!(masked, expected.concat());
}

#[test]
fn code_pin_and_plastic_of_a_foreign_card_are_its_issuers_and_all_else_is_as_for_our_own() {
    on_everything(|card, party, rules| {
        let foreign = Standing {
            origin: CardOrigin::Foreign,
            ..card
        };
        let brought_in = Standing {
            origin: CardOrigin::Tokenised,
            ..card
        };
        for action in Action::ALL {
            let ours = card.permits(action, party, rules);
            assert_eq!(brought_in.permits(action, party, rules), ours);
            let theirs = foreign.permits(action, party, rules);
            match action {
                Action::ResetCvv | Action::Print | Action::SetPin => assert!(theirs.is_err()),
                _ => assert_eq!(theirs, ours, "{action:?} {card:?}"),
            }
        }
    });
    let active = Standing {
        kind: CardType::Virtual,
        state: CardState::Active,
        origin: CardOrigin::Foreign,
    };
    assert_eq!(
        active.permits(Action::ResetCvv, Party::User, RULES[0]),
        Err(CardRefusal::OfAnotherIssuer)
    );
    for origin in CardOrigin::ALL {
        assert_eq!(CardOrigin::from_name(origin.as_str()), Some(origin));
    }
}
