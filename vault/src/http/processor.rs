//! The processor's doors. Bodies carry card data: they are read into memory that wipes itself and parsed without a copy;
//! no error tells what was in them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Deserialize;
use shared::expiry::Expiry;
use shared::vault_api::processor::{OutsideLock, Verification};

use super::call::{Call, ForProcessors};
use crate::audit::event::Operation;
use crate::domain::cvv::Cvv;
use crate::domain::pan::Pan;
use crate::domain::pin::Pin;
use crate::error::Error;
use crate::flows::lock_outside;
use crate::flows::verify::{Guess, verify};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VerifyCvv<'a> {
    card_no: &'a str,
    cvv: &'a str,
    #[serde(default)]
    exp: Option<Expiry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VerifyPin<'a> {
    card_no: &'a str,
    pin: &'a str,
}

pub(super) async fn verify_cvv(mut call: Call<ForProcessors>) -> HttpResponse {
    async fn run(call: &mut Call<ForProcessors>) -> Result<Verification, Error> {
        let bytes = call.bytes().await?;
        let request: VerifyCvv<'_> =
            serde_json::from_slice(&bytes).map_err(|_| shape("{cardNo, cvv, exp?}"))?;
        let cvv = Cvv::parse(request.cvv.as_bytes()).map_err(|error| invalid("cvv", &error))?;
        run_guess(
            call,
            request.card_no,
            Operation::VerifyCvv,
            Guess::Cvv(cvv, request.exp),
        )
        .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn verify_pin(mut call: Call<ForProcessors>) -> HttpResponse {
    async fn run(call: &mut Call<ForProcessors>) -> Result<Verification, Error> {
        let bytes = call.bytes().await?;
        let request: VerifyPin<'_> = serde_json::from_slice(&bytes).map_err(|_| shape("{cardNo, pin}"))?;
        let pin = Pin::parse(request.pin.as_bytes()).map_err(|error| invalid("pin", &error))?;
        run_guess(call, request.card_no, Operation::VerifyPin, Guess::Pin(pin)).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LockCard<'a> {
    card_no: &'a str,
    reason_code: u8,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UnlockCard<'a> {
    card_no: &'a str,
}

pub(super) async fn lock(mut call: Call<ForProcessors>) -> HttpResponse {
    async fn run(call: &mut Call<ForProcessors>) -> Result<OutsideLock, Error> {
        call.idempotency_key()?;
        let bytes = call.bytes().await?;
        let request: LockCard<'_> =
            serde_json::from_slice(&bytes).map_err(|_| shape("{cardNo, reasonCode}"))?;
        let (pan, code) = (pan(request.card_no)?, request.reason_code);
        let event = call.event(Operation::LockOutside, None)?;
        let (vault, caller) = (&call.vault, &call.caller);
        let flow = async |event| lock_outside::lock(vault, event, caller, pan, code).await;
        vault.audited(event, flow).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn unlock(mut call: Call<ForProcessors>) -> HttpResponse {
    async fn run(call: &mut Call<ForProcessors>) -> Result<OutsideLock, Error> {
        call.idempotency_key()?;
        let bytes = call.bytes().await?;
        let request: UnlockCard<'_> = serde_json::from_slice(&bytes).map_err(|_| shape("{cardNo}"))?;
        let pan = pan(request.card_no)?;
        let event = call.event(Operation::UnlockOutside, None)?;
        let (vault, caller) = (&call.vault, &call.caller);
        let flow = async |event| lock_outside::unlock(vault, event, caller, pan).await;
        vault.audited(event, flow).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

fn pan(card_no: &str) -> Result<Pan, Error> {
    Pan::parse(card_no.as_bytes()).map_err(|error| invalid("cardNo", &error))
}

async fn run_guess(
    call: &Call<ForProcessors>,
    card_no: &str,
    operation: Operation,
    guess: Guess,
) -> Result<Verification, Error> {
    let pan = pan(card_no)?;
    let event = call.event(operation, None)?;
    let (vault, caller) = (&call.vault, &call.caller);
    vault
        .audited(event, async |event| {
            verify(vault, event, caller, pan, guess).await
        })
        .await
}

fn shape(expected: &'static str) -> Error {
    Error::Malformed(format!("The body must be {expected}.").into())
}

fn invalid(field: &'static str, error: &dyn std::fmt::Display) -> Error {
    Error::Validation {
        field,
        code: "INVALID",
        message: error.to_string().into(),
    }
}
