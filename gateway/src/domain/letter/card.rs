//! What became of a card without its holder's doing.

use super::{Facts, Letter};
use crate::domain::event::EventKind;

pub(super) fn letter(kind: EventKind, facts: &Facts<'_>) -> Option<Letter> {
    let (card, when) = (facts.card(), facts.when());
    let letter = match kind {
        EventKind::CardLocked => return locked(facts),
        EventKind::CardShipped => facts.signed(
            "Your card is on its way",
            &format!("{card} was handed to the carrier on {when}. Activate it in the app once you hold it."),
        ),
        EventKind::CardDeliveryFailed => facts.signed(
            "Your card could not be delivered",
            &format!(
                "{card} could not be made or delivered. {} will be in touch with you.",
                facts.partner
            ),
        ),
        EventKind::CardReplaced => facts.signed(
            "Your card was replaced",
            &format!("{card} was replaced on {when}. The new card is in the app."),
        ),
        EventKind::CardRenewed => facts.signed(
            "Your card was renewed",
            &format!("{card} is near its end and was renewed on {when}. The new card is in the app."),
        ),
        EventKind::CardExpired => facts.signed(
            "Your card has expired",
            &format!("{card} has expired and takes no payments any more."),
        ),
        _ => return None,
    };
    Some(letter)
}

/// Who locks the own card knows it; a lock from outside is news.
fn locked(facts: &Facts<'_>) -> Option<Letter> {
    let from_outside = ["by", "placedBy"]
        .into_iter()
        .any(|name| facts.word(name) == Some("PROCESSOR"));
    from_outside.then(|| {
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
