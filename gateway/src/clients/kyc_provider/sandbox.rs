//! The provider that follows the rules of `domain::kyc::sandbox`: nobody is asked, and the outcome can be foreseen.

use std::future::ready;
use std::time::Duration;

use time::OffsetDateTime;

use super::{Answering, Application, Decision, Document, KycProvider, ProviderError, SignedMessage, Verdict};
use crate::domain::kyc::{KycStatus, Rejection, SandboxOutcome, SandboxView, sandbox_outcome};
use crate::domain::person::BirthDate;

/// An hour: what waits in the sandbox waits for somebody else.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Follows the rules.
pub struct Sandbox;

impl KycProvider for Sandbox {
    fn wants_documents(&self) -> bool {
        false
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn give_document<'a>(&'a self, _document: Document<'a>, _now: OffsetDateTime) -> Answering<'a, ()> {
        Box::pin(ready(Ok(())))
    }

    fn give_application<'a>(
        &'a self,
        application: &'a Application,
        now: OffsetDateTime,
    ) -> Answering<'a, Verdict> {
        Box::pin(ready(verdict(application, now)))
    }

    fn ask(&self, _application_id: i64, _now: OffsetDateTime) -> Answering<'_, Verdict> {
        Box::pin(ready(Ok(Verdict::Pending)))
    }

    /// Nobody calls back.
    fn has_signed(&self, _message: &SignedMessage<'_>, _now: OffsetDateTime) -> bool {
        false
    }
}

fn verdict(application: &Application, now: OffsetDateTime) -> Result<Verdict, ProviderError> {
    let person = &application.person;
    let born = BirthDate::parse(&person.date_of_birth, now).map_err(|_| ProviderError::Unwritable)?;
    let view = SandboxView {
        last_name: &person.last_name,
        date_of_birth: born.day(),
        nationality: &person.nationality,
        country: person.address.as_ref().map(|address| address.country.as_str()),
    };
    let (status, rejection) = match sandbox_outcome(&view, now) {
        SandboxOutcome::Waits => return Ok(Verdict::Pending),
        SandboxOutcome::Accepted => (KycStatus::Accepted, None),
        SandboxOutcome::Rejected(reason) => {
            let rejection = Rejection {
                reason,
                message: Some("Decided by a rule of the sandbox.".to_owned()),
            };
            (KycStatus::Rejected, Some(rejection))
        }
    };
    Ok(Verdict::Decided(Decision {
        status,
        reference: Some(format!("sandbox-{}", application.application_id)),
        rejection,
    }))
}
