//! Gives everything that is held about a user (access and portability under the GDPR). It is written down that it was given,
//! and to whom, before it is.

use time::OffsetDateTime;

use crate::domain::balance::Balance;
use crate::domain::card::Card;
use crate::domain::lock::Party;
use crate::domain::user::User;
use crate::error::{Code, Error};
use crate::flows::list_installations::{Device, list_installations};
use crate::services::Services;
use crate::store::balances;
use crate::store::kyc_documents::{self, Document};
use crate::store::ledger::transfers::{self, Filter, Transaction};
use crate::store::user_data::{self, KycEntry, ToldEvent};
use crate::store::user_exports::{self, Export};
use crate::store::users::{self, Profile};

/// Rows of one kind that are given at most: an export is one answer, and nobody has more by living.
pub const MOST: usize = 10_000;
/// One more than is given tells whether there are more.
const ASKED: i64 = 10_001;

/// Everything about a user.
pub struct Everything {
    /// When it was put together.
    pub at: OffsetDateTime,
    /// The personal data.
    pub profile: Profile,
    /// When the user was registered.
    pub registered_at: OffsetDateTime,
    /// What happened to the KYC.
    pub kyc: Vec<KycEntry>,
    /// Every document of an application, but for its content.
    pub documents: Vec<Document>,
    /// Every balance.
    pub balances: Vec<Balance>,
    /// Every card, masked.
    pub cards: Vec<Card>,
    /// What was done with the money, newest first.
    pub transactions: Vec<Transaction>,
    /// Every device.
    pub devices: Vec<Device>,
    /// What the partner was told.
    pub events: Vec<ToldEvent>,
    /// Who was given this before, and now.
    pub exports: Vec<Export>,
    /// Of what there is more than [`MOST`].
    pub truncated: Vec<&'static str>,
}

/// Puts the export together; `asked_by` is the user or the partner, `trace` the request's.
///
/// # Errors
/// `NOT_FOUND` when the user is gone.
pub async fn export_user(
    services: &Services,
    user: &User,
    asked_by: Party,
    trace: &str,
) -> Result<Everything, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    users::find_for_update(&mut tx, user.id)
        .await?
        .ok_or(Code::NotFound)?;
    user_exports::insert(&mut tx, user.id, asked_by, trace, now).await?;
    tx.commit().await?;

    let mut truncated = Vec::new();
    let devices = list_installations(services, user, 0, ASKED).await?;
    let devices = first(devices, "installations", &mut truncated);
    let mut read = services.db.read().await?;
    let profile = users::profile(&mut read, user.id).await?.ok_or(Code::NotFound)?;
    let registered_at = user_data::registered_at(&mut read, user.id)
        .await?
        .ok_or(Code::NotFound)?;
    let kyc = user_data::kyc(&mut read, user.id, ASKED).await?;
    let documents = kyc_documents::list(&mut read, user.id, 0, ASKED).await?;
    let balances = balances::list(&mut read, user.id, 0, ASKED).await?;
    let cards = user_data::cards(&mut read, user.id, ASKED).await?;
    let transactions = transfers::of_user(&mut read, user.id, Filter::default(), 0, ASKED).await?;
    let events = user_data::events(&mut read, user.id, ASKED).await?;
    let exports = user_exports::of_user(&mut read, user.id, ASKED).await?;
    Ok(Everything {
        at: now,
        profile,
        registered_at,
        kyc: first(kyc, "kyc", &mut truncated),
        documents: first(documents, "documents", &mut truncated),
        balances: first(balances, "balances", &mut truncated),
        cards: first(cards, "cards", &mut truncated),
        transactions: first(transactions, "transactions", &mut truncated),
        devices,
        events: first(events, "events", &mut truncated),
        exports: first(exports, "exports", &mut truncated),
        truncated,
    })
}

fn first<T>(mut rows: Vec<T>, what: &'static str, truncated: &mut Vec<&'static str>) -> Vec<T> {
    if rows.len() > MOST {
        rows.truncate(MOST);
        truncated.push(what);
    }
    rows
}
