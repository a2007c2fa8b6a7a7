//! Gives an application to its outside provider, step by step: each document, then the application, then questions, until
//! somebody has decided. Each step is noted once it is done, so that a crash repeats one step at most.

use serde::Deserialize;
use shared::vault_api::cards::PostalAddress;
use time::{Duration, OffsetDateTime};

use super::hear_provider::hear_provider;
use super::kyc_documents::content;
use crate::clients::kyc_provider::{
    Application, Decision, Document, DocumentReference, KycProvider, Person, ProviderError, Verdict,
};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::kyc_documents::{self, Document as Kept};
use crate::store::kyc_submissions::{self, Submission, SubmissionState};
use crate::store::{kyc_applications, users};

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The provider was not reached, or did not take it.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Something is broken here.
    #[error(transparent)]
    Here(#[from] Error),
}

impl From<crate::store::StoreError> for StepError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Here(error.into())
    }
}

/// What of a person was filed with an application.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Filed {
    email: Option<String>,
    phone_number: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    date_of_birth: Option<String>,
    nationality: Option<String>,
    address: Option<PostalAddress>,
}

/// Does what is to be done next for a submission that was taken.
///
/// # Errors
/// [`StepError`]; the caller sets when it is tried again.
pub async fn submit_kyc(
    services: &Services,
    (name, provider): (&str, &dyn KycProvider),
    submission: &Submission,
) -> Result<(), StepError> {
    let mut read = services.db.read().await?;
    let is_waiting = kyc_applications::is_waiting(&mut read, submission.application).await?;
    drop(read);
    if !is_waiting {
        let mut tx = services.db.begin().await?;
        kyc_submissions::end_of(&mut tx, submission.user).await?;
        return Ok(tx.commit().await?);
    }
    let number = submission.application.0;
    let verdict = match submission.state {
        SubmissionState::Due => give(services, provider, submission).await?,
        SubmissionState::Asked => provider.ask(number, services.now()).await?,
        SubmissionState::Ended => return Ok(()),
    };
    let patience = Duration::try_from(provider.patience()).unwrap_or(Duration::HOUR);
    match verdict {
        Verdict::Pending => asked(services, submission, services.now() + patience).await,
        Verdict::Decided(decision) => decided(services, name, submission, &decision).await,
    }
}

/// Gives documents that were not given yet, and the application.
async fn give(
    services: &Services,
    provider: &dyn KycProvider,
    submission: &Submission,
) -> Result<Verdict, StepError> {
    let mut read = services.db.read().await?;
    let documents = kyc_documents::of_application(&mut read, submission.application).await?;
    drop(read);
    let rest = documents
        .iter()
        .filter(|document| document.name.id.0 > submission.given_through.0);
    for document in rest.filter(|_| provider.wants_documents()) {
        let content = content(services, document).await?;
        let given = Document {
            application_id: submission.application.0,
            reference: reference(document),
            content: &content,
        };
        provider.give_document(given, services.now()).await?;
        let mut tx = services.db.begin().await?;
        kyc_submissions::note_given(&mut tx, submission.application, document.name.id, services.now())
            .await?;
        tx.commit().await?;
    }
    let application = application(services, submission, &documents).await?;
    Ok(provider.give_application(&application, services.now()).await?)
}

const fn reference(document: &Kept) -> DocumentReference {
    DocumentReference {
        document_id: document.name.id.0,
        kind: document.name.kind.as_str(),
        content_type: document.name.content_type.as_str(),
        size: document.name.size,
    }
}

/// The application as it is given: what was filed, and for the rest what the person was registered with.
async fn application(
    services: &Services,
    submission: &Submission,
    documents: &[Kept],
) -> Result<Application, Error> {
    let mut read = services.db.read().await?;
    let filed = kyc_applications::find(&mut read, submission.application)
        .await?
        .ok_or(Code::NotFound)?;
    let known = users::profile(&mut read, submission.user)
        .await?
        .ok_or(Code::NotFound)?;
    drop(read);
    let filed: Filed = serde_json::from_str(&filed.data)
        .map_err(|_| Error::internal("an application has another shape than it was filed in"))?;
    Ok(Application {
        application_id: submission.application.0,
        program: known.user.program.to_string(),
        customer_id: known.user.id.0,
        person: Person {
            email: filed.email.unwrap_or(known.email),
            phone_number: filed.phone_number.unwrap_or(known.phone_number),
            first_name: filed.first_name.unwrap_or(known.first_name),
            last_name: filed.last_name.unwrap_or(known.last_name),
            date_of_birth: filed.date_of_birth.unwrap_or(known.date_of_birth),
            nationality: filed.nationality.unwrap_or(known.nationality),
            address: filed.address.or(known.address),
        },
        documents: documents.iter().map(reference).collect(),
    })
}

async fn asked(services: &Services, submission: &Submission, again: OffsetDateTime) -> Result<(), StepError> {
    let mut tx = services.db.begin().await?;
    kyc_submissions::note_asked(&mut tx, submission.application, again).await?;
    Ok(tx.commit().await?)
}

async fn decided(
    services: &Services,
    name: &str,
    submission: &Submission,
    decision: &Decision,
) -> Result<(), StepError> {
    hear_provider(services, name, submission.application, decision, None).await?;
    Ok(())
}
