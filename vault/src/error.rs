//! What a flow can end in, and the one table that turns it into an answer. Detail goes to the log and the audit trail;
//! the caller gets a code and a sentence that says nothing of secrets.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use shared::problem::{FieldError, Problem, TraceId};

use crate::domain::budget::Exhausted;
use crate::domain::card::{OfAnotherIssuer, StandingRefusal};
use crate::keys::keyring::KeyringError;

/// Seconds after which a locked or overloaded vault may be asked again.
const RETRY_SECONDS: u32 = 5;

/// Every way in which an operation ends without being done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The vault holds no keys.
    #[error("the vault is locked")]
    Locked,
    /// No such card, holder, key or approval, or not of this caller.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The certificate's role may not do this.
    #[error("the role may not do this")]
    RoleForbidden,
    /// The certificate is genuine, its holder unknown to the register, or known with another key.
    #[error("the caller is not registered with this key")]
    NotRegistered,
    /// The certificate was revoked or has ended since the connection began.
    #[error("the certificate is no longer valid")]
    CertificateEnded,
    /// The operation needs a proof and has none.
    #[error("no proof")]
    ProofRequired,
    /// The proof does not prove this request. The reason is for the audit log.
    #[error("proof refused: {0}")]
    ProofInvalid(Cow<'static, str>),
    /// The proof was signed by a key that is not active yet.
    #[error("the key is pending")]
    KeyPending,
    /// What was to vouch for a new key does not. The reason is for the audit log.
    #[error("enrolment proof refused: {0}")]
    EnrolmentProofInvalid(&'static str),
    /// A member of the request is malformed.
    #[error("malformed request: {0}")]
    Malformed(Cow<'static, str>),
    /// The payload is no JWE of ours, or not what the operation expects.
    #[error("payload refused: {0}")]
    InvalidPayload(Cow<'static, str>),
    /// The payload does not open.
    #[error("the payload does not open")]
    CantDecrypt,
    /// The body is larger than any request.
    #[error("body too large")]
    BodyTooLarge,
    /// The body did not arrive in time.
    #[error("body too slow")]
    BodyTooSlow,
    /// A value is of the right shape and not allowed.
    #[error("{field}: {message}")]
    Validation {
        /// Which member.
        field: &'static str,
        /// A code for programs.
        code: &'static str,
        /// A sentence for people.
        message: Cow<'static, str>,
    },
    /// The number is not one that this partner may bring in: the same words whatever the reason, and whoever's it is.
    #[error("card not accepted: {0}")]
    CardNotAccepted(&'static str),
    /// The `Idempotency-Key` came with another request before.
    #[error("idempotency key used for another request")]
    IdempotencyKeyReused,
    /// Another request with the same key was faster; its answer is given instead of this.
    #[error("another request with the same idempotency key was faster")]
    Raced,
    /// Everything was in order but the gateway's own state.
    #[error("the gateway's state forbids it")]
    StateRefused,
    /// A one-way flag of the card.
    #[error(transparent)]
    Standing(#[from] StandingRefusal),
    /// A rule about programs, keys, approvals.
    #[error("{message}")]
    Conflict {
        /// The problem code.
        code: &'static str,
        /// A sentence for people.
        message: Cow<'static, str>,
    },
    /// An hourly budget is used up.
    #[error(transparent)]
    Budget(#[from] Exhausted),
    /// Too many at once.
    #[error("overloaded")]
    Busy,
    /// The disk has less room than the watermark.
    #[error("no room to write")]
    NoSpace,
    /// The store failed; the process ends and is started anew.
    #[error("store: {0}")]
    Store(String),
    /// A record does not open or does not parse: bit rot, or somebody's hand.
    #[error("corrupt record: {0}")]
    Corrupt(String),
    /// A record names a key version that the keyring never had, or that was destroyed.
    #[error("unknown key version: {0}")]
    UnknownKeyVersion(String),
    /// A key has sealed as often as it may; a rotation gives it a new version.
    #[error("{0}")]
    KeyUsedUp(String),
    /// Something that cannot happen did.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<OfAnotherIssuer> for Error {
    fn from(_: OfAnotherIssuer) -> Self {
        Self::conflict(
            "CARD_OF_ANOTHER_ISSUER",
            "Code, PIN and plastic of this card are its issuer's to give.",
        )
    }
}

impl Error {
    /// A rule's own code and sentence.
    pub fn conflict(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Conflict {
            code,
            message: message.into(),
        }
    }

    /// What a value of `what` that does not open is: corrupt, or of a key version that is not there.
    #[must_use]
    pub fn of_opening(what: &str, error: &KeyringError) -> Self {
        let text = format!("{what}: {error}");
        match error {
            KeyringError::Version(_) => Self::UnknownKeyVersion(text),
            _ => Self::Corrupt(text),
        }
    }

    /// Status and code: the whole table.
    #[must_use]
    pub fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Locked => (StatusCode::SERVICE_UNAVAILABLE, "VAULT_LOCKED"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Self::RoleForbidden => (StatusCode::FORBIDDEN, "ROLE_FORBIDDEN"),
            Self::NotRegistered => (StatusCode::FORBIDDEN, "PARTY_NOT_REGISTERED"),
            Self::CertificateEnded => (StatusCode::UNAUTHORIZED, "CERTIFICATE_REVOKED"),
            Self::ProofRequired => (StatusCode::FORBIDDEN, "HOLDER_PROOF_REQUIRED"),
            Self::ProofInvalid(_) => (StatusCode::FORBIDDEN, "HOLDER_PROOF_INVALID"),
            Self::KeyPending => (StatusCode::FORBIDDEN, "HOLDER_KEY_PENDING"),
            Self::EnrolmentProofInvalid(_) => (StatusCode::FORBIDDEN, "ENROLMENT_PROOF_INVALID"),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "MALFORMED_REQUEST"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE"),
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, "BODY_TOO_SLOW"),
            Self::InvalidPayload(_) => (StatusCode::BAD_REQUEST, "INVALID_PAYLOAD"),
            Self::CantDecrypt => (StatusCode::BAD_REQUEST, "CANT_DECRYPT_PAYLOAD"),
            Self::Validation { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_FAILED"),
            Self::CardNotAccepted(_) => (StatusCode::UNPROCESSABLE_ENTITY, "CARD_NOT_ACCEPTED"),
            Self::IdempotencyKeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED"),
            Self::Raced => (StatusCode::CONFLICT, "IDEMPOTENCY_IN_FLIGHT"),
            Self::StateRefused => (StatusCode::CONFLICT, shared::vault_api::STATE_REFUSED),
            Self::Standing(StandingRefusal::LockedFinally) => (StatusCode::CONFLICT, "LOCK_IRREVERSIBLE"),
            Self::Standing(StandingRefusal::Closed) => (StatusCode::CONFLICT, "CARD_REMOVED"),
            Self::Conflict { code, .. } => (StatusCode::CONFLICT, code),
            Self::Budget(_) => (StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "BUSY"),
            Self::NoSpace => (StatusCode::SERVICE_UNAVAILABLE, "NO_SPACE"),
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "STORE_UNAVAILABLE"),
            Self::Corrupt(_) => (StatusCode::INTERNAL_SERVER_ERROR, "RECORD_CORRUPT"),
            Self::UnknownKeyVersion(_) => (StatusCode::INTERNAL_SERVER_ERROR, "KEY_VERSION_UNKNOWN"),
            Self::KeyUsedUp(_) => (StatusCode::SERVICE_UNAVAILABLE, "KEY_USED_UP"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
        }
    }

    /// What the caller may read.
    fn sentence(&self) -> Cow<'static, str> {
        match self {
            Self::Locked => "The vault is locked: custodians must hand in their shares.".into(),
            Self::NotFound(what) => format!("There is no such {what}.").into(),
            Self::RoleForbidden => "The role of this certificate may not do this.".into(),
            Self::NotRegistered => "No registered party holds this certificate's key under this name.".into(),
            Self::CertificateEnded => "The certificate was revoked or has expired.".into(),
            Self::ProofRequired => "This operation needs a Holder-Proof.".into(),
            Self::ProofInvalid(_) => "The Holder-Proof does not prove this request.".into(),
            Self::KeyPending => "The key of this Holder-Proof is not active yet.".into(),
            Self::EnrolmentProofInvalid(_) => "The enrolment proof does not vouch for this key.".into(),
            Self::Malformed(reason) => reason.clone(),
            Self::BodyTooLarge => "The body is larger than any request.".into(),
            Self::BodyTooSlow => "The body did not arrive in time.".into(),
            Self::InvalidPayload(_) => "The payload is not an encrypted request of this operation.".into(),
            Self::CantDecrypt => "The payload cannot be decrypted.".into(),
            Self::Validation { message, .. } | Self::Conflict { message, .. } => message.clone(),
            Self::CardNotAccepted(_) => "The card is not one that this partner may bring in.".into(),
            Self::IdempotencyKeyReused => "This Idempotency-Key was used for another request.".into(),
            Self::Raced => "Another request with this Idempotency-Key is being answered.".into(),
            Self::StateRefused => "The state that the caller named forbids this.".into(),
            Self::Standing(StandingRefusal::LockedFinally) => "The card is locked for good.".into(),
            Self::Standing(StandingRefusal::Closed) => "The card was removed.".into(),
            Self::Budget(_) => "An hourly budget is used up.".into(),
            Self::Busy => "Too many requests at once.".into(),
            Self::NoSpace => "The vault has no room to write and refuses changes.".into(),
            Self::Store(_) => "The vault's store is not available.".into(),
            Self::Corrupt(_) => "A record failed its integrity check.".into(),
            Self::UnknownKeyVersion(_) => "A record names a key version that the vault does not have.".into(),
            Self::KeyUsedUp(_) => "A key has sealed as often as it may and must be rotated.".into(),
            Self::Internal(_) => "An internal error occurred.".into(),
        }
    }

    /// Which budget was used up, if that is why.
    #[must_use]
    pub const fn budget(&self) -> Option<&'static str> {
        match self {
            Self::Budget(exhausted) => Some(exhausted.meter.kind()),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Budget(exhausted) => Some(exhausted.retry_after_seconds),
            Self::Locked | Self::Raced | Self::Busy | Self::NoSpace | Self::Store(_) => Some(RETRY_SECONDS),
            _ => None,
        }
    }

    /// Whether the answer is a refusal of the caller (goes to the audit log) rather than a failure of the vault.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.status_and_code().0.is_client_error()
    }

    /// The answer.
    #[must_use]
    pub fn problem(&self, trace_id: TraceId) -> Problem {
        let (status, code) = self.status_and_code();
        let mut problem = Problem::new(status, code, self.sentence(), trace_id);
        if let Some(seconds) = self.retry_after() {
            problem = problem.with_retry_after(seconds);
        }
        if let Self::Validation { field, code, message } = self {
            let (field, code) = ((*field).into(), (*code).into());
            problem = problem.with_field(FieldError {
                field,
                code,
                message: message.clone(),
            });
        }
        problem
    }
}
