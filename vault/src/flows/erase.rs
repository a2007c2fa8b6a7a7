//! Erase: the card is closed at once; its secrets are destroyed after the grace time, in which two officers may still
//! undo a mistake or an attack.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::ids::CardToken;
use shared::mtls::identity::Identity;
use shared::vault_api::cards::CardStanding;
use shared::vault_api::notices::NoticeKind;

use super::lookup::card_key;
use super::notices;
use crate::audit::event::{Event, Outcome};
use crate::domain::card::{Card, Standing};
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};
use crate::store::Tree;

/// When a closed card's secrets are due. Keyed by time, so that the sweeper reads no more than it needs.
#[derive(Clone, Serialize, Deserialize)]
pub struct Erasure {
    /// Unix seconds.
    pub due: i64,
    /// The card.
    pub card: CardToken,
}

impl Record for Erasure {
    const TREE: Tree = Tree::Erasures;
    fn key(&self) -> Vec<u8> {
        [&self.due.max(0).to_be_bytes()[..], &card_key(&self.card)].concat()
    }
}

impl Erasure {
    /// What a key of the tree says.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (due, card) = key.split_first_chunk::<8>()?;
        Some(Self {
            due: i64::from_be_bytes(*due),
            card: std::str::from_utf8(card).ok()?.parse().ok()?,
        })
    }
}

/// Closes a card in a transaction; a closed one stays as it is.
///
/// # Errors
/// The store's.
pub fn close(tx: &mut Tx<'_, '_>, card: &mut Card, due: i64) -> Result<(), Error> {
    card.standing = card.standing.close(due);
    if matches!(card.standing, Standing::Closed { destroy_at, .. } if destroy_at == due) {
        tx.put(&Erasure {
            due,
            card: card.token.clone(),
        })?;
        tx.put(card)?;
    }
    Ok(())
}

/// Closes a card. A closed one stays as it is, and no budget is charged for asking again.
///
/// # Errors
/// Unknown card, or the hourly budget of erasures.
pub async fn erase(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: CardToken,
) -> Result<CardStanding, Error> {
    let context = vault.card(&token)?;
    let standing = context.card.record.standing;
    context.describe(&mut event);
    if standing.close(0) == standing {
        event.outcome = Outcome::Replayed;
        vault.commit(event, |_, _| Ok(())).await?;
        return Ok(CardStanding {
            card: token,
            standing: standing.name(),
        });
    }
    let due = vault
        .now()
        .saturating_add(vault.surroundings.retention.grace_seconds);
    // The gateway knows what it asked for itself.
    let to_be_told = event.caller != Some(Identity::Gateway);
    let at = vault.surroundings.clock.now();
    let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
        let mut card: Card = tx.get(&card_key(&token))?.ok_or(Error::NotFound("card"))?;
        let before = card.standing;
        close(tx, &mut card, due)?;
        if to_be_told && card.standing != before {
            notices::write(tx, NoticeKind::Erased, token.clone(), None, at)?;
        }
        Ok(CardStanding {
            standing: card.standing.name(),
            card: token,
        })
    };
    let closed = vault.commit(event, work).await;
    if let Err(Error::Budget(_)) = &closed {
        tracing::error!(
            alarm = "erasures",
            "the hourly budget of erasures is used up: is somebody destroying cards?"
        );
    }
    closed
}
