//! Rows that have lapsed go: idempotency entries after a day, sessions, login challenges, activation codes and what was
//! mailed to operators at their end, failed logins of operators and ids of providers' messages after a day; events and their
//! deliveries after as many days as the operator wants, but none that is still tried.

use time::Duration;

use crate::error::Error;
use crate::services::Services;
use crate::store::webhooks::{self, deliveries};
use crate::store::{
    activation_codes, card_creations, events, idempotency, kyc_submissions, notices, operator_sessions,
    operator_tokens, operators, sessions,
};

/// How long a notice waits for an order that never comes here: it is another gateway's.
const PARKED: Duration = Duration::days(30);
/// How long it can be asked what became of a request for a card.
const CREATIONS_KEPT: Duration = Duration::days(30);
/// Entries a transaction: short enough that nobody waits long for the writer.
const BATCH: i64 = 1_000;

/// How long the ids of providers' messages are kept: far longer than their signatures are good.
const MESSAGES_KEPT: Duration = Duration::hours(24);

/// Sweeps once. Returns how many rows went.
pub(super) async fn sweep(services: &Services) -> Result<u64, Error> {
    let now = services.now();
    let mut swept = 0;
    loop {
        let mut tx = services.db.begin().await?;
        let batch = idempotency::sweep(&mut tx, now, BATCH).await?;
        tx.commit().await?;
        swept += batch;
        if batch < BATCH.unsigned_abs() {
            break;
        }
    }
    let mut tx = services.db.begin().await?;
    swept += sessions::sweep(&mut tx, now).await?;
    swept += activation_codes::sweep(&mut tx, now).await?;
    swept += operator_sessions::sweep(&mut tx, now).await?;
    swept += operator_tokens::sweep(&mut tx, now).await?;
    swept += operators::sweep_tries(&mut tx, now).await?;
    swept += notices::sweep(&mut tx, now - PARKED).await?;
    swept += kyc_submissions::sweep_messages(&mut tx, now - MESSAGES_KEPT).await?;
    swept += webhooks::sweep(&mut tx, now).await?;
    swept += card_creations::sweep(&mut tx, now - CREATIONS_KEPT).await?;
    tx.commit().await?;
    Ok(swept + sweep_events(services).await?)
}

/// Deliveries first: an event goes once none of it is left.
async fn sweep_events(services: &Services) -> Result<u64, Error> {
    let days = Duration::days(i64::from(services.config.webhooks.retention_days));
    let before = services.now() - days;
    let mut swept = 0;
    loop {
        let mut tx = services.db.begin().await?;
        let batch =
            deliveries::sweep(&mut tx, before, BATCH).await? + events::sweep(&mut tx, before, BATCH).await?;
        tx.commit().await?;
        swept += batch;
        if batch == 0 {
            return Ok(swept);
        }
    }
}
