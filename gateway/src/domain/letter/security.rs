//! What a user must hear of even if somebody else holds the account: keys and devices.

use super::{Facts, Letter};
use crate::domain::event::EventKind;

pub(super) fn letter(kind: EventKind, facts: &Facts<'_>) -> Option<Letter> {
    match kind {
        EventKind::HolderKeyPending => Some(holder_key_pending(facts)),
        EventKind::InstallationPaired => Some(facts.signed(
            "A device was paired with your account",
            &format!(
                "On {} a device was paired with your account. If it was you, there is nothing to do.\n\nIf it was not you, tell \
                 {} at once: the device can be put out.",
                facts.when(),
                facts.partner
            ),
        )),
        EventKind::PinSet => Some(facts.signed(
            "A PIN was set",
            &format!(
                "{}: a PIN was set on {}. If it was not you, lock the card in the app and tell {} at once.",
                facts.card(),
                facts.when(),
                facts.partner
            ),
        )),
        _ => None,
    }
}

/// What waits becomes good by itself if nobody objects: the one mail that must arrive in time.
fn holder_key_pending(facts: &Facts<'_>) -> Letter {
    let until = facts.instant("maturesAt").map_or_else(
        || "It is not good for anything yet.".to_owned(),
        |at| format!("It is not good for anything before {at}."),
    );
    facts.signed(
        "A further key was announced for your cards: was it you?",
        &format!(
            "On {} somebody announced a further key for your cards, as the app does when it is set up on another device. With \
             this key full card data could be shown. {until}\n\nIf it was you, there is nothing to do.\n\nIf it was NOT you, have \
             the key revoked: tell {} now, or end the device in your app.",
            facts.when(),
            facts.partner
        ),
    )
}
