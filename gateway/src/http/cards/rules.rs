//! The tables of `domain::card::table` in the words of the API's documentation: who may, when, and with which code it is
//! refused otherwise.

use std::fmt::Write as _;

use crate::domain::card::table::{Cell, offered, origin_row, refusals, row, type_row};
use crate::domain::card::{Action, CardRefusal};
use crate::domain::operator::Role;
use crate::error::{Code, Error};
use crate::http::doc::Doc;

/// The documentation of an action's door, with what the tables say of it.
pub(in crate::http) fn govern(doc: Doc, action: Action) -> Doc {
    let codes: Vec<Code> = refusals(action)
        .map(|refusal| Error::from(refusal).code())
        .collect();
    doc.says(&described(action)).errors(&codes)
}

/// What the tables say of an action, in Markdown.
pub(super) fn described(action: Action) -> String {
    let mut text = format!(
        "`{}` by what the card is:\n\n| card | outcome |\n|---|---|\n",
        action.as_str()
    );
    for (condition, cell) in row(action) {
        let _ = writeln!(text, "| {} | {} |", condition.describe(), said(cell));
    }
    for (origin, cell) in origin_row(action).filter(|(_, cell)| *cell != Cell::Yes) {
        let _ = writeln!(text, "| of origin `{}` | {} |", origin.as_str(), said(cell));
    }
    if action == Action::Print {
        let _ = writeln!(
            text,
            "| of a program without Digital First | `{}` |",
            code(CardRefusal::NotDigitalFirst)
        );
    }
    for (kind, cell) in type_row(action).filter(|(_, cell)| *cell != Cell::Yes) {
        let _ = writeln!(text, "| of type `{}` | {} |", kind.as_str(), said(cell));
    }
    let _ = writeln!(text, "\nOffered to: {}.", offered_to(action));
    text
}

fn said(cell: Cell) -> String {
    match cell {
        Cell::Yes => "yes".to_owned(),
        Cell::No(refusal) => format!("`{}`", code(refusal)),
        Cell::IfMayLift => "yes, or `LOCK_NOT_YOURS` where somebody else placed the lock".to_owned(),
    }
}

fn code(refusal: CardRefusal) -> &'static str {
    Error::from(refusal).code().row().1
}

fn offered_to(action: Action) -> String {
    let offer = offered(action);
    let mut parties = Vec::new();
    for (is_offered, party) in [
        (offer.user, "the user"),
        (offer.partner, "the partner"),
        (offer.processor, "the issuing processor (at the vault)"),
    ] {
        if is_offered {
            parties.push(party.to_owned());
        }
    }
    if let Some(permission) = offer.operator {
        let roles: Vec<_> = Role::ALL
            .into_iter()
            .filter(|role| role.may(permission))
            .map(Role::as_str)
            .collect();
        parties.push(format!("operators ({})", roles.join(", ")));
    }
    parties.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_says_what_the_tables_say() {
        let unlock = described(Action::Unlock);
        assert!(unlock.contains("| `ACTIVE` | `NOT_LOCKED` |"), "{unlock}");
        assert!(
            unlock.contains("| `LOCKED`, code 5 | `LOCK_IRREVERSIBLE` |"),
            "{unlock}"
        );
        let pin = described(Action::SetPin);
        assert!(
            pin.contains("| of type `VIRTUAL` | `PIN_NOT_AVAILABLE` |"),
            "{pin}"
        );
        assert!(pin.ends_with("Offered to: the user.\n"), "{pin}");
        let remove = described(Action::Remove);
        assert!(
            remove.contains("operators (ADMIN, MANAGER)") && remove.contains("| `EXPIRED` | yes |"),
            "{remove}"
        );
    }
}
