//! The look-up behind a card that is brought in: within the partner's own reach, told of the holder's own cards alone.

use shared::ids::{CardToken, HolderToken};
use shared::vault_api::tokens::CardKind;

use super::payload::Wish;
use crate::crypto::fingerprint::Reach;
use crate::domain::card::{Card, Standing, StandingRefusal};
use crate::domain::holder::Holder;
use crate::domain::program::Rules;
use crate::domain::tokenise::{Brought, Issuer};
use crate::error::Error;
use crate::flows::new_card::{Clear, NewCard};
use crate::open_vault::OpenVault;

/// What a number leads to.
pub(super) enum Found {
    /// Nothing.
    Free,
    /// This holder's card, the very one.
    Held(CardToken),
    /// A card that is not told of, but for what this says.
    Refused(Error),
}

/// What the number leads to for the program's partner, where it is to be the card of `holder`; of a holder to be there is no
/// token, and no card yet.
///
/// # Errors
/// The store cannot be read.
pub(super) fn look(
    vault: &OpenVault,
    holder: Option<&HolderToken>,
    program: &Rules,
    brought: &Brought,
) -> Result<Found, Error> {
    let own = Reach::Partner(&program.program().partner);
    // The range may have become the program's after the partner had brought the number in as another issuer's.
    let reaches: &[Reach<'_>] = match brought.issuer {
        Issuer::Program => &[Reach::Everybody, own],
        Issuer::Foreign => &[own],
    };
    for reach in reaches {
        if let Some(token) = vault.card_within(&brought.pan, *reach)? {
            let card = vault.card_alone(&token)?.record;
            return Ok(judge(vault, holder, program, brought, card));
        }
    }
    Ok(Found::Free)
}

fn judge(
    vault: &OpenVault,
    holder: Option<&HolderToken>,
    program: &Rules,
    brought: &Brought,
    card: Card,
) -> Found {
    let registers = vault.registers();
    let partner = registers
        .program(&card.program)
        .map(|rules| rules.program().partner.as_str());
    if partner != Some(program.program().partner.as_str()) {
        // Left in a range that this program has now: answered as the range itself would have been.
        return Found::Refused(Error::CardNotAccepted("the number is of another partner's card"));
    }
    let known = |why: &'static str| Found::Refused(Error::conflict("CARD_ALREADY_TOKENISED", why));
    if Some(&card.holder) != holder {
        return known("The card is known already, and not as this one.");
    }
    match card.standing {
        Standing::Open | Standing::LockedFinally { .. } if card.exp == brought.exp => Found::Held(card.token),
        Standing::Open | Standing::LockedFinally { .. } => {
            known("The card is known already with another expiry.")
        }
        // Its number is destroyed after the grace time, and may come again then.
        Standing::Closed { .. } | Standing::Destroyed => {
            Found::Refused(Error::Standing(StandingRefusal::Closed))
        }
    }
}

/// Seals what was brought in as a new card of the holder.
///
/// # Errors
/// No randomness.
pub(super) fn seal_new(
    vault: &OpenVault,
    holder: &Holder,
    program: &Rules,
    wish: &Wish,
) -> Result<NewCard, Error> {
    let clear = Clear {
        pan: &wish.brought.pan,
        exp: wish.brought.exp,
        cvv: wish.brought.cvv.as_ref(),
        pin: None,
    };
    let reach = match wish.brought.issuer {
        Issuer::Program => Reach::Everybody,
        Issuer::Foreign => Reach::Partner(&program.program().partner),
    };
    let new = NewCard::seal_for(vault, holder, &clear, reach)?;
    Ok(match wish.kind {
        CardKind::Virtual => new,
        CardKind::Physical => new.of_plastic(),
    })
}
