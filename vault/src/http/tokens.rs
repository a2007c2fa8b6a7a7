//! The gateway's doors for cards that exist already.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use shared::vault_api::tokens::{
    ImportSession, JudgeRow, JudgedRow, OpenImportSession, OpenTokenisePayload, RowOwner, TokeniseCard,
    TokenisePayload, TokeniseRow, Tokenised, TokenisedRow,
};

use super::call::{Call, ForGateway};
use super::cards::holder_event;
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows::tokenise;

pub(super) async fn open_payload(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<TokenisePayload, Error> {
        let request: OpenTokenisePayload = call.json().await?;
        let (event, holder) = holder_event(call, Operation::OpenIssuePayload, &request.actor)?;
        let vault = &call.vault;
        let flow = async |event| tokenise::open_payload(vault, event, holder, request).await;
        vault.audited(event, flow).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn tokenise(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<Tokenised, Error> {
        let (key, request) = (call.idempotency_key()?, call.json::<TokeniseCard>().await?);
        let (event, holder) = holder_event(call, Operation::Tokenise, &request.actor)?;
        let (vault, caller) = (&call.vault, &call.caller);
        let flow = async |event| tokenise::tokenise(vault, event, caller, holder, &key, request).await;
        // What the look-up found was written down by the flow.
        vault.audited(event, flow).await?
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn row(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<TokenisedRow, Error> {
        let request: TokeniseRow = call.json().await?;
        let (event, holder) = holder_event(call, Operation::Tokenise, &request.actor)?;
        let vault = &call.vault;
        let flow = async |event| tokenise::tokenise_row(vault, event, holder, request).await;
        // What the look-up found was written down by the flow.
        vault.audited(event, flow).await?
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn judge_row(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<JudgedRow, Error> {
        let request: JudgeRow = call.json().await?;
        let mut event = call.event(Operation::JudgeRow, Some(&request.row.actor))?;
        match &request.owner {
            RowOwner::Holder(holder) => event.holder = Some(holder.clone()),
            RowOwner::Program(program) => event.program = Some(program.clone()),
        }
        let vault = &call.vault;
        let flow = async |event| tokenise::judge_row(vault, event, request).await;
        // What the look-up found was written down by the flow.
        vault.audited(event, flow).await?
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn session(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<ImportSession, Error> {
        let request: OpenImportSession = call.json().await?;
        let event = call.event(Operation::Challenge, Some(&request.actor))?;
        let vault = &call.vault;
        let flow = async |event| tokenise::session::open(vault, event, request).await;
        vault.audited(event, flow).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::CREATED, result)
}
