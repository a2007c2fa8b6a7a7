//! `/lifecycle/v1/webhooks…`: a partner's endpoints, and what was delivered to them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::domain::operator::Scope;
use crate::domain::webhook::{Endpoint, EndpointId, EventNumber, WebhookSecret};
use crate::error::Error;
use crate::flows::webhooks::change::{change, delete as run_delete};
use crate::flows::webhooks::create::create as run_create;
use crate::flows::webhooks::replay::{Replayed, replay as run_replay};
use crate::flows::webhooks::rotate::rotate as run_rotate;
use crate::flows::webhooks::test_endpoint::test_endpoint;
use crate::flows::webhooks::{find, own};
use crate::http::answer::{json, send, send_json};
use crate::http::caller::PartnerCall;
use crate::http::page::Page;
use crate::http::webhooks::{
    DeliveryView, EndpointView, ReplayedView, TestView, enabled, replay as read_replay, state, wish,
};
use crate::store::idempotency::{Answer, Request};
use crate::store::webhooks::{self, deliveries};

/// The endpoint that the path names, if it is the partner's.
async fn endpoint(call: &PartnerCall) -> Result<(Scope, Endpoint), Error> {
    let scope = own(call.partner());
    let id = EndpointId(call.number("webhookId")?);
    let mut read = call.services().db.read().await?;
    let endpoint = find(&mut read, &scope, id).await?;
    Ok((scope, endpoint))
}

/// Reads a body without members.
async fn nothing(call: &mut PartnerCall) -> Result<Request, Error> {
    let (fields, request) = call.fields().await?;
    fields.finish(|| Some(()))?;
    Ok(call.scoped(request))
}

/// `POST /lifecycle/v1/webhooks`: `{url, kinds?, description?}` → 201, with the secret.
pub(in crate::http) async fn create(mut call: PartnerCall) -> Result<HttpResponse, Error> {
    let (mut fields, request) = call.fields().await?;
    let request = call.scoped(request);
    let services = call.services();
    let wish = wish(&mut fields, &services.webhooks);
    let wish = fields.finish(|| wish)?;
    let shown =
        |endpoint: &Endpoint, secret: &WebhookSecret| with_secret(StatusCode::CREATED, endpoint, secret);
    send(run_create(services, &request, call.partner(), wish, shown).await?)
}

fn with_secret(status: StatusCode, endpoint: &Endpoint, secret: &WebhookSecret) -> Result<Answer, Error> {
    json(status, &EndpointView::of(endpoint).showing(secret.expose()))
}

/// `GET /lifecycle/v1/webhooks` → 200.
pub(in crate::http) async fn list(call: PartnerCall) -> Result<HttpResponse, Error> {
    let services = call.services();
    let page = Page::of_query(call.query(), services.config.limits.page_items)?;
    let mut read = services.db.read().await?;
    let rows = webhooks::list(&mut read, &own(call.partner()), (page.after, page.rows())).await?;
    let listed = page.of_rows(
        rows,
        |row| row.id.0,
        |row| {
            serde_json::to_value(EndpointView::of(&row))
                .map_err(|_| Error::internal("an endpoint cannot be written"))
        },
    )?;
    send_json(StatusCode::OK, &listed)
}

/// `GET /lifecycle/v1/webhooks/{webhookId}` → 200.
pub(in crate::http) async fn get(call: PartnerCall) -> Result<HttpResponse, Error> {
    let (_, endpoint) = endpoint(&call).await?;
    send_json(StatusCode::OK, &EndpointView::of(&endpoint))
}

/// `PUT /lifecycle/v1/webhooks/{webhookId}`: `{url, kinds?, description?, enabled}` → 200.
pub(in crate::http) async fn put(mut call: PartnerCall) -> Result<HttpResponse, Error> {
    let (scope, found) = endpoint(&call).await?;
    let (mut fields, _) = call.fields().await?;
    let wish = wish(&mut fields, &call.services().webhooks);
    let enabled = enabled(&mut fields);
    let (wish, enabled) = fields.finish(|| Some((wish?, enabled?)))?;
    let changed = change(call.services(), (&scope, found.id), wish, enabled).await?;
    send_json(StatusCode::OK, &EndpointView::of(&changed))
}

/// `DELETE /lifecycle/v1/webhooks/{webhookId}` → 204.
pub(in crate::http) async fn delete(call: PartnerCall) -> Result<HttpResponse, Error> {
    let (scope, found) = endpoint(&call).await?;
    run_delete(call.services(), (&scope, found.id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /lifecycle/v1/webhooks/{webhookId}/secret/rotate` → 200, with the new secret.
pub(in crate::http) async fn rotate(mut call: PartnerCall) -> Result<HttpResponse, Error> {
    let (scope, found) = endpoint(&call).await?;
    let request = nothing(&mut call).await?;
    let shown = |endpoint: &Endpoint, secret: &WebhookSecret| with_secret(StatusCode::OK, endpoint, secret);
    send(run_rotate(call.services(), &request, (&scope, found.id), shown).await?)
}

/// `POST /lifecycle/v1/webhooks/{webhookId}/test` → 202.
pub(in crate::http) async fn test(mut call: PartnerCall) -> Result<HttpResponse, Error> {
    let (scope, found) = endpoint(&call).await?;
    let request = nothing(&mut call).await?;
    let shown = |event: EventNumber| json(StatusCode::ACCEPTED, &TestView::of(found.id, event));
    send(test_endpoint(call.services(), &request, (&scope, found.id), shown).await?)
}

/// `GET /lifecycle/v1/webhooks/{webhookId}/deliveries?state=` → 200.
pub(in crate::http) async fn list_deliveries(call: PartnerCall) -> Result<HttpResponse, Error> {
    let (_, found) = endpoint(&call).await?;
    let services = call.services();
    let (page, filters) = Page::of_filtered(call.query(), services.config.limits.page_items, &["state"])?;
    let state = state(&filters)?;
    let mut read = services.db.read().await?;
    let rows = deliveries::list(&mut read, found.id, state, (page.after, page.rows())).await?;
    let listed = page.of_rows(rows, |row| row.event.0, |row| Ok(DeliveryView::of(found.id, row)))?;
    send_json(StatusCode::OK, &listed)
}

/// `POST /lifecycle/v1/webhooks/{webhookId}/replay`: `{from, to?}` or `{eventIds}` → 202.
pub(in crate::http) async fn replay(mut call: PartnerCall) -> Result<HttpResponse, Error> {
    let (scope, found) = endpoint(&call).await?;
    let (mut fields, request) = call.fields().await?;
    let request = call.scoped(request);
    let which = read_replay(&mut fields, call.services().now());
    let which = fields.finish(|| which)?;
    let shown = |replayed: Replayed| json(StatusCode::ACCEPTED, &ReplayedView::from(replayed));
    send(
        run_replay(
            call.services(),
            &request,
            (&scope, found.id),
            (&which, None),
            shown,
        )
        .await?,
    )
}
