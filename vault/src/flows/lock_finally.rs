//! The one-way flag of an irreversible lock, and the try counter that lifting code 6 clears.

use std::sync::Arc;

use shared::ids::CardToken;
use shared::vault_api::cards::{CardStanding, LockFinally};

use super::lookup::{TriesRecord, card_key};
use crate::audit::event::Event;
use crate::domain::card::{Card, FinalCode};
use crate::error::Error;
use crate::open_vault::OpenVault;

/// Locks a card for good. Again with any final code: nothing changes.
///
/// # Errors
/// A reversible code, or a closed card.
pub async fn lock_finally(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: CardToken,
    request: LockFinally,
) -> Result<CardStanding, Error> {
    let code = FinalCode::try_from(request.code).map_err(|error| Error::Validation {
        field: "code",
        code: "NOT_FINAL",
        message: error.to_string().into(),
    })?;
    vault.card(&token)?.describe(&mut event);
    event.note = Some(format!("code {}", request.code));
    let work = move |tx: &mut crate::records::Tx<'_, '_>, _: &mut Event| {
        let mut card: Card = tx.get(&card_key(&token))?.ok_or(Error::NotFound("card"))?;
        card.standing = card.standing.lock_finally(code)?;
        tx.put(&card)?;
        Ok(CardStanding {
            standing: card.standing.name(),
            card: token,
        })
    };
    vault.commit(event, work).await
}

/// Begins the PIN tries in a row again. The 30-day cap stays.
///
/// # Errors
/// A closed or finally locked card.
pub async fn clear_pin_tries(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: CardToken,
) -> Result<CardStanding, Error> {
    vault.card(&token)?.describe(&mut event);
    let work = move |tx: &mut crate::records::Tx<'_, '_>, _: &mut Event| {
        let card: Card = tx.get(&card_key(&token))?.ok_or(Error::NotFound("card"))?;
        card.standing.permits_use()?;
        let mut counters = TriesRecord::of(tx, &token)?;
        counters.tries.pin_unlocked();
        tx.put(&counters)?;
        Ok(CardStanding {
            standing: card.standing.name(),
            card: token,
        })
    };
    vault.commit(event, work).await
}
