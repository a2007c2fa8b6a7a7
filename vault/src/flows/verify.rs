//! The processor's questions: is this CVV, is this PIN the card's? Counted, capped, and answered alike for every reason
//! to say no. Comparison and counter are one transaction, so that a hundred guesses at once are a hundred guesses.

use std::sync::Arc;

use shared::expiry::Expiry;
use shared::mtls::identity::Identity;
use shared::vault_api::processor::{Outcome, Verification};

use super::lookup::{CardContext, TriesRecord};
use super::secrets::CardSecrets;
use crate::audit::event::{Event, Outcome as Ended};
use crate::domain::card::Card;
use crate::domain::cvv::Cvv;
use crate::domain::pan::Pan;
use crate::domain::pin::Pin;
use crate::domain::tries::Permit;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::Tx;

/// What is to be compared.
pub enum Guess {
    /// A verification code, with the expiry when the processor has it.
    Cvv(Cvv, Option<Expiry>),
    /// A PIN.
    Pin(Pin),
}

/// Compares a guess with what the card has.
///
/// # Errors
/// The processor's hourly budget of failures; never the card.
pub async fn verify(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    pan: Pan,
    guess: Guess,
) -> Result<Verification, Error> {
    let Some((context, secrets)) = vault.unraced(|| usable(vault, caller, &pan))? else {
        event.outcome = Ended::NoMatch;
        event.note = Some("no card of this processor that is open".to_owned());
        vault.commit(event, |_, _| Ok(())).await?;
        let tries_left = None;
        return Ok(Verification {
            outcome: Outcome::NoMatch,
            tries_left,
        });
    };
    context.describe(&mut event);
    let card = context.card.record;
    event.card = Some(card.token.clone());
    let now = vault.now();
    let mut failed = event.clone();
    failed.outcome = Ended::NoMatch;
    let book = Arc::clone(vault);
    let work = move |tx: &mut Tx<'_, '_>, event: &mut Event| {
        // Before anything is compared, and whatever would come out: else only the wrong guesses were refused.
        book.permits(&failed)?;
        let mut counters = TriesRecord::of(tx, &card.token)?;
        let before = counters.tries;
        let verification = compare(&card, &secrets, &guess, &mut counters, now)?;
        if counters.tries != before {
            tx.put(&counters)?;
        }
        if verification.outcome != Outcome::Match {
            event.outcome = Ended::NoMatch;
        }
        Ok(verification)
    };
    vault.commit(event, work).await
}

/// The card of this PAN with its secrets, if it is open and of a program of this processor.
fn usable(
    vault: &OpenVault,
    caller: &Identity,
    pan: &Pan,
) -> Result<Option<(CardContext, CardSecrets)>, Error> {
    let Some(token) = vault.card_of_pan(pan)? else {
        return Ok(None);
    };
    let context = vault.card(&token)?;
    let card = &context.card.record;
    let own = caller
        .name()
        .is_some_and(|name| name.as_str() == context.program.program().processor);
    let open = card.standing.permits_use().is_ok() && !card.exp.is_past(vault.surroundings.clock.now());
    if !(own && open) {
        return Ok(None);
    }
    let secrets = vault.secrets(card)?;
    Ok(Some((context, secrets)))
}

fn compare(
    card: &Card,
    secrets: &CardSecrets,
    guess: &Guess,
    counters: &mut TriesRecord,
    now: i64,
) -> Result<Verification, Error> {
    let tries = &mut counters.tries;
    match guess {
        Guess::Cvv(cvv, exp) => {
            let matched = match tries.cvv(now) {
                Permit::Compare => {
                    let own = secrets.cvv(card)?;
                    let matched =
                        own.is_some_and(|own| own.matches(cvv)) & exp.is_none_or(|exp| exp == card.exp);
                    tries.cvv_compared(matched, now);
                    matched
                }
                Permit::Capped | Permit::TriesExceeded => false,
            };
            let outcome = if matched { Outcome::Match } else { Outcome::NoMatch };
            Ok(Verification {
                outcome,
                tries_left: None,
            })
        }
        Guess::Pin(pin) => {
            let outcome = match tries.pin(now) {
                Permit::Compare => {
                    let matched = secrets.pin(card)?.is_some_and(|own| own.matches(pin));
                    tries.pin_compared(matched, now);
                    if matched { Outcome::Match } else { Outcome::NoMatch }
                }
                Permit::TriesExceeded => Outcome::TriesExceeded,
                Permit::Capped => Outcome::NoMatch,
            };
            Ok(Verification {
                outcome,
                tries_left: Some(tries.pin_tries_left()),
            })
        }
    }
}
