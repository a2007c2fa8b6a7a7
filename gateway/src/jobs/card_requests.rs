//! Finishes what a crash, or a vault that did not answer, left between the gateway and the vault.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};
use tokio::time::{MissedTickBehavior, interval};

use crate::error::{Code, Error};
use crate::flows::cards::carry_out::go_on;
use crate::services::Services;
use crate::store::card_requests::{CardRequest, Overdue, put_off, take_overdue};

/// How often the job looks for work when nobody wakes it.
const EVERY: std::time::Duration = std::time::Duration::from_secs(5);
/// How soon it asks a vault again that did not answer.
const TRY_AGAIN_AFTER: Duration = Duration::seconds(5);
/// Most requests in one turn: each may take as long as the vault's time limit.
const BATCH: i64 = 16;
/// A request that is open for so long is an alarm, whatever keeps it.
const ALARM_AFTER: Duration = Duration::minutes(10);

/// Carries out what waits, as soon as it is woken, and what was left behind, again and again; dropping the future ends it.
pub async fn run(services: Arc<Services>) {
    let mut turn = interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = turn.tick() => {}
            () = services.card_work.notified() => {}
        }
        super::log("card requests", finish(&services).await);
    }
}

/// Carries out every request whose time has come. Returns how many were brought to an end.
///
/// # Errors
/// When the database is away. That a request fails is logged; it is tried again, or was struck off.
async fn finish(services: &Services) -> Result<u64, Error> {
    let mut ended = 0;
    loop {
        let mut tx = services.db.begin().await?;
        let due = take_overdue(&mut tx, services.now(), BATCH).await?;
        tx.commit().await?;
        let taken = due.len();
        ended += finish_these(services, due).await?;
        if i64::try_from(taken).unwrap_or(BATCH) < BATCH {
            return Ok(ended);
        }
    }
}

async fn finish_these(services: &Services, due: Vec<Overdue>) -> Result<u64, Error> {
    let mut ended = 0;
    for work in due {
        let work = match work {
            Ok(work) => work,
            Err((id, error)) => {
                tracing::error!(request = id.0, %error, "a card request cannot be read");
                continue;
            }
        };
        match go_on(services, &work).await {
            Ok(_) => ended += 1,
            Err(error) => {
                let (request, cause) = (work.id.0, error.cause());
                if is_stuck(&work, &error, services.now()) {
                    tracing::error!(request, %error, cause, "a card request does not come to an end");
                } else {
                    tracing::warn!(request, %error, cause, "a card request was not carried out");
                }
                // What a client may repeat under a fresh proof is left alone for as long as such a try may take.
                if error.code() == Code::VaultUnavailable && work.entry.is_none() {
                    let mut tx = services.db.begin().await?;
                    put_off(&mut tx, work.id, services.now() + TRY_AGAIN_AFTER).await?;
                    tx.commit().await?;
                }
            }
        }
    }
    Ok(ended)
}

/// Whether somebody has to look: a defect does not mend itself, nor does what is open for so long.
fn is_stuck(work: &CardRequest, error: &Error, now: OffsetDateTime) -> bool {
    error.code() == Code::Internal || now - work.began >= ALARM_AFTER
}

#[cfg(test)]
mod tests {
    use shared::vault_api::cards::CardOperation;
    use shared::vault_api::{Actor, Channel};

    use super::*;
    use crate::store::card_requests::{Remove, Task, begin, strike};
    use crate::store::cards::tests::{a_card, user_with_balance};
    use crate::testing::{Stage, stages};

    /// A removal that a request has written down.
    async fn removal(Stage { services, .. }: &Stage) -> CardRequest {
        let (user, balance) = user_with_balance(&services.db).await;
        let card = a_card(&services.db, user, balance).await;
        let actor = Actor {
            channel: Channel::Customers,
            subject: None,
            device: None,
            trace_id: None,
        };
        let task = Task::Remove(Remove {
            card: card.token,
            call: CardOperation { actor },
        });
        let key = services.vault_key().unwrap();
        let mut tx = services.db.begin().await.unwrap();
        let work = begin(&mut tx, card.id, None, key, task, None, services.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        work
    }

    #[tokio::test]
    async fn what_a_first_try_began_stays_while_the_vault_is_away() {
        for stage in stages().await {
            let work = removal(&stage).await;
            for _ in 0..3 {
                stage.clock.advance(Duration::minutes(2));
                assert_eq!(finish(&stage.services).await.unwrap(), 0);
            }
            let mut tx = stage.services.db.begin().await.unwrap();
            assert!(strike(&mut tx, work.id).await.unwrap(), "{}", stage.engine);
        }
    }

    #[tokio::test]
    async fn a_defect_and_what_stays_open_for_long_are_alarms() {
        for stage in stages().await {
            let work = removal(&stage).await;
            let away = Error::from(Code::VaultUnavailable);
            assert!(!is_stuck(&work, &away, work.began + Duration::minutes(9)));
            assert!(is_stuck(&work, &away, work.began + ALARM_AFTER));
            assert!(is_stuck(&work, &Error::internal("a defect"), work.began));
        }
    }
}
