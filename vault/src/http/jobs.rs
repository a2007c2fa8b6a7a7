//! The doors of long work: what runs, and one officer's word to rest, go on or go slower. Ending a job takes two.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use shared::ids::JobToken;
use shared::vault_api::jobs::{Job, Throttle};

use super::call::{Call, ForOfficers, ForOverseers};
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows::integrity;
use crate::work::{self, Change};

pub(super) async fn list(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<Vec<Job>, Error> {
        call.read_register("jobs").await?;
        work::list(&call.vault)
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

/// A progress bar asks this every second, and it tells nothing of anybody: no event.
pub(super) async fn one(call: Call<ForOverseers>) -> HttpResponse {
    let job = call.path::<JobToken>("job");
    let result = job.and_then(|job| work::find(&call.vault, &job));
    call.answer(StatusCode::OK, result)
}

pub(super) async fn pause(call: Call<ForOfficers>) -> HttpResponse {
    let result = change(&call, Change::Pause).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn resume(call: Call<ForOfficers>) -> HttpResponse {
    let result = change(&call, Change::Resume).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn throttle(mut call: Call<ForOfficers>) -> HttpResponse {
    let result = match call.json::<Throttle>().await {
        Ok(throttle) => change(&call, Change::Throttle(throttle.per_second)).await,
        Err(error) => Err(error),
    };
    call.answer(StatusCode::OK, result)
}

pub(super) async fn integrity(call: Call<ForOfficers>) -> HttpResponse {
    async fn run(call: &Call<ForOfficers>) -> Result<Job, Error> {
        let key = call.idempotency_key()?;
        let event = call.event(Operation::ChangeJob, None)?;
        let (vault, caller) = (&call.vault, &call.caller);
        vault
            .audited(event, async |event| {
                integrity::begin(vault, event, caller, &key).await
            })
            .await
    }
    let result = run(&call).await;
    call.answer(StatusCode::CREATED, result)
}

async fn change(call: &Call<ForOfficers>, change: Change) -> Result<Job, Error> {
    call.idempotency_key()?;
    let id: JobToken = call.path("job")?;
    let event = call.event(Operation::ChangeJob, None)?;
    let vault = &call.vault;
    vault
        .audited(event, async |event| work::change(vault, event, &id, change).await)
        .await
}
