//! Rows as they are kept until their turn: JSON of texts, each of which was checked and is checked again when it is read.

use serde::{Deserialize, Serialize};
use shared::jwe::{AlgPolicy, CompactJwe};
use shared::vault_api::cards::PostalAddress;
use time::OffsetDateTime;

use super::{CardPart, CardRow, CheckedIdentity, NewcomerRow, Owner};
use crate::domain::balance::BalanceId;
use crate::domain::card::CardName;
use crate::domain::kyc::KycStatus;
use crate::domain::person::{BirthDate, Country, Email, ExternalId, Person, PersonName, PhoneNumber};
use crate::domain::rule::Rule;
use crate::domain::user::UserId;
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
    #[serde(default)]
    cards: Vec<KeptCard>,
}

#[derive(Serialize, Deserialize)]
struct KeptCard {
    payload: String,
    holder_proof: String,
    balance: Option<i64>,
    name: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct KeptCardRow {
    user: Option<i64>,
    external_id: Option<String>,
    card: KeptCard,
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
        cards: row.cards.iter().map(keep_card).collect(),
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
        cards: kept.cards.into_iter().map(card).collect::<Result<_, _>>()?,
    })
}

fn keep_card(card: &CardPart) -> KeptCard {
    KeptCard {
        payload: card.payload.as_str().to_owned(),
        holder_proof: card.holder_proof.clone(),
        balance: card.balance.map(|balance| balance.0),
        name: card.name.as_ref().map(|name| name.as_str().to_owned()),
    }
}

fn card(kept: KeptCard) -> Result<CardPart, Rule> {
    const NOT_A_JWE: Rule = Rule {
        code: "NOT_A_JWE",
        message: "Must be a compact JWE.",
    };
    // By which algorithms was judged when the row came.
    let payload = CompactJwe::parse(&kept.payload, AlgPolicy::Sha1Too).map_err(|_| NOT_A_JWE)?;
    Ok(CardPart {
        payload,
        holder_proof: kept.holder_proof,
        balance: kept.balance.map(BalanceId),
        name: kept.name.as_deref().map(CardName::parse).transpose()?,
    })
}

/// Writes a row that brings a card alone.
pub(super) fn write_card(row: &CardRow) -> Result<Vec<u8>, StoreError> {
    let (user, external_id) = match &row.owner {
        Owner::Number(user) => (Some(user.0), None),
        Owner::Named(name) => (None, Some(name.as_str().to_owned())),
    };
    let kept = KeptCardRow {
        user,
        external_id,
        card: keep_card(&row.card),
    };
    serde_json::to_vec(&kept).map_err(|_| StoreError::Corrupt("content"))
}

/// Reads a row that brings a card alone.
pub(super) fn read_card(content: &[u8]) -> Result<CardRow, StoreError> {
    let corrupt = || StoreError::Corrupt("content");
    let kept: KeptCardRow = serde_json::from_slice(content).map_err(|_| corrupt())?;
    let owner = match (kept.user, kept.external_id) {
        (Some(user), None) => Owner::Number(UserId(user)),
        (None, Some(name)) => Owner::Named(ExternalId::parse(&name).map_err(|_| corrupt())?),
        (Some(_), Some(_)) | (None, None) => return Err(corrupt()),
    };
    Ok(CardRow {
        owner,
        card: card(kept.card).map_err(|_| corrupt())?,
    })
}
