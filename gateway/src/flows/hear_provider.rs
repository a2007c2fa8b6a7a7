//! Takes over what an outside provider decided, whether it called back, was asked, or said so at once. The first decision
//! holds, whoever made it; a later one changes nothing.

use super::settle_kyc::settle;
use crate::clients::kyc_provider::Decision;
use crate::domain::kyc::KycStatus;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::kyc::{Event, Source};
use crate::store::kyc_applications::{self, ApplicationId};
use crate::store::{kyc_submissions, users};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Whether this decision is the one that holds from now on.
    pub applied: bool,
    /// The user's status now.
    pub status: KycStatus,
}

/// Hears `provider` about an application that was submitted to it; `message` is the id of the callback, which counts once.
///
/// # Errors
/// `NOT_FOUND` for an application that this provider was never given, or whose user is gone.
pub async fn hear_provider(
    services: &Services,
    provider: &str,
    application: ApplicationId,
    decision: &Decision,
    message: Option<&str>,
) -> Result<Heard, Error> {
    let mut tx = services.db.begin().await?;
    let submission = kyc_submissions::find(&mut tx, application, provider)
        .await?
        .ok_or(Code::NotFound)?;
    let is_new = match message {
        Some(message) => kyc_submissions::note_message(&mut tx, provider, message, services.now()).await?,
        None => true,
    };
    // Locked until the end: of an operator and a provider who decide at the same time the second sees what the first decided.
    let user = users::find_for_update(&mut tx, submission.user)
        .await?
        .ok_or(Code::NotFound)?;
    let applied = is_new && kyc_applications::is_waiting(&mut tx, application).await?;
    if applied {
        let event = Event {
            user: user.id,
            status: decision.status,
            source: Source::Provider,
            provider: Some(provider),
            reference: decision.reference.as_deref(),
            application: None,
            rejection: decision.rejection.as_ref(),
        };
        settle(services, &mut tx, &user, &event).await?;
    }
    tx.commit().await?;
    Ok(Heard {
        applied,
        status: if applied { decision.status } else { user.kyc },
    })
}
