//! `/admin/webhooks…`: partners' endpoints and deliveries, for an Admin of the partner or of the platform. URLs and secrets are
//! the partner's own to change.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::domain::operator::marker::ManageWebhooks;
use crate::domain::webhook::{Endpoint, EndpointId};
use crate::error::Error;
use crate::flows::webhooks::change::switch;
use crate::flows::webhooks::find;
use crate::flows::webhooks::replay::{Replayed, replay as run_replay};
use crate::http::answer::{json, send, send_json};
use crate::http::operator::OperatorCall;
use crate::http::page::Page;
use crate::http::webhooks::{DeliveryView, EndpointView, ReplayedView, replay as read_replay, state};
use crate::store::webhooks::{self, deliveries};

type Managing = OperatorCall<ManageWebhooks>;

/// The endpoint that the path names, if the operator may know of it.
async fn endpoint(call: &Managing) -> Result<Endpoint, Error> {
    let id = EndpointId(call.number("webhookId")?);
    let mut read = call.services().db.read().await?;
    find(&mut read, &call.operator().scope, id).await
}

/// `GET /admin/webhooks` → 200.
pub(super) async fn list(call: Managing) -> Result<HttpResponse, Error> {
    let services = call.services();
    let page = Page::of_query(call.query(), services.config.limits.page_items)?;
    let mut read = services.db.read().await?;
    let rows = webhooks::list(&mut read, &call.operator().scope, (page.after, page.rows())).await?;
    let listed = page.of_rows(
        rows,
        |row| row.id.0,
        |row| {
            serde_json::to_value(EndpointView::for_operators(&row))
                .map_err(|_| Error::internal("an endpoint cannot be written"))
        },
    )?;
    send_json(StatusCode::OK, &listed)
}

/// `GET /admin/webhooks/{webhookId}` → 200.
pub(super) async fn get(call: Managing) -> Result<HttpResponse, Error> {
    let endpoint = endpoint(&call).await?;
    send_json(StatusCode::OK, &EndpointView::for_operators(&endpoint))
}

/// `GET /admin/webhooks/{webhookId}/deliveries?state=` → 200.
pub(super) async fn list_deliveries(call: Managing) -> Result<HttpResponse, Error> {
    let found = endpoint(&call).await?;
    let services = call.services();
    let (page, filters) = Page::of_filtered(call.query(), services.config.limits.page_items, &["state"])?;
    let state = state(&filters)?;
    let mut read = services.db.read().await?;
    let rows = deliveries::list(&mut read, found.id, state, (page.after, page.rows())).await?;
    let listed = page.of_rows(rows, |row| row.event.0, |row| Ok(DeliveryView::of(found.id, row)))?;
    send_json(StatusCode::OK, &listed)
}

/// `POST /admin/webhooks/{webhookId}/enable` → 200.
pub(super) async fn enable(call: Managing) -> Result<HttpResponse, Error> {
    switched(call, true).await
}

/// `POST /admin/webhooks/{webhookId}/disable` → 200.
pub(super) async fn disable(call: Managing) -> Result<HttpResponse, Error> {
    switched(call, false).await
}

async fn switched(mut call: Managing, enabled: bool) -> Result<HttpResponse, Error> {
    let found = endpoint(&call).await?;
    let (fields, request) = call.fields().await?;
    fields.finish(|| Some(()))?;
    let request = call.scoped(request);
    let about = (&call.operator().scope, found.id);
    let shown = |endpoint: &Endpoint| json(StatusCode::OK, &EndpointView::for_operators(endpoint));
    send(switch(call.services(), &request, about, (enabled, &call.stamp()), shown).await?)
}

/// `POST /admin/webhooks/{webhookId}/replay`: `{from, to?}` or `{eventIds}` → 202.
pub(super) async fn replay(mut call: Managing) -> Result<HttpResponse, Error> {
    let found = endpoint(&call).await?;
    let (mut fields, request) = call.fields().await?;
    let request = call.scoped(request);
    let which = read_replay(&mut fields, call.services().now());
    let which = fields.finish(|| which)?;
    let about = (&call.operator().scope, found.id);
    let shown = |replayed: Replayed| json(StatusCode::ACCEPTED, &ReplayedView::from(replayed));
    send(
        run_replay(
            call.services(),
            &request,
            about,
            (&which, Some(&call.stamp())),
            shown,
        )
        .await?,
    )
}
