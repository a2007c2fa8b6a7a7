//! KYC by application, on both channels: file the data, follow the decision.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use shared::vault_api::cards::PostalAddress;
use time::OffsetDateTime;

use super::answer::{json, send, send_json};
use super::body::Fields;
use super::caller::Customer;
use super::person::address;
use crate::domain::kyc::KycStatus;
use crate::domain::lock::Party;
use crate::domain::person::{BirthDate, Country, Email, PersonName, PhoneNumber};
use crate::error::Error;
use crate::flows::apply_for_kyc::apply_for_kyc;
use crate::store::kyc::{self, Source};

/// What is to be used instead of what the user was registered with; nothing has to be given.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_of_birth: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nationality: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<PostalAddress>,
}

impl Application {
    fn read(mut fields: Fields, now: OffsetDateTime) -> Result<Self, Error> {
        let application = Self {
            email: fields.optional_text("email", |text| {
                Email::parse(text).map(|email| email.as_str().to_owned())
            }),
            phone_number: fields.optional_text("phoneNumber", |text| {
                PhoneNumber::parse(text).map(|number| number.as_str().to_owned())
            }),
            first_name: fields.optional_text("firstName", |text| {
                PersonName::parse(text).map(|name| name.as_str().to_owned())
            }),
            last_name: fields.optional_text("lastName", |text| {
                PersonName::parse(text).map(|name| name.as_str().to_owned())
            }),
            date_of_birth: fields.optional_text("dateOfBirth", |text| {
                BirthDate::parse(text, now).map(BirthDate::to_text)
            }),
            nationality: fields.optional_text("nationality", |text| {
                Country::parse(text).map(|country| country.as_str().to_owned())
            }),
            address: fields.optional_object("address", address),
        };
        fields.finish(|| Some(application))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusView {
    kyc_status: &'static str,
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    since: Option<OffsetDateTime>,
}

/// `POST …/register`: any of the person's members → 201 `{kycStatus}`.
pub(super) async fn register(mut customer: Customer) -> Result<HttpResponse, Error> {
    let (fields, request) = customer.fields().await?;
    let request = customer.scoped(request);
    let services = customer.services();
    let application = Application::read(fields, services.now())?;
    let data = serde_json::to_string(&application)
        .map_err(|_| Error::internal("an application cannot be written"))?;
    let source = match customer.party {
        Party::User => Source::User,
        _ => Source::Partner,
    };
    let answer = apply_for_kyc(services, &request, customer.user.id, source, &data, |status| {
        json(
            StatusCode::CREATED,
            &StatusView {
                kyc_status: status.as_str(),
                since: None,
            },
        )
    })
    .await?;
    send(answer)
}

/// `GET …/kyc` → 200 `{kycStatus, since?}`.
pub(super) async fn get(customer: Customer) -> Result<HttpResponse, Error> {
    let mut read = customer.services().db.read().await?;
    let latest = kyc::latest(&mut read, customer.user.id).await?;
    let (status, since) = latest.map_or((KycStatus::None, None), |latest| (latest.status, Some(latest.at)));
    send_json(
        StatusCode::OK,
        &StatusView {
            kyc_status: status.as_str(),
            since,
        },
    )
}
