//! The officers' doors: proposals, approvals, and what they changed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use shared::ids::ApprovalToken;
use shared::vault_api::governance::{Approval, Approve, Proposal};

use super::call::{Call, ForOfficers, ForOverseers};
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows::govern;

pub(super) async fn propose(mut call: Call<ForOfficers>) -> HttpResponse {
    async fn run(call: &mut Call<ForOfficers>) -> Result<Approval, Error> {
        let (key, proposal) = (call.idempotency_key()?, call.json::<Proposal>().await?);
        let event = call.event(Operation::Propose, None)?;
        let (vault, caller) = (&call.vault, &call.caller);
        vault
            .audited(event, async |event| {
                govern::propose(vault, event, caller, &key, proposal).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::CREATED, result)
}

pub(super) async fn approve(mut call: Call<ForOfficers>) -> HttpResponse {
    async fn run(call: &mut Call<ForOfficers>) -> Result<Approval, Error> {
        call.idempotency_key()?;
        let id: ApprovalToken = call.path("approval")?;
        let request: Approve = call.json().await?;
        let mut event = call.event(Operation::Approve, None)?;
        event.note = Some(id.to_string());
        let (vault, caller) = (&call.vault, &call.caller);
        vault
            .audited(event, async |event| {
                govern::approve(vault, event, caller, id, &request.hash).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn approvals(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<Vec<Approval>, Error> {
        call.read_register("approvals").await?;
        govern::list(&call.vault)
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn approval(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<Approval, Error> {
        let id: ApprovalToken = call.path("approval")?;
        call.read_register(id.as_str()).await?;
        govern::find(&call.vault, &id)
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn programs(call: Call<ForOverseers>) -> HttpResponse {
    let result = call
        .read_register("programs")
        .await
        .map(|()| govern::programs(&call.vault));
    call.answer(StatusCode::OK, result)
}

pub(super) async fn parties(call: Call<ForOverseers>) -> HttpResponse {
    let result = call
        .read_register("parties")
        .await
        .map(|()| govern::parties(&call.vault));
    call.answer(StatusCode::OK, result)
}
