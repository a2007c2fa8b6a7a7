//! Every action on every card, by everybody: state, lock code, who placed it, type, replaced or not, party, role, program.
//! What is expected is written down a second time, from the contract's sentences and not from the tables.

use super::table::{Condition, offered, origin_row, row, type_row};
use super::tests::{RULES, on_everything};
use super::*;
use crate::domain::lock::LockCode;

/// The wire codes of refusals, which the sentences below speak of.
fn told(outcome: Result<(), CardRefusal>) -> &'static str {
    match outcome {
        Ok(()) => "yes",
        Err(refusal) => match refusal {
            CardRefusal::NotShown => "NOT_FOUND",
            CardRefusal::Removed => "CARD_REMOVED",
            CardRefusal::Inactive => "CARD_NOT_ACTIVE",
            CardRefusal::AlreadyActive => "ALREADY_ACTIVE",
            CardRefusal::NotPhysical => "CARD_NOT_PHYSICAL",
            CardRefusal::Expired => "CARD_EXPIRED",
            CardRefusal::Locked => "CARD_LOCKED",
            CardRefusal::NotLocked => "NOT_LOCKED",
            CardRefusal::Lock(LockRefusal::Irreversible) => "LOCK_IRREVERSIBLE",
            CardRefusal::Lock(LockRefusal::NotYours) => "LOCK_NOT_YOURS",
            CardRefusal::NotReplaceable => "NOT_REPLACEABLE",
            CardRefusal::AlreadyReplaced => "ALREADY_REPLACED",
            CardRefusal::NotDigitalFirst => "NOT_DIGITAL_FIRST",
            CardRefusal::NotVirtual => "CARD_NOT_VIRTUAL",
            CardRefusal::AlreadyPrinted => "ALREADY_PRINTED",
            CardRefusal::PinNotAvailable => "PIN_NOT_AVAILABLE",
            CardRefusal::CvvNotAvailable => "CVV_NOT_AVAILABLE",
            CardRefusal::OfAnotherIssuer => "CARD_OF_ANOTHER_ISSUER",
        },
    }
}

fn expected(card: Standing, action: Action, by: Party, rules: CardRules) -> &'static str {
    let code = match card.state {
        // "ORDERED (not shown to the user)".
        CardState::Ordered { .. } => return "NOT_FOUND",
        // "Removed: 204, final".
        CardState::Removed => return "CARD_REMOVED",
        // Whoever has a card can have it removed, whatever became of it.
        _ if action == Action::Remove => return "yes",
        CardState::Expired { lock }
            if action == Action::Activate && next_is_made(card) && is_no_final(lock) =>
        {
            return activation(card);
        }
        CardState::Expired { .. } => return "CARD_EXPIRED",
        CardState::Locked { lock, .. } => Some(lock.code.number()),
        CardState::Inactive | CardState::Active => None,
    };
    if action == Action::Replace {
        return replacement(card, code);
    }
    // "A reversible lock may be raised to an irreversible one, never back."
    if let Some(1 | 2 | 5 | 8) = code {
        return "LOCK_IRREVERSIBLE";
    }
    match action {
        Action::Unlock => match card.state.lock() {
            None => "NOT_LOCKED",
            Some(lock) if may_lift(by, lock.placed_by, rules) => "yes",
            Some(_) => "LOCK_NOT_YOURS",
        },
        Action::Lock => "yes",
        Action::Activate => activation(card),
        _ if card.state == CardState::Inactive => "CARD_NOT_ACTIVE",
        Action::Reveal => "yes",
        // The letter of tokenisation: whose card it is not, gives it nothing; a lock is told first.
        _ if card.origin == CardOrigin::Foreign && !(action == Action::Print && code.is_some()) => {
            "CARD_OF_ANOTHER_ISSUER"
        }
        // "reset CVV (virtual, Digital First)".
        Action::ResetCvv => match card.kind {
            CardType::Physical => "CVV_NOT_AVAILABLE",
            CardType::Virtual | CardType::DigitalFirst => "yes",
        },
        // "set PIN (physical, Digital First)".
        Action::SetPin => match card.kind {
            CardType::Virtual => "PIN_NOT_AVAILABLE",
            CardType::Physical | CardType::DigitalFirst => "yes",
        },
        // "Digital First (program flag): plastic of an existing virtual card".
        Action::Print => match (code, rules.digital_first, card.kind) {
            (Some(_), _, _) => "CARD_LOCKED",
            (None, false, _) => "NOT_DIGITAL_FIRST",
            (None, true, CardType::Virtual) => "yes",
            (None, true, CardType::Physical) => "CARD_NOT_VIRTUAL",
            (None, true, CardType::DigitalFirst) => "ALREADY_PRINTED",
        },
        // Every type goes on by itself, and may be told not to.
        Action::SetRenewal => "yes",
        Action::Replace | Action::Remove => unreachable!("settled above"),
    }
}

/// "linked on the bureau's word, INACTIVE → ACTIVE by activation". Plastic that is made in the place of plastic is activated as
/// the first was, also after the end of that; what is locked for good does not go on.
fn activation(card: Standing) -> &'static str {
    match (card.state, card.kind) {
        (CardState::Locked { .. }, _) => "CARD_LOCKED",
        (_, CardType::Virtual | CardType::DigitalFirst) => "CARD_NOT_PHYSICAL",
        (CardState::Inactive, CardType::Physical) => "yes",
        (_, CardType::Physical) if next_is_made(card) => "yes",
        (_, CardType::Physical) => "ALREADY_ACTIVE",
    }
}

fn next_is_made(card: Standing) -> bool {
    matches!(card.renewal, Some(Renewal::Made { .. }))
}

fn is_no_final(lock: Option<Lock>) -> bool {
    lock.is_none_or(|lock| !matches!(lock.code.number(), 1 | 2 | 5 | 8))
}

/// "replacement after 1, 2, 8", once, of whatever type.
fn replacement(card: Standing, code: Option<u8>) -> &'static str {
    match code {
        Some(1 | 2 | 8) if card.replaced => "ALREADY_REPLACED",
        Some(1 | 2 | 8) if card.origin == CardOrigin::Foreign => "CARD_OF_ANOTHER_ISSUER",
        Some(1 | 2 | 8) => "yes",
        Some(5) => "LOCK_IRREVERSIBLE",
        _ => "NOT_REPLACEABLE",
    }
}

/// "by default a user lifts only a user's lock, a partner its own and the user's, operators and processor any reversible
/// one; a program setting restores the seed's letter."
fn may_lift(by: Party, placed_by: Party, rules: CardRules) -> bool {
    rules.lifting == LiftPolicy::AnyReversible
        || match by {
            Party::User => placed_by == Party::User,
            Party::Partner => matches!(placed_by, Party::User | Party::Partner),
            Party::Operator | Party::Processor => true,
        }
}

/// The capability matrix by rows; for operators the lowest role that it names.
fn doors(action: Action) -> (&'static str, Option<Role>) {
    match action {
        Action::Lock | Action::Unlock => ("user partner processor", Some(Role::Employee)),
        Action::Remove => ("user partner", Some(Role::Manager)),
        Action::Reveal => ("user partner", None),
        Action::ResetCvv => ("user", Some(Role::Employee)),
        Action::Print | Action::Activate | Action::SetRenewal => ("user partner", Some(Role::Employee)),
        Action::SetPin => ("user", None),
        // As create virtual, row 1.
        Action::Replace => ("user partner", Some(Role::Manager)),
    }
}

fn has_door(action: Action, by: Party, role: Option<Role>) -> bool {
    let (channels, least) = doors(action);
    match by {
        Party::Operator => match (least, role) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(Role::Employee), Some(_)) => true,
            (Some(Role::Manager), Some(role)) => role != Role::Employee,
            (Some(Role::Admin), Some(role)) => role == Role::Admin,
        },
        Party::User => channels.contains("user"),
        Party::Partner => channels.contains("partner"),
        Party::Processor => channels.contains("processor"),
    }
}

#[test]
fn every_action_on_every_card_by_everybody_is_as_the_contract_says() {
    let mut judged = 0;
    on_everything(|card, by, rules| {
        for action in Action::ALL {
            assert_eq!(
                told(card.permits(action, by, rules)),
                expected(card, action, by, rules),
                "{action:?} by {by:?} on {card:?} under {rules:?}"
            );
        }
    });
    on_everything_counted(&mut judged);
    assert!(judged > 50_000, "{judged}");
}

fn on_everything_counted(judged: &mut usize) {
    let count = std::cell::Cell::new(0);
    on_everything(|_, _, _| count.set(count.get() + Action::ALL.len()));
    *judged = count.get();
}

#[test]
fn allowed_actions_are_what_has_a_door_and_is_permitted_in_every_role() {
    on_everything(|card, by, rules| {
        for role in [None, Some(Role::Admin), Some(Role::Manager), Some(Role::Employee)] {
            let rules = CardRules { role, ..rules };
            let allowed = card.allowed_actions(by, rules);
            let wanted: Vec<Action> = Action::ALL
                .into_iter()
                .filter(|action| has_door(*action, by, role) && expected(card, *action, by, rules) == "yes")
                .collect();
            assert_eq!(allowed, wanted, "{by:?} {role:?} on {card:?}");
        }
    });
}

#[test]
fn the_tables_have_a_cell_for_everything() {
    for action in Action::ALL {
        assert_eq!(row(action).count(), Condition::ALL.len());
        assert_eq!(origin_row(action).count(), CardOrigin::ALL.len());
        assert_eq!(type_row(action).count(), CardType::ALL.len());
        let offer = offered(action);
        assert!(offer.user || offer.partner || offer.operator.is_some() || offer.processor);
    }
}

#[test]
fn every_code_has_a_column() {
    for code in LockCode::ALL {
        let state = CardState::Locked {
            lock: super::tests::lock(code, Party::User),
            from: Unlocked::Active,
        };
        let expected = match code.number() {
            1 | 2 | 8 => Condition::Replaceable,
            5 => Condition::Stopped,
            _ => Condition::Reversible,
        };
        assert_eq!(Condition::of(Standing::new(CardType::Virtual, state)), expected);
    }
    assert_eq!(RULES.len(), 4);
}
