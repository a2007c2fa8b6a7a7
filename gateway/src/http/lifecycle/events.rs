//! `GET /lifecycle/v1/events`: what a partner is told, to be fetched: for whoever takes no webhooks, or has missed some.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::error::Error;
use crate::flows::events::message_of;
use crate::http::answer::send_json;
use crate::http::caller::PartnerCall;
use crate::http::page::Page;
use crate::http::webhooks::after_and_kinds;
use crate::store::events;

/// `GET /lifecycle/v1/events?after=&kinds=` → 200. Ids rise in the order in which events were committed: whoever goes on from
/// the last id that he has seen misses nothing.
pub(in crate::http) async fn list(call: PartnerCall) -> Result<HttpResponse, Error> {
    let services = call.services();
    let (page, filters) = Page::of_filtered(
        call.query(),
        services.config.limits.page_items,
        &["after", "kinds"],
    )?;
    let (after, kinds) = after_and_kinds(&filters)?;
    let mut read = services.db.read().await?;
    let range = (page.after.max(after), page.rows());
    let rows = events::list(&mut read, call.partner(), &kinds, range).await?;
    let listed = page.of_rows(rows, |told| told.number.0, |told| Ok(message_of(&told)))?;
    send_json(StatusCode::OK, &listed)
}
