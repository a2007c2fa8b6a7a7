//! The gateway's doors to holders and their keys.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use shared::ids::HolderToken;
use shared::thumbprint::Thumbprint;
use shared::vault_api::holders::{
    Challenge, CreateChallenge, CreateHolder, EnrolKey, EnrolledKey, HolderCreated, HolderKeys, RevokeKey,
};
use shared::vault_api::reports::PendingKey;
use shared::vault_api::reveals::Reveals;

use super::call::{Call, ForGateway, ForOverseers};
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows;
use crate::flows::reveals::MOST_REVEALS;

/// Pending keys that are listed at once.
const MOST_LISTED: usize = 1000;

pub(super) async fn create(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<HolderCreated, Error> {
        let (key, request) = (call.idempotency_key()?, call.json::<CreateHolder>().await?);
        let event = call.event(Operation::CreateHolder, Some(&request.actor))?;
        let (vault, caller) = (&call.vault, &call.caller);
        let flow =
            async |event| flows::create_holder::create_holder(vault, event, caller, &key, request).await;
        vault.audited(event, flow).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::CREATED, result)
}

pub(super) async fn keys(call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &Call<ForGateway>) -> Result<HolderKeys, Error> {
        let holder: HolderToken = call.path("holder")?;
        call.read_register(&format!("keys of {holder}")).await?;
        flows::enrol_key::list_keys(&call.vault, &holder)
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn pending(call: Call<ForOverseers>) -> HttpResponse {
    let run = async || -> Result<Vec<PendingKey>, Error> {
        call.read_register("pending keys").await?;
        flows::pending_keys::list(&call.vault, MOST_LISTED)
    };
    let result = run().await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn enrol(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<EnrolledKey, Error> {
        let (key, request) = (call.idempotency_key()?, call.json::<EnrolKey>().await?);
        let holder: HolderToken = call.path("holder")?;
        let mut event = call.event(Operation::EnrolKey, Some(&request.actor))?;
        event.holder = Some(holder.clone());
        let (vault, caller) = (&call.vault, &call.caller);
        let flow =
            async |event| flows::enrol_key::enrol_key(vault, event, caller, holder, &key, request).await;
        vault.audited(event, flow).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::CREATED, result)
}

pub(super) async fn revoke(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<EnrolledKey, Error> {
        call.idempotency_key()?;
        let request: RevokeKey = call.json().await?;
        let (holder, key): (HolderToken, Thumbprint) = (call.path("holder")?, call.path("key")?);
        let mut event = call.event(Operation::RevokeKey, Some(&request.actor))?;
        event.holder = Some(holder.clone());
        let vault = &call.vault;
        vault
            .audited(event, async |event| {
                flows::revoke_key::revoke_key(vault, event, holder, key).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn challenge(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<Challenge, Error> {
        let request: CreateChallenge = call.json().await?;
        let holder: HolderToken = call.path("holder")?;
        let mut event = call.event(Operation::Challenge, Some(&request.actor))?;
        event.holder = Some(holder.clone());
        let vault = &call.vault;
        vault
            .audited(event, async |event| {
                flows::challenge::for_holder(vault, event, holder).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::CREATED, result)
}

pub(super) async fn reveals(call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &Call<ForGateway>) -> Result<Reveals, Error> {
        let holder: HolderToken = call.path("holder")?;
        let (after, limit) = (
            call.query_number("after", 0)?,
            call.query_number("limit", MOST_REVEALS)?,
        );
        call.read_register(&format!("reveals of {holder}")).await?;
        flows::reveals::of_holder(&call.vault, holder, after, limit).await
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}
