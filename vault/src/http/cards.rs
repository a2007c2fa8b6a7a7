//! The gateway's doors to cards.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use shared::ids::{CardToken, HolderToken};
use shared::vault_api::Actor;
use shared::vault_api::cards::{
    ActivateRenewal, CardOperation, CardStanding, IssueCard, IssuePayload, IssuedCard, LockFinally,
    OpenIssuePayload, PrintCard, ProvenOperation, RenewCard, RenewPlastic, RenewalOrdered, RenewedCard,
    ResetCvvUnseen, SealedAnswer, SetPin,
};
use shared::vault_api::holders::{Challenge, CreateChallenge};
use shared::vault_api::plastic::{OpenOrderPayload, OrderCard, OrderPayload, OrderedCard};
use shared::vault_api::reveals::Reveals;

use super::call::{Call, ForGateway, ForGatewayAndOfficers, Permission};
use crate::audit::event::{Event, Operation};
use crate::error::Error;
use crate::flows;
use crate::flows::reveals::MOST_REVEALS;

/// The event of an operation on the card in the path.
fn card_event<P: Permission>(
    call: &Call<P>,
    operation: Operation,
    actor: &Actor,
) -> Result<(Event, CardToken), Error> {
    let card: CardToken = call.path("card")?;
    let mut event = call.event(operation, Some(actor))?;
    event.card = Some(card.clone());
    Ok((event, card))
}

/// The event of an operation of the holder in the path.
pub(super) fn holder_event(
    call: &Call<ForGateway>,
    operation: Operation,
    actor: &Actor,
) -> Result<(Event, HolderToken), Error> {
    let holder: HolderToken = call.path("holder")?;
    let mut event = call.event(operation, Some(actor))?;
    event.holder = Some(holder.clone());
    Ok((event, holder))
}

pub(super) async fn open_issue_payload(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<IssuePayload, Error> {
        let request: OpenIssuePayload = call.json().await?;
        let (event, holder) = holder_event(call, Operation::OpenIssuePayload, &request.actor)?;
        let vault = &call.vault;
        vault
            .audited(event, async |event| {
                flows::issue::open_issue_payload(vault, event, holder, request).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn issue(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<IssuedCard, Error> {
        let (key, request) = (call.idempotency_key()?, call.json::<IssueCard>().await?);
        let (event, holder) = holder_event(call, Operation::Issue, &request.actor)?;
        let (vault, caller) = (&call.vault, &call.caller);
        vault
            .audited(event, async |event| {
                flows::issue::issue(vault, event, caller, holder, &key, request).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::CREATED, result)
}

pub(super) async fn open_order_payload(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<OrderPayload, Error> {
        let request: OpenOrderPayload = call.json().await?;
        let (event, holder) = holder_event(call, Operation::OpenIssuePayload, &request.actor)?;
        let vault = &call.vault;
        vault
            .audited(event, async |event| {
                flows::order_card::open_payload(vault, event, holder, request).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn order(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<OrderedCard, Error> {
        let (key, request) = (call.idempotency_key()?, call.json::<OrderCard>().await?);
        let (event, holder) = holder_event(call, Operation::Order, &request.actor)?;
        let (vault, caller) = (&call.vault, &call.caller);
        vault
            .audited(event, async |event| {
                flows::order_card::order(vault, event, caller, holder, &key, request).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::CREATED, result)
}

pub(super) async fn challenge(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<Challenge, Error> {
        let request: CreateChallenge = call.json().await?;
        let (event, card) = card_event(call, Operation::Challenge, &request.actor)?;
        let vault = &call.vault;
        vault
            .audited(event, async |event| {
                flows::challenge::for_card(vault, event, card).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::CREATED, result)
}

pub(super) async fn reveal(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<SealedAnswer, Error> {
        let request: ProvenOperation = call.json().await?;
        let (event, card) = card_event(call, Operation::Reveal, &request.actor)?;
        let vault = &call.vault;
        vault
            .audited(event, async |event| {
                flows::reveal::reveal(vault, event, card, request).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn reset_cvv(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<SealedAnswer, Error> {
        let (key, request) = (call.idempotency_key()?, call.json::<ProvenOperation>().await?);
        let (event, card) = card_event(call, Operation::ResetCvv, &request.actor)?;
        let (vault, caller) = (&call.vault, &call.caller);
        let flow = async |event| flows::reset_cvv::reset_cvv(vault, event, caller, card, &key, request).await;
        vault.audited(event, flow).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn reset_cvv_unseen(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<SealedAnswer, Error> {
        let (key, request) = (call.idempotency_key()?, call.json::<ResetCvvUnseen>().await?);
        let (event, card) = card_event(call, Operation::ResetCvvUnseen, &request.actor)?;
        let (vault, caller) = (&call.vault, &call.caller);
        let flow =
            async |event| flows::reset_cvv::reset_cvv_unseen(vault, event, caller, card, &key, request).await;
        vault.audited(event, flow).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn print(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<SealedAnswer, Error> {
        let (key, request) = (call.idempotency_key()?, call.json::<PrintCard>().await?);
        let (event, card) = card_event(call, Operation::Print, &request.actor)?;
        let (vault, caller) = (&call.vault, &call.caller);
        vault
            .audited(event, async |event| {
                flows::print::print(vault, event, caller, card, &key, request).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::CREATED, result)
}

pub(super) async fn set_pin(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<SealedAnswer, Error> {
        let (key, request) = (call.idempotency_key()?, call.json::<SetPin>().await?);
        let (event, card) = card_event(call, Operation::SetPin, &request.actor)?;
        let (vault, caller) = (&call.vault, &call.caller);
        let flow = async |event| flows::set_pin::set_pin(vault, event, caller, card, &key, request).await;
        vault.audited(event, flow).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn clear_pin_tries(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<CardStanding, Error> {
        call.idempotency_key()?;
        let request: CardOperation = call.json().await?;
        let (event, card) = card_event(call, Operation::ClearPinTries, &request.actor)?;
        let vault = &call.vault;
        vault
            .audited(event, async |event| {
                flows::lock_finally::clear_pin_tries(vault, event, card).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn renew(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<RenewedCard, Error> {
        call.idempotency_key()?;
        let request: RenewCard = call.json().await?;
        let (event, card) = card_event(call, Operation::Renew, &request.actor)?;
        let vault = &call.vault;
        vault
            .audited(event, async |event| {
                flows::renew::renew(vault, event, card, request).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn renew_plastic(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<RenewalOrdered, Error> {
        let (key, request) = (call.idempotency_key()?, call.json::<RenewPlastic>().await?);
        let (event, card) = card_event(call, Operation::OrderRenewal, &request.actor)?;
        let (vault, caller) = (&call.vault, &call.caller);
        let flow = async |event| {
            flows::renew_plastic::renew_plastic(vault, event, caller, card, &key, request).await
        };
        vault.audited(event, flow).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::CREATED, result)
}

pub(super) async fn activate_renewal(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<RenewedCard, Error> {
        call.idempotency_key()?;
        let request: ActivateRenewal = call.json().await?;
        let (event, card) = card_event(call, Operation::Renew, &request.actor)?;
        let vault = &call.vault;
        vault
            .audited(event, async |event| {
                flows::take_over::activate_renewal(vault, event, card, request).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn lock_finally(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<CardStanding, Error> {
        call.idempotency_key()?;
        let request: LockFinally = call.json().await?;
        let (event, card) = card_event(call, Operation::LockFinally, &request.actor)?;
        let vault = &call.vault;
        vault
            .audited(event, async |event| {
                flows::lock_finally::lock_finally(vault, event, card, request).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn erase(mut call: Call<ForGatewayAndOfficers>) -> HttpResponse {
    async fn run(call: &mut Call<ForGatewayAndOfficers>) -> Result<CardStanding, Error> {
        call.idempotency_key()?;
        let request: CardOperation = call.json().await?;
        let (event, card) = card_event(call, Operation::Erase, &request.actor)?;
        let vault = &call.vault;
        vault
            .audited(event, async |event| flows::erase::erase(vault, event, card).await)
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn reveals(call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &Call<ForGateway>) -> Result<Reveals, Error> {
        let card: CardToken = call.path("card")?;
        let (after, limit) = (
            call.query_number("after", 0)?,
            call.query_number("limit", MOST_REVEALS)?,
        );
        call.read_register(&format!("reveals of {card}")).await?;
        flows::reveals::of_card(&call.vault, card, after, limit).await
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}
