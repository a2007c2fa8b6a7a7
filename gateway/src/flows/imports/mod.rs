//! Mass imports: a file is taken in as it comes, then a job goes through its rows in order, each once, whatever crashes.
//!
//! The door reads each line as it would read a single request, and says at once what is wrong with it; what is in order is
//! kept until its row came to its end. A dry run judges rows in the same order by the same rules and leaves nothing behind.

mod card_row;
mod kept;
pub mod receive;
pub mod turn;
mod user_row;

use shared::jwe::CompactJwe;
use shared::problem::FieldError;

use crate::domain::balance::BalanceId;
use crate::domain::card::CardName;
use crate::domain::kyc::KycStatus;
use crate::domain::person::{ExternalId, Person};
use crate::domain::user::UserId;
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
    /// Cards that the user has already.
    pub cards: Vec<CardPart>,
}

/// A card that exists already, as the partner signed it.
pub struct CardPart {
    /// Number and expiry, sealed to the vault.
    pub payload: CompactJwe,
    /// The partner's signature under the nonce of the import's session.
    pub holder_proof: String,
    /// On which balance; the first in use if none is named.
    pub balance: Option<BalanceId>,
    /// What the card is to be called.
    pub name: Option<CardName>,
}

/// A card of a user who is there.
pub struct CardRow {
    /// Whose card it is.
    pub owner: Owner,
    /// The card.
    pub card: CardPart,
}

/// How a row names a user.
pub enum Owner {
    /// By number.
    Number(UserId),
    /// By the partner's own name.
    Named(ExternalId),
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
