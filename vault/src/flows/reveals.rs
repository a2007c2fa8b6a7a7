//! Who saw a card. Each event that let card data out is found again by its holder and by its card, through an index that is
//! written in the event's own transaction: nobody walks through the log for it, and nothing is in it that the log has not.

use std::fmt::Display;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::ids::{CardToken, HolderToken};
use shared::vault_api::reveals::{ProvenBy, Reveal, Reveals};

use super::read_audit::off_the_async_threads;
use crate::audit::event::{Assurance, Event, Operation};
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};
use crate::store::Tree;

/// Answers in one page.
pub const MOST_REVEALS: u64 = 200;

/// Where the event of an answer stands, for the holder or the card that it was about.
#[derive(Serialize, Deserialize)]
struct Emission {
    subject: String,
    index: u64,
}

impl Record for Emission {
    const TREE: Tree = Tree::Emissions;
    fn key(&self) -> Vec<u8> {
        key(&self.subject, self.index)
    }
}

/// In the order of the log below each subject; tokens all have one length, so none is the beginning of another.
fn key(subject: &str, index: u64) -> Vec<u8> {
    [subject.as_bytes(), b"/", &index.to_be_bytes()].concat()
}

/// Keeps where an event stands, if card data left with it.
///
/// # Errors
/// The store's.
pub fn keep(tx: &mut Tx<'_, '_>, event: &Event, index: u64) -> Result<(), Error> {
    if !event.emitted {
        return Ok(());
    }
    let holder = event.holder.as_ref().map(ToString::to_string);
    let card = event.card.as_ref().map(ToString::to_string);
    for subject in [holder, card].into_iter().flatten() {
        tx.put(&Emission { subject, index })?;
    }
    Ok(())
}

/// Answers with data of a holder's cards.
///
/// # Errors
/// The store's; an event that does not open.
pub async fn of_holder(
    vault: &Arc<OpenVault>,
    holder: HolderToken,
    after: u64,
    limit: u64,
) -> Result<Reveals, Error> {
    off_the_async_threads(vault, move |vault| list(vault, &holder, after, limit)).await
}

/// Answers with data of a card.
///
/// # Errors
/// As [`of_holder`].
pub async fn of_card(
    vault: &Arc<OpenVault>,
    card: CardToken,
    after: u64,
    limit: u64,
) -> Result<Reveals, Error> {
    off_the_async_threads(vault, move |vault| list(vault, &card, after, limit)).await
}

fn list(vault: &OpenVault, subject: &impl Display, after: u64, limit: u64) -> Result<Reveals, Error> {
    let subject = subject.to_string();
    let from = key(&subject, after);
    let limit = usize::try_from(limit.min(MOST_REVEALS)).unwrap_or_default();
    let prefix = [subject.as_bytes(), b"/"].concat();
    let places: Vec<Emission> = vault.records.scan(&prefix, Bound::Excluded(&from), limit)?;
    vault.log(|log| {
        let events = places
            .iter()
            .map(|place| told(place.index, log.event(place.index)?));
        Ok(Reveals {
            items: events.collect::<Result<_, _>>()?,
        })
    })
}

/// What of an event the holder is told.
fn told(index: u64, event: Event) -> Result<Reveal, Error> {
    let card = event
        .card
        .ok_or_else(|| Error::Corrupt(format!("event {index} let card data out and names no card")))?;
    let proven_by = match event.assurance {
        Some(Assurance::ProvenByHolder(thumbprint)) => ProvenBy::HolderKey { thumbprint },
        Some(Assurance::ProvenByPartner(partner)) => ProvenBy::Partner { partner },
        Some(Assurance::Asserted) | None => ProvenBy::Officers,
    };
    Ok(Reveal {
        index,
        at: event.at,
        card,
        operation: name(event.operation)?,
        proven_by,
        channel: event.actor.map(|actor| actor.channel),
    })
}

/// The operation's name in the audit log.
fn name(operation: Operation) -> Result<String, Error> {
    match serde_json::to_value(operation) {
        Ok(Value::String(name)) => Ok(name),
        _ => Err(Error::Internal("an operation without a name".to_owned())),
    }
}
