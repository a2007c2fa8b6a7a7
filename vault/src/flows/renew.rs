//! Renew a card that nears its end: same number, a later end, another CVV. What was known of the card before does not
//! verify any more, but for its PIN.
//!
//! The gateway asks when it will; the vault sees to it that this gives nobody an endless card: only in the last months, only
//! while the card is open, and not for one of plastic, which has its end printed on it: for that the next plastic is ordered
//! (`renew_plastic`).

use std::sync::Arc;

use shared::expiry::Expiry;
use shared::ids::CardToken;
use shared::vault_api::cards::{RenewCard, RenewedCard};
use time::Duration;

use crate::audit::event::{Event, Outcome};
use crate::domain::card::Card;
use crate::error::Error;
use crate::open_vault::OpenVault;

/// How long before its end a card may be renewed.
const EARLIEST: Duration = Duration::days(100);

/// Renews a card that ends at `request.ends`. One that ends later was renewed before: that is told, and nothing done.
///
/// # Errors
/// A one-way flag; another issuer's card; `RENEWAL_NOT_DUE`, `RENEWAL_NOT_POSSIBLE`.
pub async fn renew(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: CardToken,
    request: RenewCard,
) -> Result<RenewedCard, Error> {
    vault.card(&token)?.describe(&mut event);
    let attempt = async || once(vault, event.clone(), &token, request.ends).await;
    vault.attempt(None, attempt).await
}

async fn once(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: &CardToken,
    ends: Expiry,
) -> Result<RenewedCard, Error> {
    let stored = vault.card_alone(token)?;
    let mut card = stored.record.clone();
    card.standing.permits_use()?;
    card.issuer_is_here()?;
    if card.exp > ends {
        event.outcome = Outcome::Replayed;
        vault.commit(event, |_, _| Ok(())).await?;
        return Ok(renewed(&card));
    }
    due(vault, &card, ends)?;
    if card.plastic {
        return Err(Error::conflict(
            "RENEWAL_NOT_POSSIBLE",
            "The end of a card of plastic is printed on it.",
        ));
    }
    let months = vault.program(&card.program)?.program().validity_months;
    card.exp = ends.plus_months(months);
    if card.cvv.is_some() {
        let cvv = vault.surroundings.random.cvv()?;
        let version = Card::next_version(card.cvv.as_ref());
        card.cvv = Some(vault.secrets(&card)?.seal_cvv(&cvv, version)?);
    }
    let work = move |tx: &mut crate::records::Tx<'_, '_>, _: &mut Event| {
        if !tx.is_unchanged(&stored)? {
            return Err(Error::Raced);
        }
        tx.put(&card)?;
        Ok(renewed(&card))
    };
    vault.commit(event, work).await
}

/// Whether the card ends when the caller says, and soon.
///
/// # Errors
/// `RENEWAL_NOT_DUE`.
pub(super) fn due(vault: &OpenVault, card: &Card, ends: Expiry) -> Result<(), Error> {
    let now = vault.surroundings.clock.now();
    let due = !ends.is_past(now) && ends.is_past(now + EARLIEST);
    if card.exp != ends || !due {
        return Err(Error::conflict(
            "RENEWAL_NOT_DUE",
            "A card is renewed in the last months before its end.",
        ));
    }
    Ok(())
}

/// The answer, of a card that goes on.
pub(super) fn renewed(card: &Card) -> RenewedCard {
    RenewedCard {
        card: card.token.clone(),
        exp: card.exp,
    }
}
