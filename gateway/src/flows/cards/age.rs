//! The end of cards, and how virtual ones go on: a card past its last month is written down as expired and told of, once;
//! one that nears it is renewed at the vault, if program, holder and partner let it.

use shared::vault_api::cards::RenewCard;
use shared::vault_api::{Actor, Channel};
use time::Duration;

use super::tell;
use crate::config::Program;
use crate::domain::card::{CardId, CardState, CardType};
use crate::domain::event::EventKind;
use crate::error::Error;
use crate::services::Services;
use crate::store::card_requests::{self, Renew, Task};
use crate::store::cards::{self, life};

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
    loop {
        let now = services.now();
        let last = now + Duration::days(program.renew_days_before.into());
        let mut read = services.db.read().await?;
        let due = life::due_for_renewal(&mut read, program, (now, last), BATCH).await?;
        drop(read);
        let before = begun;
        for card in due {
            begun += u64::from(begin_renewal(services, card).await?);
        }
        if begun == before {
            return Ok(begun);
        }
    }
}

/// `false` when another process was faster, or the card is not to be renewed any more.
async fn begin_renewal(services: &Services, id: CardId) -> Result<bool, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let Some(card) = cards::take(&mut tx, id).await?.map(|card| card.at(now)) else {
        return Ok(false);
    };
    let goes_on = card.standing.state == CardState::Active
        && card.standing.kind == CardType::Virtual
        && card.standing.origin.is_issuer_here()
        && card.automatic_renewal;
    if !(goes_on && life::begin_renewal(&mut tx, id, card.exp).await?) {
        return Ok(false);
    }
    let call = RenewCard {
        ends: card.exp,
        actor: Actor {
            channel: Channel::System,
            subject: Some(format!("user:{}", card.user.0)),
            device: None,
            trace_id: None,
        },
    };
    let task = Task::Renew(Renew {
        card: card.token,
        call,
    });
    let work = card_requests::begin(&mut tx, id, None, services.vault_key()?, task, None, now).await?;
    card_requests::put_off(&mut tx, work.id, now).await?;
    tx.commit().await?;
    Ok(true)
}
