//! `/admin/customers…`: search customers, look at one, and at what is theirs.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

use crate::domain::operator::marker::{
    CreateBalance, LockCustomer, UnlockCustomer, ViewBalances, ViewCustomers,
};
use crate::error::{Code, Error};
use crate::flows::operators::note_view::note_view;
use crate::http::answer::send_json;
use crate::http::doc::shape::optional;
use crate::http::doc::{Doc, Tag, examples, words};
use crate::http::operator::OperatorCall;
use crate::http::page::Page;
use crate::http::profile::ProfileView;
use crate::http::search::{FILTERS, read_filter};
use crate::http::{balances, standing};
use crate::store::customers::search;
use crate::store::users::{self, Profile};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Customer)]
struct CustomerView<'a> {
    #[serde(flatten)]
    profile: ProfileView<'a>,
    partner: &'a str,
    program: &'a str,
}

impl<'a> CustomerView<'a> {
    fn of(profile: &'a Profile) -> Self {
        Self {
            profile: ProfileView::of(profile),
            partner: profile.user.partner.as_str(),
            program: profile.user.program.as_str(),
        }
    }
}

/// `GET /admin/customers?email=&phoneNumber=&externalId=&id=` → 200. What is named has to fit exactly; the trail says by
/// what was searched, not for whom.
pub(super) async fn list(call: OperatorCall<ViewCustomers>) -> Result<HttpResponse, Error> {
    let services = call.services();
    let (page, given) = Page::of_filtered(call.query(), services.config.limits.page_items, &FILTERS)?;
    let by: Vec<_> = given.iter().map(|(name, _)| *name).collect();
    let stamp = call.stamp().saying(format!("search by {}", by.join(", ")));
    let filter = read_filter(&given)?;
    note_view(services, &stamp).await?;
    let mut read = services.db.read().await?;
    let scope = &call.operator().scope;
    let rows = search(&mut read, scope, &filter, page.after, page.rows()).await?;
    let listed = page.of_rows(
        rows,
        |row| row.user.id.0,
        |row| {
            serde_json::to_value(CustomerView::of(&row))
                .map_err(|_| Error::internal("a customer cannot be written"))
        },
    )?;
    send_json(StatusCode::OK, &listed)
}

/// `GET /admin/customers/{customerId}` → 200.
pub(super) async fn get(call: OperatorCall<ViewCustomers>) -> Result<HttpResponse, Error> {
    let customer = call.into_customer().await?;
    let mut read = customer.services().db.read().await?;
    let profile = users::profile(&mut read, customer.user.id)
        .await?
        .ok_or(Code::NotFound)?;
    send_json(StatusCode::OK, &CustomerView::of(&profile))
}

/// `POST /admin/customers/{customerId}/lock`
pub(super) async fn lock(call: OperatorCall<LockCustomer>) -> Result<HttpResponse, Error> {
    standing::lock(call.into_customer().await?).await
}

/// `POST /admin/customers/{customerId}/unlock`
pub(super) async fn unlock(call: OperatorCall<UnlockCustomer>) -> Result<HttpResponse, Error> {
    standing::unlock(call.into_customer().await?).await
}

/// `POST /admin/customers/{customerId}/balances`
pub(super) async fn create_balance(call: OperatorCall<CreateBalance>) -> Result<HttpResponse, Error> {
    balances::create(call.into_customer().await?).await
}

/// `GET /admin/customers/{customerId}/balances`
pub(super) async fn list_balances(call: OperatorCall<ViewBalances>) -> Result<HttpResponse, Error> {
    balances::list(call.into_customer().await?).await
}

/// `GET /admin/customers/{customerId}/balances/{balanceId}`
pub(super) async fn get_balance(call: OperatorCall<ViewBalances>) -> Result<HttpResponse, Error> {
    balances::get(call.into_customer().await?).await
}

/// Of `GET /admin/customers`.
pub(super) fn list_doc() -> Doc {
    Doc::new(Tag::Users, "Search customers")
        .says("What is named has to fit exactly. The trail says by what was searched, not for whom.")
        .query(optional("email", words::email()))
        .query(optional("phoneNumber", words::phone_number()))
        .query(optional("externalId", words::external_id()))
        .query(optional("id", words::id()))
        .answers_page::<CustomerView>("A page of customers, oldest first.", examples::customer())
}

/// Of `GET /admin/customers/{customerId}`.
pub(super) fn get_doc() -> Doc {
    Doc::new(Tag::Users, "Get a customer")
        .says("As registered, with partner and program.")
        .answers::<CustomerView>(200, "The customer.", examples::customer())
}
