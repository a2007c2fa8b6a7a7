//! Rows as they are kept until their turn: JSON of texts, each of which was checked and is checked again when it is read.

use serde::{Deserialize, Serialize};
use shared::vault_api::cards::PostalAddress;
use time::OffsetDateTime;

use super::{CheckedIdentity, NewcomerRow};
use crate::domain::kyc::KycStatus;
use crate::domain::person::{BirthDate, Country, Email, ExternalId, Person, PersonName, PhoneNumber};
use crate::domain::rule::Rule;
use crate::store::StoreError;

#[derive(Serialize, Deserialize)]
struct Kept {
    email: String,
    phone_number: String,
    first_name: String,
    last_name: String,
    date_of_birth: String,
    nationality: String,
    address: Option<PostalAddress>,
    external_id: Option<String>,
    kyc: Option<KeptIdentity>,
}

#[derive(Serialize, Deserialize)]
struct KeptIdentity {
    status: String,
    provider: String,
    reference: String,
}

/// Writes a row.
pub(super) fn write(row: &NewcomerRow) -> Result<Vec<u8>, StoreError> {
    let person = &row.person;
    let kept = Kept {
        email: person.email.as_str().to_owned(),
        phone_number: person.phone_number.as_str().to_owned(),
        first_name: person.first_name.as_str().to_owned(),
        last_name: person.last_name.as_str().to_owned(),
        date_of_birth: person.date_of_birth.to_text(),
        nationality: person.nationality.as_str().to_owned(),
        address: person.address.clone(),
        external_id: row.external_id.as_ref().map(|id| id.as_str().to_owned()),
        kyc: row.kyc.as_ref().map(|identity| KeptIdentity {
            status: identity.status.as_str().to_owned(),
            provider: identity.provider.clone(),
            reference: identity.reference.clone(),
        }),
    };
    serde_json::to_vec(&kept).map_err(|_| StoreError::Corrupt("content"))
}

/// Reads a row.
pub(super) fn read(content: &[u8], now: OffsetDateTime) -> Result<NewcomerRow, StoreError> {
    let kept: Kept = serde_json::from_slice(content).map_err(|_| StoreError::Corrupt("content"))?;
    row(kept, now).map_err(|_| StoreError::Corrupt("content"))
}

fn row(kept: Kept, now: OffsetDateTime) -> Result<NewcomerRow, Rule> {
    const NO_STATUS: Rule = Rule {
        code: "NOT_A_DECISION",
        message: "Must be IN_PROGRESS, ACCEPTED or REJECTED.",
    };
    let kyc = match kept.kyc {
        Some(identity) => Some(CheckedIdentity {
            status: KycStatus::from_name(&identity.status).ok_or(NO_STATUS)?,
            provider: identity.provider,
            reference: identity.reference,
        }),
        None => None,
    };
    Ok(NewcomerRow {
        person: Person {
            email: Email::parse(&kept.email)?,
            phone_number: PhoneNumber::parse(&kept.phone_number)?,
            first_name: PersonName::parse(&kept.first_name)?,
            last_name: PersonName::parse(&kept.last_name)?,
            date_of_birth: BirthDate::parse(&kept.date_of_birth, now)?,
            nationality: Country::parse(&kept.nationality)?,
            address: kept.address,
        },
        external_id: kept.external_id.as_deref().map(ExternalId::parse).transpose()?,
        kyc,
    })
}
