//! Make a challenge for a holder or a card.

use std::sync::Arc;

use shared::ids::{CardToken, HolderToken};
use shared::vault_api::holders::Challenge;
use time::OffsetDateTime;

use crate::audit::event::Event;
use crate::challenges::{LIFETIME_SECONDS, Purpose};
use crate::domain::budget::{Exhausted, Meter};
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::Tx;

/// A challenge for operations that concern no card yet.
///
/// # Errors
/// Unknown holder, or too many open.
pub async fn for_holder(
    vault: &Arc<OpenVault>,
    mut event: Event,
    holder: HolderToken,
) -> Result<Challenge, Error> {
    let found = vault.holder(&holder)?.record;
    event.program = Some(found.program);
    let full = Meter::HolderEmissions(holder.clone());
    make(vault, event, Purpose::Holder(holder), full).await
}

/// A challenge for operations on one card. A closed card gets one too: what is refused then is the operation, after the
/// proof, as for every state.
///
/// # Errors
/// Unknown card, or too many open.
pub async fn for_card(vault: &Arc<OpenVault>, mut event: Event, card: CardToken) -> Result<Challenge, Error> {
    let found = vault.card_alone(&card)?.record;
    event.program = Some(found.program);
    event.holder = Some(found.holder.clone());
    let full = Meter::CardEmissions(card.clone());
    make(vault, event, Purpose::Card(found.holder, card), full).await
}

async fn make(
    vault: &Arc<OpenVault>,
    event: Event,
    purpose: Purpose,
    full: Meter,
) -> Result<Challenge, Error> {
    let nonce = vault.surroundings.random.nonce()?;
    let (register, made, now) = (Arc::clone(vault), nonce.clone(), vault.now());
    let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
        let opened = register.challenges.open(tx, purpose, &made, now)?;
        let full = |_| Exhausted {
            meter: full,
            retry_after_seconds: u32::try_from(LIFETIME_SECONDS).unwrap_or(u32::MAX),
        };
        Ok(opened.map_err(full)?)
    };
    let expires = vault.commit(event, work).await?;
    let expires_at = OffsetDateTime::from_unix_timestamp(expires);
    let expires_at = expires_at.map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Challenge { nonce, expires_at })
}
