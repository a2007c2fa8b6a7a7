//! What became of a card without its holder's doing.

use super::{Facts, Letter};
use crate::domain::card::CardType;
use crate::domain::event::EventKind;
use crate::domain::lock::Party;
use crate::domain::order::OrderKind;

pub(super) fn letter(kind: EventKind, facts: &Facts<'_>) -> Option<Letter> {
    let (card, when) = (facts.card(), facts.when());
    let letter = match kind {
        EventKind::CardLocked => return locked(facts),
        EventKind::CardShipped => shipped(facts),
        EventKind::CardDeliveryFailed => delivery_failed(facts),
        EventKind::CardReplaced => replaced(facts),
        EventKind::CardRenewed => facts.signed(
            "Your card was renewed",
            &format!(
                "{card} was near its end and was renewed on {when}. Its number is the same; the date of expiry and the \
                 security code are new. You find them in the app."
            ),
        ),
        EventKind::CardExpired => facts.signed(
            "Your card has expired",
            &format!("{card} has expired and takes no payments any more."),
        ),
        _ => return None,
    };
    Some(letter)
}

/// Plastic of a card that the user has already is as active as that card.
fn shipped(facts: &Facts<'_>) -> Letter {
    let next = if facts.word("kind") == Some(OrderKind::Print.as_str()) {
        "It is the card that you have in the app: there is nothing to activate."
    } else {
        "Activate it in the app once you hold it."
    };
    facts.signed(
        "Your card is on its way",
        &format!(
            "{} was handed to the carrier on {}. {next}",
            facts.card(),
            facts.when()
        ),
    )
}

fn delivery_failed(facts: &Facts<'_>) -> Letter {
    let removed = if facts.is_told("cardRemoved") {
        " It was removed."
    } else {
        ""
    };
    facts.signed(
        "Your card could not be delivered",
        &format!(
            "{} could not be made or delivered.{removed} {} will be in touch with you.",
            facts.card(),
            facts.partner
        ),
    )
}

/// Plastic takes the place of plastic, and the user is shown it once the bureau has made it.
fn replaced(facts: &Facts<'_>) -> Letter {
    let new = if facts.word("type") == Some(CardType::Physical.as_str()) {
        "The new card comes by post."
    } else {
        "The new card is in the app."
    };
    facts.signed(
        "Your card was replaced",
        &format!("{} was replaced on {}. {new}", facts.card(), facts.when()),
    )
}

/// Who locks the own card knows it; a lock from outside is news.
fn locked(facts: &Facts<'_>) -> Option<Letter> {
    let is_from_outside = facts.word("placedBy") == Some(Party::Processor.as_str());
    is_from_outside.then(|| {
        facts.signed(
            "Your card was locked",
            &format!(
                "{} was locked on {} by the card scheme or the processor, and takes no payments. If you do not know why, ask {}.",
                facts.card(),
                facts.when(),
                facts.partner
            ),
        )
    })
}
