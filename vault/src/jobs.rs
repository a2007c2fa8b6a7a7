//! What the process does by the clock.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use actix_web::web;
use tokio::time::interval;

use crate::error::Error;
use crate::flows::{
    backup, export, import, notices, orders, pending_keys, purge, retention, rotate, slots, sweep, tokenise,
};
use crate::open_vault::OpenVault;
use crate::process::Process;
use crate::work;

/// How often erased cards and remembered answers are looked at, and excess refusals written down.
const EVERY_MINUTE: Duration = Duration::from_secs(60);
/// How often expired cards are looked at: each time reads every card.
const EVERY_DAY: Duration = Duration::from_secs(24 * 3600);
/// How soon after an unlock the jobs go on.
const EVERY_SECOND: Duration = Duration::from_secs(1);
/// How often shares that wait too long are looked at.
const EVERY_TEN_SECONDS: Duration = Duration::from_secs(10);

/// Runs for ever; dropping the future ends it.
pub async fn run(process: web::Data<Process>) {
    let mut seconds = interval(EVERY_TEN_SECONDS);
    let mut minutes = interval(EVERY_MINUTE);
    let mut second = interval(EVERY_SECOND);
    let mut closed_at: Option<Instant> = None;
    let mut at_work: Weak<OpenVault> = Weak::new();
    loop {
        tokio::select! {
            _ = second.tick() => if let Ok(vault) = process.open_vault()
                && !at_work.ptr_eq(&Arc::downgrade(&vault))
            {
                // A vault that was locked and opened anew is another one; the runner of the former ends by itself.
                at_work = Arc::downgrade(&vault);
                tokio::spawn(work::run(vault));
            },
            _ = seconds.tick() => {
                process.forget_expired_shares();
                if let Err(error) = process.open_by_itself().await {
                    tracing::error!(%error, "the vault does not open by itself");
                }
            },
            _ = minutes.tick() => {
                let surroundings = process.surroundings();
                surroundings.observed.certificates.alarm(surroundings.clock.now());
                if let Ok(vault) = process.open_vault() {
                    sweep_once(&vault).await;
                    if closed_at.is_none_or(|moment| moment.elapsed() >= EVERY_DAY) {
                        closed_at = Some(Instant::now());
                        close_expired(&vault).await;
                    }
                }
            },
        }
    }
}

async fn settle_slots(vault: &Arc<OpenVault>) -> Result<(), Error> {
    let _turn = vault.governing().await;
    slots::settle(vault, None).await
}

async fn sweep_once(vault: &Arc<OpenVault>) {
    match sweep::destroy_due(vault).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "secrets of erased cards destroyed"),
        Err(error) => tracing::error!(%error, "erased cards wait for their destruction"),
    }
    if let Err(error) = purge::begin_if_due(vault).await {
        tracing::error!(%error, "a purge is due and does not begin");
    }
    if let Err(error) = clean_bulk(vault).await {
        tracing::error!(%error, "what ended jobs have left is still there");
    }
    if let Err(error) = settle_slots(vault).await {
        tracing::error!(%error, "a verified slot is still pending");
    }
    if let Err(error) = sweep::forget_answers(vault).await {
        tracing::error!(%error, "old answers are still remembered");
    }
    if let Err(error) = notices::forget_acknowledged(vault).await {
        tracing::error!(%error, "old notices are still kept");
    }
    if let Err(error) = orders::batch::forget_old(vault).await {
        tracing::error!(%error, "old batches are still kept");
    }
    if let Err(error) = pending_keys::forget_matured(vault).await {
        tracing::error!(%error, "matured keys are still listed as pending");
    }
    if let Err(error) = vault.write_corrupt_records().await {
        tracing::error!(%error, "corrupt records are not written down");
    }
    if let Err(error) = vault.challenges.sweep(&vault.records, vault.now()).await {
        tracing::error!(%error, "challenges that are over still lie in the store");
    }
    if let Err(error) = tokenise::session::sweep(vault).await {
        tracing::error!(%error, "import sessions that are over still lie in the store");
    }
    match rotate::end_grace(vault).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "keys destroyed at the end of their grace time"),
        Err(error) => tracing::error!(%error, "keys outlive their grace time"),
    }
    if let Err(error) = vault.write_excess_refusals().await {
        tracing::error!(%error, "excess refusals are not written down");
    }
}

/// What imports, exports and backups leave behind when their jobs have ended, however they did.
async fn clean_bulk(vault: &Arc<OpenVault>) -> Result<(), Error> {
    import::clean(vault).await?;
    export::clean(vault).await?;
    backup::clean(vault).await?;
    backup::end_lives(vault).await
}

async fn close_expired(vault: &Arc<OpenVault>) {
    match retention::close_expired(vault).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "expired cards closed"),
        Err(error) => tracing::error!(%error, "expired cards are still open"),
    }
}
