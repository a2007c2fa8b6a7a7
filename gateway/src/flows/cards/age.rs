//! The end of cards, and how they go on: a card past its last month is written down as expired and told of, once; one that
//! nears it is renewed at the vault, if program, holder and partner let it. A virtual one goes on at once; of one with plastic
//! the next is ordered, and the card goes on when that takes over.

use shared::vault_api::cards::{RenewCard, RenewPlastic};
use shared::vault_api::{Actor, Channel};
use time::Duration;

use super::tell;
use crate::config::Program;
use crate::domain::card::{Card, CardId, CardState, CardType, embossed_name};
use crate::domain::event::EventKind;
use crate::error::Error;
use crate::services::Services;
use crate::store::card_requests::{self, Renew, RenewedPlastic, Task};
use crate::store::cards::life::DueKind;
use crate::store::cards::{self, life};
use crate::store::{Tx, users};

/// Cards of one transaction.
const BATCH: i64 = 100;

/// Writes down which cards have expired. Returns how many.
///
/// # Errors
/// When the database is away.
pub async fn expire(services: &Services) -> Result<u64, Error> {
    let mut expired = 0;
    loop {
        let mut tx = services.db.begin().await?;
        let batch = life::expire(&mut tx, services.now(), BATCH).await?;
        for card in &batch {
            let partner = tell::owner(&mut tx, card.user).await?.partner;
            let event = tell::about(EventKind::CardExpired, &partner, card);
            tell::write(services, &mut tx, &event).await?;
        }
        tx.commit().await?;
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        expired += count;
        if count < BATCH.unsigned_abs() {
            return Ok(expired);
        }
    }
}

/// Begins the renewals that are due, and wakes the job that asks the vault. Returns how many were begun.
///
/// # Errors
/// When the database is away.
pub async fn begin_renewals(services: &Services) -> Result<u64, Error> {
    let mut begun = 0;
    for program in services.config.programs.iter().filter(|p| p.automatic_renewal) {
        begun += renew_cards_of(services, program).await?;
    }
    if begun > 0 {
        services.card_work.notify_one();
    }
    Ok(begun)
}

async fn renew_cards_of(services: &Services, program: &Program) -> Result<u64, Error> {
    let mut begun = 0;
    for (kind, days) in [
        (DueKind::Virtual, program.renew_days_before),
        (DueKind::Plastic, program.renew_plastic_days_before),
    ] {
        loop {
            let now = services.now();
            let last = now + Duration::days(days.into());
            let mut read = services.db.read().await?;
            let due = life::due_for_renewal(&mut read, program, kind, (now, last), BATCH).await?;
            drop(read);
            let before = begun;
            for card in due {
                begun += u64::from(begin_renewal(services, card).await?);
            }
            if begun == before {
                break;
            }
        }
    }
    Ok(begun)
}

/// Writes one renewal down. `false` when the card is not to be renewed any more, or somebody else began it.
async fn begin_renewal(services: &Services, id: CardId) -> Result<bool, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let Some(card) = cards::take(&mut tx, id).await?.map(|card| card.at(now)) else {
        return Ok(false);
    };
    let goes_on = card.standing.state == CardState::Active
        && card.standing.origin.is_issuer_here()
        && card.standing.renewal.is_none()
        && card.automatic_renewal;
    if !(goes_on && life::begin_renewal(&mut tx, id, card.exp).await?) {
        return Ok(false);
    }
    let actor = Actor {
        channel: Channel::System,
        subject: Some(format!("user:{}", card.user.0)),
        device: None,
        trace_id: None,
    };
    let task = match card.standing.kind {
        CardType::Virtual => Task::Renew(Renew {
            card: card.token,
            call: RenewCard {
                ends: card.exp,
                actor,
            },
        }),
        CardType::Physical | CardType::DigitalFirst => match next_plastic(&mut tx, &card, actor).await? {
            Ok(call) => Task::RenewPlastic(RenewedPlastic {
                card: card.token,
                call,
            }),
            Err(code) => {
                let partner = tell::owner(&mut tx, card.user).await?.partner;
                let event = tell::not_renewed(&partner, &card, code);
                tell::write(services, &mut tx, &event).await?;
                tx.commit().await?;
                return Ok(true);
            }
        },
    };
    let work = card_requests::begin(&mut tx, id, None, services.vault_key()?, task, None, now).await?;
    card_requests::put_off(&mut tx, work.id, now).await?;
    tx.commit().await?;
    Ok(true)
}

/// What the vault is asked of a card with plastic: name and address are those on file. The inner error says what is missing
/// there; it is tried again once the user's data was changed.
async fn next_plastic(
    tx: &mut Tx,
    card: &Card,
    actor: Actor,
) -> Result<Result<RenewPlastic, &'static str>, Error> {
    let Some(profile) = users::profile(tx, card.user).await? else {
        return Ok(Err("USER_REMOVED"));
    };
    let Some(address) = profile.address else {
        return Ok(Err("ADDRESS_REQUIRED"));
    };
    let name = embossed_name(&profile.first_name, &profile.last_name);
    if name.is_none() && card.standing.kind == CardType::Physical {
        return Ok(Err("NAME_NOT_PRINTABLE"));
    }
    Ok(Ok(RenewPlastic {
        ends: card.exp,
        embossed_name: name,
        address,
        actor,
    }))
}
