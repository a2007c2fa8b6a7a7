//! Mass imports: a file is taken in as it comes, then a job goes through its rows in order, each once, whatever crashes.
//!
//! The door reads each line as it would read a single request, and says at once what is wrong with it; what is in order is
//! kept until its row came to its end. A dry run judges rows in the same order by the same rules and leaves nothing behind.

mod kept;
pub mod receive;
pub mod turn;
mod user_row;

use shared::problem::FieldError;

use crate::domain::kyc::KycStatus;
use crate::domain::person::{ExternalId, Person};
use crate::error::Error;
use crate::store::import_rows::Failure;

/// A user as a row brings one.
pub struct NewcomerRow {
    /// The person.
    pub person: Person,
    /// The partner's own name of the user.
    pub external_id: Option<ExternalId>,
    /// What the partner's own process came to, if it has checked the identity.
    pub kyc: Option<CheckedIdentity>,
}

/// What a partner's own KYC process came to.
pub struct CheckedIdentity {
    /// Any but `NONE`.
    pub status: KycStatus,
    /// Who established the identity.
    pub provider: String,
    /// Under which name the provider finds it again.
    pub reference: String,
}

/// Why a row failed, in the words of an answer to a single request.
#[must_use]
pub fn failure_of(error: &Error) -> Failure {
    let (_, code, _) = error.code().row();
    Failure {
        code: code.to_owned(),
        errors: error.fields().to_vec(),
    }
}

/// A row that breaks a rule of its own.
#[must_use]
pub fn failure(code: &str, errors: Vec<FieldError>) -> Failure {
    Failure {
        code: code.to_owned(),
        errors,
    }
}
