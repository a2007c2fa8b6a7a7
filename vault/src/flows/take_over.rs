//! The next plastic of a card takes over: its end and its code hold from now on, those of before do not. Where nothing is
//! printed that is when the bureau confirms it (`orders::change`); where the CVV2 is, when the holder has it in hand and the
//! gateway says so.
//!
//! The vault sees to it that nothing takes over that was not made, nothing that came back, and nothing of a card that is closed
//! or locked for good.

use std::sync::Arc;

use shared::expiry::Expiry;
use shared::ids::CardToken;
use shared::vault_api::cards::{ActivateRenewal, RenewedCard};

use super::orders;
use super::renew::renewed;
use crate::audit::event::{Assurance, Event, Outcome};
use crate::domain::card::Card;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::Tx;

/// The renewed plastic of a card that ends at `request.ends` is in its holder's hands. A card that ends later was taken over
/// before: that is told, and nothing done.
///
/// # Errors
/// A one-way flag; `RENEWAL_NOT_READY` when no plastic is on its way to the holder, or it came back.
pub async fn activate_renewal(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: CardToken,
    request: ActivateRenewal,
) -> Result<RenewedCard, Error> {
    vault.card(&token)?.describe(&mut event);
    event.assurance = Some(Assurance::Asserted);
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
    stored.record.standing.permits_use()?;
    if stored.record.exp > ends {
        event.outcome = Outcome::Replayed;
        vault.commit(event, |_, _| Ok(())).await?;
        return Ok(renewed(&stored.record));
    }
    let not_ready = || {
        Error::conflict(
            "RENEWAL_NOT_READY",
            "No renewed plastic of this card is on its way to its holder.",
        )
    };
    let next = stored.record.next.as_ref().filter(|next| {
        stored.record.exp == ends && next.cvv.is_some() && !next.exp.is_past(vault.surroundings.clock.now())
    });
    let order = orders::find(vault, &next.ok_or_else(not_ready)?.order)?.ok_or_else(not_ready)?;
    if !order.record.state.may_be_in_hand() {
        return Err(not_ready());
    }
    event.note = Some(order.record.order.to_string());
    let card = taken_over(vault, &stored.record)?;
    let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
        if !(tx.is_unchanged(&stored)? && tx.is_unchanged(&order)?) {
            return Err(Error::Raced);
        }
        tx.put(&card)?;
        Ok(renewed(&card))
    };
    vault.commit(event, work).await
}

/// The card as it goes on. The printed code is the code from now on; where none is printed another is drawn, unless the card
/// never had one here.
///
/// # Errors
/// Nothing is to take over; [`Error::Corrupt`]; no randomness.
pub(super) fn taken_over(vault: &OpenVault, card: &Card) -> Result<Card, Error> {
    let secrets = vault.secrets(card)?;
    let printed = secrets.next_cvv(card)?;
    let mut after = card.clone();
    let next = after.next.take();
    let next = next.ok_or_else(|| Error::Internal("nothing is to take over".to_owned()))?;
    let code = match printed {
        Some(code) => Some(code),
        None if card.cvv.is_some() => Some(vault.surroundings.random.cvv()?),
        None => None,
    };
    if let Some(code) = code {
        let version = Card::next_version(card.cvv.as_ref());
        after.cvv = Some(secrets.seal_cvv(&code, version)?);
    }
    after.exp = next.exp;
    Ok(after)
}
