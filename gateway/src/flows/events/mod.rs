//! What becomes of events once they are committed: numbers, deliveries, mails.

pub mod hand_out;
mod write_letters;

use serde_json::{Map, Value};

use crate::domain::webhook::EventMessage;
use crate::store::events::Told;

/// The event as partners read it. The same for the same event, whenever it is asked.
#[must_use]
pub fn message_of(told: &Told) -> EventMessage {
    let mut data = Map::new();
    let numbers = [
        ("userId", told.user.map(|user| user.0)),
        ("cardId", told.card.map(|card| card.0)),
        ("cardSequence", told.card_sequence),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            data.insert(name.to_owned(), Value::from(number));
        }
    }
    for (name, value) in &told.data {
        data.entry(name.clone()).or_insert_with(|| value.clone());
    }
    EventMessage {
        id: told.number.0,
        kind: told.kind.as_str(),
        timestamp: told.at,
        occurred_at: told.at,
        data,
    }
}

#[cfg(test)]
mod tests;
