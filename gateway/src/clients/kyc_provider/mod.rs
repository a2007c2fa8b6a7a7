//! Who decides about KYC applications outside of this house: given documents and data, asked again, heard by callback.
//!
//! A provider is given everything at least once, each message under an id that stays the same; what it answers is a verdict
//! or that it takes its time.

mod sandbox;
mod secret;
mod web;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use shared::vault_api::cards::PostalAddress;
use time::OffsetDateTime;

use crate::config::{Environment, Kyc};
use crate::domain::kyc::{KycStatus, Rejection};
pub use sandbox::Sandbox;
pub use secret::SecretError;
pub use web::WebProvider;

/// The name of the provider that follows rules.
pub const SANDBOX: &str = "sandbox";

/// An application, as a provider is given it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// Its number, by which the provider names it.
    pub application_id: i64,
    /// The program for whose cards the person applies.
    pub program: String,
    /// The number of the person.
    pub customer_id: i64,
    /// Who applies.
    pub person: Person,
    /// What it comes with; each was given before.
    pub documents: Vec<DocumentReference>,
}

/// Who applies: what was filed, and for the rest what the person was registered with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Where mail reaches them.
    pub email: String,
    /// Where calls reach them.
    pub phone_number: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// `YYYY-MM-DD`.
    pub date_of_birth: String,
    /// Citizenship, two letters.
    pub nationality: String,
    /// Where they live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<PostalAddress>,
}

/// A document that was given before.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentReference {
    /// Its number.
    pub document_id: i64,
    /// What it shows.
    pub kind: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its length in bytes.
    pub size: i64,
}

/// A document, with its content.
pub struct Document<'a> {
    /// The application that it came with.
    pub application_id: i64,
    /// What it is.
    pub reference: DocumentReference,
    /// The bytes.
    pub content: &'a [u8],
}

/// What a provider decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// `ACCEPTED` or `REJECTED`.
    pub status: KycStatus,
    /// Under which name the provider finds it again.
    pub reference: Option<String>,
    /// Why it was rejected, where the provider says so.
    pub rejection: Option<Rejection>,
}

/// What a provider says when asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Not decided yet.
    Pending,
    /// Decided.
    Decided(Decision),
}

/// Why a provider was not reached. Each is worth another try: what is wrong may be put right.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// No answer, or not in time.
    #[error("the provider does not answer: {0}")]
    NoAnswer(String),
    /// An answer that takes nothing.
    #[error("the provider answers {0}")]
    NotTaken(u16),
    /// An answer that cannot be read.
    #[error("the provider's answer cannot be read: {0}")]
    Unreadable(&'static str),
    /// A message that cannot be written.
    #[error("a message to the provider cannot be written")]
    Unwritable,
}

/// What a provider answers, in time.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProviderError>> + Send + 'a>>;

/// Whoever decides outside of this house.
pub trait KycProvider: Send + Sync {
    /// Whether it looks at documents.
    fn wants_documents(&self) -> bool;

    /// How long to wait before it is asked, when it does not call back.
    fn patience(&self) -> Duration;

    /// Gives it a document of an application that will follow.
    fn give_document<'a>(&'a self, document: Document<'a>, now: OffsetDateTime) -> Answering<'a, ()>;

    /// Gives it an application.
    fn give_application<'a>(
        &'a self,
        application: &'a Application,
        now: OffsetDateTime,
    ) -> Answering<'a, Verdict>;

    /// Asks what it has decided about an application that it was given.
    fn ask(&self, application_id: i64, now: OffsetDateTime) -> Answering<'_, Verdict>;

    /// Whether it has signed this message, a short while ago.
    fn has_signed(&self, message: &SignedMessage<'_>, now: OffsetDateTime) -> bool;
}

/// A message and what its headers say of it (Standard Webhooks).
pub struct SignedMessage<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`, in seconds.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signature: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Why there are no providers.
#[derive(Debug, thiserror::Error)]
pub enum ProvidersError {
    /// A secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The authority's certificates cannot be read.
    #[error("{path}: {reason}")]
    Authority {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("TLS towards a provider: {0}")]
    Tls(#[from] rustls::Error),
    /// The client cannot be built.
    #[error("the HTTP client of a provider cannot be built: {0}")]
    Client(#[from] reqwest::Error),
    /// The URL is none.
    #[error("the URL of a provider cannot be read")]
    Url,
}

/// All providers, by name.
#[derive(Default)]
pub struct Providers(BTreeMap<String, Arc<dyn KycProvider>>);

impl Providers {
    /// The providers of the configuration, and the sandbox outside production.
    ///
    /// # Errors
    /// [`ProvidersError`].
    pub fn new(config: &Kyc, environment: Environment) -> Result<Self, ProvidersError> {
        let mut all: BTreeMap<String, Arc<dyn KycProvider>> = BTreeMap::new();
        if environment == Environment::Development {
            all.insert(SANDBOX.to_owned(), Arc::new(Sandbox));
        }
        for provider in &config.providers {
            let client = WebProvider::new(provider)?;
            all.insert(provider.name.to_string(), Arc::new(client));
        }
        Ok(Self(all))
    }

    /// The provider of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<dyn KycProvider>> {
        self.0.get(name)
    }

    /// Every provider, with its name.
    pub fn all(&self) -> impl Iterator<Item = (&String, &Arc<dyn KycProvider>)> {
        self.0.iter()
    }
}
