//! The personalisation bureau's doors: batches of its programs, sealed to its key, and its word on each order. And the
//! overseers' list of what it has not confirmed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use shared::ids::{BatchToken, OrderToken};
use shared::vault_api::plastic::{
    Batch, BureauOrder, ConfirmOrder, FailOrder, MakeBatch, ReturnOrder, ShipOrder, WaitingOrder,
};

use super::call::{Call, ForBureaus, ForOverseers};
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows::orders::change::{Step, change};
use crate::flows::orders::{batch, waiting};

pub(super) async fn make(mut call: Call<ForBureaus>) -> HttpResponse {
    async fn run(call: &mut Call<ForBureaus>) -> Result<Batch, Error> {
        let (key, request) = (call.idempotency_key()?, call.json::<MakeBatch>().await?);
        let event = call.event(Operation::MakeBatch, None)?;
        let (vault, caller) = (&call.vault, &call.caller);
        let flow = async |event| batch::make(vault, event, caller, &key, request).await;
        vault.audited(event, flow).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::CREATED, result)
}

pub(super) async fn fetch(call: Call<ForBureaus>) -> HttpResponse {
    async fn run(call: &Call<ForBureaus>) -> Result<Batch, Error> {
        let token: BatchToken = call.path("batch")?;
        let event = call.event(Operation::FetchBatch, None)?;
        let (vault, caller) = (&call.vault, &call.caller);
        let flow = async |event| batch::fetch(vault, event, caller, token).await;
        vault.audited(event, flow).await
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

async fn step(call: &Call<ForBureaus>, step: Step) -> Result<BureauOrder, Error> {
    let (key, order) = (call.idempotency_key()?, call.path::<OrderToken>("order")?);
    let event = call.event(Operation::ChangeOrder, None)?;
    let (vault, caller) = (&call.vault, &call.caller);
    let flow = async |event| change(vault, event, caller, order, &key, step).await;
    vault.audited(event, flow).await
}

pub(super) async fn confirm(mut call: Call<ForBureaus>) -> HttpResponse {
    let result = match call.json::<ConfirmOrder>().await {
        Ok(ConfirmOrder {}) => step(&call, Step::Confirm).await,
        Err(error) => Err(error),
    };
    call.answer(StatusCode::OK, result)
}

pub(super) async fn ship(mut call: Call<ForBureaus>) -> HttpResponse {
    let result = match call.json::<ShipOrder>().await {
        Ok(ship) => step(&call, Step::Ship(ship)).await,
        Err(error) => Err(error),
    };
    call.answer(StatusCode::OK, result)
}

pub(super) async fn fail(mut call: Call<ForBureaus>) -> HttpResponse {
    let result = match call.json::<FailOrder>().await {
        Ok(FailOrder { reason }) => step(&call, Step::Fail(reason)).await,
        Err(error) => Err(error),
    };
    call.answer(StatusCode::OK, result)
}

pub(super) async fn come_back(mut call: Call<ForBureaus>) -> HttpResponse {
    let result = match call.json::<ReturnOrder>().await {
        Ok(ReturnOrder { reason }) => step(&call, Step::Return(reason)).await,
        Err(error) => Err(error),
    };
    call.answer(StatusCode::OK, result)
}

pub(super) async fn waiting(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<Vec<WaitingOrder>, Error> {
        call.read_register("orders").await?;
        waiting::list(&call.vault, call.query_number("hours", 0)?)
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}
