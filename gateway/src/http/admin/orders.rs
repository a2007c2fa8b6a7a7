//! `/admin/orders/overdue`: cards that somebody waits for.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::json;

use crate::domain::operator::marker::ViewCards;
use crate::domain::order::{OverdueOrder, ShownOrder};
use crate::error::Error;
use crate::flows::operators::note_view::note_view;
use crate::http::answer::send_json;
use crate::http::doc::{Doc, Tag, examples};
use crate::http::operator::OperatorCall;
use crate::http::page::Page;
use crate::store::orders;

/// `GET /admin/orders/overdue` → 200 page of orders that the bureau has not confirmed within its time.
pub(super) async fn overdue(call: OperatorCall<ViewCards>) -> Result<HttpResponse, Error> {
    let services = call.services();
    let page = Page::of_query(call.query(), services.config.limits.page_items)?;
    note_view(services, &call.stamp()).await?;
    let mut read = services.db.read().await?;
    let found = orders::overdue(&mut read, &call.operator().scope, page.after, page.rows()).await?;
    drop(read);
    let listed = page.of_rows(
        found,
        |(id, ..)| *id,
        |(_, user, order)| {
            serde_json::to_value(OverdueOrder {
                customer_id: user.0,
                order: ShownOrder::from(&order),
            })
            .map_err(|_| Error::internal("an order cannot be written"))
        },
    )?;
    send_json(StatusCode::OK, &listed)
}

pub(super) fn overdue_doc() -> Doc {
    let mut order = examples::order();
    if let Some(order) = order.as_object_mut() {
        order.insert("customerId".to_owned(), json!(1001));
        order.insert("state".to_owned(), json!("IN_PRODUCTION"));
        order.insert("overdue".to_owned(), json!(true));
        order.retain(|name, _| name != "carrier" && name != "trackingReference");
    }
    Doc::new(Tag::Cards, "List orders on which the bureau is late")
        .says("Not confirmed within 48 hours, and not since. A confirmation still links the card.")
        .answers_page::<OverdueOrder>("A page of orders, oldest first.", order)
}
