//! The gateway's doors to notices. They tell of nobody's card data and are asked all day long: reading them is no event.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use shared::vault_api::notices::{AcknowledgeNotices, MOST_NOTICES, NoticePage, NoticesAcknowledged};

use super::call::{Call, ForGateway};
use crate::error::Error;
use crate::flows::notices;

pub(super) async fn read(call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &Call<ForGateway>) -> Result<NoticePage, Error> {
        let (after, limit, wait) = (
            call.query_number("after", 0)?,
            call.query_number("limit", MOST_NOTICES)?,
            call.query_number("wait", 0)?,
        );
        notices::read(&call.vault, after, limit, wait).await
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn acknowledge(mut call: Call<ForGateway>) -> HttpResponse {
    async fn run(call: &mut Call<ForGateway>) -> Result<NoticesAcknowledged, Error> {
        call.idempotency_key()?;
        let AcknowledgeNotices { up_to } = call.json().await?;
        notices::acknowledge(&call.vault, up_to).await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}
