//! Files an application for KYC: the data, and the documents that were sent before. A rejected user may apply again, with
//! the same documents or others.

use shared::problem::FieldError;

use super::claimed::{Opened, open};
use super::settle_kyc::settle;
use crate::domain::kyc::{DocumentId, KycRefusal, KycStatus};
use crate::domain::user::{User, UserId};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::idempotency::{Answer, Request};
use crate::store::kyc::{Event, Source};
use crate::store::kyc_applications::ApplicationId;
use crate::store::{Tx, kyc_documents, kyc_submissions, users};

/// What is filed.
pub struct Filing<'a> {
    /// Who files it.
    pub source: Source,
    /// The data, as JSON.
    pub data: &'a str,
    /// The documents that it comes with, each once.
    pub documents: &'a [DocumentId],
}

/// Files the application; `render` writes the answer from its number and the status that holds then.
///
/// # Errors
/// `VALIDATION_FAILED` for a document that is not the user's, and for one that the program asks for and is missing;
/// `KYC_IN_PROGRESS`, `KYC_ACCEPTED`.
pub async fn apply_for_kyc(
    services: &Services,
    request: &Request,
    user: UserId,
    filing: &Filing<'_>,
    render: impl FnOnce(ApplicationId, KycStatus) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    // Locked until the end, so that no document goes away in between.
    let user = users::find_for_update(&mut tx, user)
        .await?
        .ok_or(Code::NotFound)?;
    check_documents(services, &mut tx, &user, filing.documents).await?;
    let status = user.kyc.apply().map_err(|refusal| match refusal {
        KycRefusal::InProgress => Code::KycInProgress,
        KycRefusal::Accepted => Code::KycAccepted,
    })?;
    let event = Event {
        user: user.id,
        status,
        source: filing.source,
        provider: None,
        reference: None,
        application: Some(filing.data),
        rejection: None,
    };
    let application = ApplicationId(settle(services, &mut tx, &user, &event).await?);
    kyc_documents::attach(&mut tx, application, filing.documents).await?;
    if let Some(provider) = services.program_of(&user)?.kyc_provider.outside() {
        kyc_submissions::insert(&mut tx, application, user.id, provider, services.now()).await?;
    }
    let answer = render(application, status)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Whether all documents are the user's, and all are there that the program asks for.
async fn check_documents(
    services: &Services,
    tx: &mut Tx,
    user: &User,
    documents: &[DocumentId],
) -> Result<(), Error> {
    let (mut kinds, mut errors) = (Vec::new(), Vec::new());
    for (index, id) in documents.iter().enumerate() {
        match kyc_documents::find(tx, user.id, *id).await? {
            Some(document) => kinds.push(document.name.kind),
            None => errors.push(FieldError {
                field: format!("documents.{index}").into(),
                code: "UNKNOWN_DOCUMENT".into(),
                message: "Must be the id of a document of this user.".into(),
            }),
        }
    }
    for required in &services.program_of(user)?.kyc_required_documents {
        if !required.is_met_by(&kinds) {
            errors.push(FieldError {
                field: "documents".into(),
                code: "DOCUMENT_MISSING".into(),
                message: format!("A document is missing: {required}.").into(),
            });
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Error::invalid(errors))
    }
}
