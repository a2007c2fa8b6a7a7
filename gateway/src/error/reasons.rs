//! What the rooms below say, in the words of callers.

use super::{Code, Error};
use crate::clients::vault::{Refusal, VaultError};
use crate::domain::balance::BalanceRefusal;
use crate::domain::card::CardRefusal;
use crate::domain::lock::LockRefusal;
use crate::domain::partner::CertificateRefusal;
use crate::domain::partner_balance::DecisionRefusal;
use crate::store::StoreError;

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::from(Code::StoreUnavailable).retry_after(1),
            StoreError::Corrupt(_) | StoreError::Duplicate | StoreError::Database(_) => {
                Self::from(Code::Internal)
            }
        }
        .caused_by(error.to_string())
    }
}

/// `STATE_REFUSED` is not told to callers: a flow that says `refuse` replaces it by its own verdict.
impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        let may_have_acted = !error.left_no_effect();
        let mut told = match error {
            VaultError::Refused(refusal) => Self::from(refusal),
            VaultError::Unavailable {
                retry_after_seconds,
                reason,
                ..
            } => Self::from(Code::VaultUnavailable)
                .retry_after(retry_after_seconds)
                .caused_by(reason),
            VaultError::NotTaken(what) | VaultError::Protocol(what) => Self::internal(what),
        };
        told.0.vault_may_have_acted = may_have_acted;
        told
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::HolderProofRequired => Code::HolderProofRequired,
            Refusal::HolderProofInvalid => Code::HolderProofInvalid,
            Refusal::HolderKeyPending => Code::HolderKeyPending,
            Refusal::EnrolmentProofInvalid => Code::EnrolmentProofInvalid,
            Refusal::EnrolmentTicketRequired => Code::EnrolmentTicketRequired,
            Refusal::HolderKeyRevoked => Code::HolderKeyRevoked,
            Refusal::TooManyHolderKeys => Code::TooManyHolderKeys,
            Refusal::InvalidPayload => Code::InvalidPayload,
            Refusal::CantDecryptPayload => Code::CantDecryptPayload,
            Refusal::InvalidPublicKey => Code::InvalidPublicKey,
            Refusal::EncryptionRequired => Code::EncryptionRequired,
            Refusal::ValidationFailed(fields) => return Self::invalid(fields),
            Refusal::LockIrreversible => Code::LockIrreversible,
            Refusal::CardRemoved => Code::CardRemoved,
            Refusal::AlreadyPrinted => Code::AlreadyPrinted,
            // The bureau's word that it came back, or will not come, is on its way here.
            Refusal::RenewalNotReady => Code::CardReturned,
            Refusal::NotRenewable => Code::NotRenewable,
            Refusal::NoBureau => Code::NoBureau,
            Refusal::NotDigitalFirst => Code::NotDigitalFirst,
            Refusal::CardOfAnotherIssuer => Code::CardOfAnotherIssuer,
            Refusal::CardAlreadyTokenised => Code::CardAlreadyTokenised,
            Refusal::CardNotAccepted => Code::CardNotAccepted,
            Refusal::ImportRowsUsedUp => Code::ImportRowsUsedUp,
            Refusal::TooManyImports => Code::TooManyImports,
            Refusal::TooManyRequests { retry_after_seconds } => return Self::too_many(retry_after_seconds),
            Refusal::StateRefused => {
                return Self::internal("the vault refused a state that was not put to it");
            }
        };
        Self::from(code)
    }
}

impl From<CardRefusal> for Error {
    fn from(refusal: CardRefusal) -> Self {
        Self::from(match refusal {
            CardRefusal::NotShown => Code::NotFound,
            CardRefusal::Removed => Code::CardRemoved,
            CardRefusal::Inactive => Code::CardNotActive,
            CardRefusal::Expired => Code::CardExpired,
            CardRefusal::NotReplaceable => Code::NotReplaceable,
            CardRefusal::AlreadyReplaced => Code::AlreadyReplaced,
            CardRefusal::Locked => Code::CardLocked,
            CardRefusal::NotLocked => Code::CardNotLocked,
            CardRefusal::Lock(LockRefusal::Irreversible) => Code::LockIrreversible,
            CardRefusal::Lock(LockRefusal::NotYours) => Code::LockNotYours,
            CardRefusal::NotDigitalFirst => Code::NotDigitalFirst,
            CardRefusal::NotVirtual => Code::CardNotVirtual,
            CardRefusal::AlreadyPrinted => Code::AlreadyPrinted,
            CardRefusal::NotPhysical => Code::CardNotPhysical,
            CardRefusal::AlreadyActive => Code::AlreadyActive,
            CardRefusal::PinNotAvailable => Code::PinNotAvailable,
            CardRefusal::CvvNotAvailable => Code::CvvNotAvailable,
            CardRefusal::OfAnotherIssuer => Code::CardOfAnotherIssuer,
        })
    }
}

impl From<CertificateRefusal> for Error {
    fn from(refusal: CertificateRefusal) -> Self {
        match refusal {
            CertificateRefusal::NotFiled => Code::CertificateNotFiled,
            CertificateRefusal::Ended => Code::CertificateEnded,
        }
        .into()
    }
}

impl From<BalanceRefusal> for Error {
    fn from(refusal: BalanceRefusal) -> Self {
        Self::from(match refusal {
            BalanceRefusal::Closed => Code::BalanceClosed,
            BalanceRefusal::NotLocked => Code::BalanceNotLocked,
            BalanceRefusal::NotYours => Code::LockNotYours,
            BalanceRefusal::NotEmpty => Code::BalanceNotEmpty,
            BalanceRefusal::HasCards => Code::BalanceHasCards,
        })
    }
}

impl From<DecisionRefusal> for Error {
    fn from(refusal: DecisionRefusal) -> Self {
        Self::from(match refusal {
            DecisionRefusal::OwnProposal => Code::OwnProposal,
            DecisionRefusal::Decided => Code::ReloadDecided,
        })
    }
}
