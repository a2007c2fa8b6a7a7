//! How a call to the vault can end other than well.

use reqwest::StatusCode;
use shared::problem::{FieldError, Problem};
use shared::vault_api::STATE_REFUSED;

/// Seconds a caller is told to wait when the vault did not say.
const DEFAULT_RETRY_AFTER_SECONDS: u32 = 2;

/// Why a call brought no answer to work with.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The vault judged the request and refused it; it changed nothing.
    #[error("the vault refused: {0:?}")]
    Refused(Refusal),
    /// The vault was not reached, is locked, or failed: 503 at the door.
    #[error("the vault is unavailable ({reason})")]
    Unavailable {
        /// Seconds to wait before another try.
        retry_after_seconds: u32,
        /// Whether the vault may have done what it was asked.
        effect: Effect,
        /// For the log.
        reason: String,
    },
    /// The vault did not take the request itself (a program it does not know, a role that is not ours): the two are not
    /// set up alike, which is for the log. This call changed nothing.
    #[error("the vault does not take the request: {0}")]
    NotTaken(String),
    /// The answer breaks the contract between the two: a defect of one side, for the log. The vault may have acted.
    #[error("the vault's answer breaks the contract: {0}")]
    Protocol(String),
}

/// What is known of a call that brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It changed nothing: it never left, or the vault was locked or took it for a stranger's.
    None,
    /// It may have been carried out; repeating it with the same key settles the matter.
    Unknown,
}

/// What the vault refuses in words that its callers' callers may hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No proof came along, and one is needed.
    HolderProofRequired,
    /// The proof does not hold.
    HolderProofInvalid,
    /// The key that signed the proof is not active yet.
    HolderKeyPending,
    /// What was to vouch for a new key does not.
    EnrolmentProofInvalid,
    /// The program takes keys by ticket only.
    EnrolmentTicketRequired,
    /// The key was revoked and never comes back.
    HolderKeyRevoked,
    /// The holder has as many keys as are allowed.
    TooManyHolderKeys,
    /// Not the JWE that the operation asks for, or not the content.
    InvalidPayload,
    /// The JWE does not open.
    CantDecryptPayload,
    /// The caller's key cannot be sealed to.
    InvalidPublicKey,
    /// The operation takes an encrypted body only.
    EncryptionRequired,
    /// The payload opened, but members of it break rules.
    ValidationFailed(Vec<FieldError>),
    /// The card is locked for good.
    LockIrreversible,
    /// The card is closed.
    CardRemoved,
    /// Plastic of the card was ordered before.
    AlreadyPrinted,
    /// The card is not to be renewed: not now, not so, or not in its program.
    NotRenewable,
    /// No renewed plastic of the card is on its way to its holder.
    RenewalNotReady,
    /// The program has no personalisation bureau.
    NoBureau,
    /// The card's program has no plastic for virtual cards.
    NotDigitalFirst,
    /// Code, PIN and plastic of the card are another issuer's to give.
    CardOfAnotherIssuer,
    /// The card is known, and not as this one.
    CardAlreadyTokenised,
    /// The card's number is not one that the partner may bring in.
    CardNotAccepted,
    /// The session of the import has had all its rows.
    ImportRowsUsedUp,
    /// The partner has as many imports open as are allowed.
    TooManyImports,
    /// A budget of the vault is used up.
    TooManyRequests {
        /// Seconds to wait before another try.
        retry_after_seconds: u32,
    },
    /// Proof and payload were in order; what the gateway said of the state (`refuse`) decides.
    StateRefused,
}

impl VaultError {
    /// The vault was not asked: nothing happened there.
    pub(super) fn not_asked(reason: impl Into<String>) -> Self {
        Self::Unavailable {
            retry_after_seconds: DEFAULT_RETRY_AFTER_SECONDS,
            effect: Effect::None,
            reason: reason.into(),
        }
    }

    /// The vault may have been asked, but no answer came.
    pub(super) fn no_answer(reason: impl Into<String>) -> Self {
        Self::Unavailable {
            retry_after_seconds: DEFAULT_RETRY_AFTER_SECONDS,
            effect: Effect::Unknown,
            reason: reason.into(),
        }
    }

    /// Reads an answer that is not a success. `retry_after` is the header's value in seconds, where there is one.
    pub(super) fn from_answer(status: StatusCode, retry_after: Option<u32>, body: &[u8]) -> Self {
        let Ok(problem) = Problem::from_answer(body) else {
            return Self::without_problem(status, retry_after);
        };
        let retry_after_seconds = retry_after.unwrap_or(DEFAULT_RETRY_AFTER_SECONDS);
        let refused = match (status.as_u16(), problem.code()) {
            (403, "HOLDER_PROOF_REQUIRED") => Refusal::HolderProofRequired,
            (403, "HOLDER_PROOF_INVALID") => Refusal::HolderProofInvalid,
            (403, "HOLDER_KEY_PENDING") => Refusal::HolderKeyPending,
            (403, "ENROLMENT_PROOF_INVALID") => Refusal::EnrolmentProofInvalid,
            (409, "ENROLMENT_TICKET_REQUIRED") => Refusal::EnrolmentTicketRequired,
            (409, "HOLDER_KEY_REVOKED") => Refusal::HolderKeyRevoked,
            (409, "TOO_MANY_HOLDER_KEYS") => Refusal::TooManyHolderKeys,
            (400, "INVALID_PAYLOAD") => Refusal::InvalidPayload,
            (400, "CANT_DECRYPT_PAYLOAD") => Refusal::CantDecryptPayload,
            (400, "INVALID_PUBLIC_KEY") => Refusal::InvalidPublicKey,
            (400, "ENCRYPTION_REQUIRED") => Refusal::EncryptionRequired,
            (422, "VALIDATION_FAILED") => Refusal::ValidationFailed(problem.errors().to_vec()),
            (409, "LOCK_IRREVERSIBLE") => Refusal::LockIrreversible,
            (409, "CARD_REMOVED") => Refusal::CardRemoved,
            (409, "ALREADY_PRINTED") => Refusal::AlreadyPrinted,
            (409, "NOT_DIGITAL_FIRST") => Refusal::NotDigitalFirst,
            (409, "RENEWAL_NOT_DUE" | "RENEWAL_NOT_POSSIBLE" | "RENEWAL_NOT_PERMITTED") => {
                Refusal::NotRenewable
            }
            (409, "RENEWAL_NOT_READY") => Refusal::RenewalNotReady,
            (409, "NO_BUREAU") => Refusal::NoBureau,
            (409, "CARD_OF_ANOTHER_ISSUER") => Refusal::CardOfAnotherIssuer,
            (409, "CARD_ALREADY_TOKENISED") => Refusal::CardAlreadyTokenised,
            (422, "CARD_NOT_ACCEPTED") => Refusal::CardNotAccepted,
            (409, "IMPORT_ROWS_USED_UP") => Refusal::ImportRowsUsedUp,
            (409, "TOO_MANY_IMPORTS") => Refusal::TooManyImports,
            (409, STATE_REFUSED) => Refusal::StateRefused,
            (429, _) => Refusal::TooManyRequests { retry_after_seconds },
            // The key did something else before: what that was is not known here.
            (422, "IDEMPOTENCY_KEY_REUSED") => {
                return Self::Protocol("422 IDEMPOTENCY_KEY_REUSED".to_owned());
            }
            (_, code) => return Self::from_status(status, retry_after, code),
        };
        Self::Refused(refused)
    }

    fn without_problem(status: StatusCode, retry_after: Option<u32>) -> Self {
        Self::from_status(status, retry_after, "without a problem")
    }

    /// What an answer means that says nothing to callers' callers. `code` is the problem's, for the log too.
    fn from_status(status: StatusCode, retry_after: Option<u32>, code: &str) -> Self {
        let reason = format!("{} {code}", status.as_u16());
        let unavailable = |effect, reason| Self::Unavailable {
            retry_after_seconds: retry_after.unwrap_or(DEFAULT_RETRY_AFTER_SECONDS),
            effect,
            reason,
        };
        match (status.as_u16(), code) {
            // Our certificate is not (or no longer) registered there: the officers' business, and it passes.
            (503, "VAULT_LOCKED") | (401, _) | (403, "PARTY_NOT_REGISTERED") => {
                unavailable(Effect::None, reason)
            }
            // In flight: the same operation is still running there, for an earlier try; its outcome is asked for again.
            (409, "IDEMPOTENCY_IN_FLIGHT") | (408 | 500..=599, _) => unavailable(Effect::Unknown, reason),
            (400..=499, _) => Self::NotTaken(reason),
            _ => Self::Protocol(reason),
        }
    }

    /// Whether this call certainly changed nothing. An earlier one under the same key may have: what was noted for
    /// repeating it is struck off on the first try's word only.
    #[must_use]
    pub const fn left_no_effect(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::NotTaken(_)
            | Self::Unavailable {
                effect: Effect::None, ..
            } => true,
            Self::Unavailable {
                effect: Effect::Unknown,
                ..
            }
            | Self::Protocol(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::problem::TraceId;

    use super::*;

    fn answer(status: u16, code: &'static str, retry_after: Option<u32>) -> VaultError {
        let status = StatusCode::from_u16(status).unwrap();
        let trace: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
        let body = serde_json::to_vec(&Problem::new(
            actix_web::http::StatusCode::from_u16(status.as_u16()).unwrap(),
            code,
            "A title.",
            trace,
        ));
        VaultError::from_answer(status, retry_after, &body.unwrap())
    }

    #[test]
    fn every_refusal_that_may_be_passed_on_is_known_by_status_and_code() {
        for (status, code, refusal) in [
            (403, "HOLDER_PROOF_REQUIRED", Refusal::HolderProofRequired),
            (403, "HOLDER_PROOF_INVALID", Refusal::HolderProofInvalid),
            (403, "HOLDER_KEY_PENDING", Refusal::HolderKeyPending),
            (400, "INVALID_PAYLOAD", Refusal::InvalidPayload),
            (400, "CANT_DECRYPT_PAYLOAD", Refusal::CantDecryptPayload),
            (400, "INVALID_PUBLIC_KEY", Refusal::InvalidPublicKey),
            (400, "ENCRYPTION_REQUIRED", Refusal::EncryptionRequired),
            (422, "VALIDATION_FAILED", Refusal::ValidationFailed(Vec::new())),
            (409, "LOCK_IRREVERSIBLE", Refusal::LockIrreversible),
            (409, "CARD_REMOVED", Refusal::CardRemoved),
            (409, "ALREADY_PRINTED", Refusal::AlreadyPrinted),
            (409, "NOT_DIGITAL_FIRST", Refusal::NotDigitalFirst),
            (409, "NO_BUREAU", Refusal::NoBureau),
            (409, "RENEWAL_NOT_READY", Refusal::RenewalNotReady),
            (409, "RENEWAL_NOT_DUE", Refusal::NotRenewable),
            (409, "RENEWAL_NOT_POSSIBLE", Refusal::NotRenewable),
            (409, "RENEWAL_NOT_PERMITTED", Refusal::NotRenewable),
            (409, "CARD_OF_ANOTHER_ISSUER", Refusal::CardOfAnotherIssuer),
            (409, "CARD_ALREADY_TOKENISED", Refusal::CardAlreadyTokenised),
            (422, "CARD_NOT_ACCEPTED", Refusal::CardNotAccepted),
            (409, "IMPORT_ROWS_USED_UP", Refusal::ImportRowsUsedUp),
            (409, "TOO_MANY_IMPORTS", Refusal::TooManyImports),
            (409, "STATE_REFUSED", Refusal::StateRefused),
            (
                429,
                "TOO_MANY_REQUESTS",
                Refusal::TooManyRequests {
                    retry_after_seconds: 60,
                },
            ),
        ] {
            match answer(status, code, Some(60)) {
                VaultError::Refused(known) => assert_eq!(known, refusal, "{code}"),
                other => panic!("{code}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_locked_vault_did_nothing_and_a_failing_one_may_have() {
        let locked = answer(503, "VAULT_LOCKED", Some(7));
        assert!(matches!(
            locked,
            VaultError::Unavailable {
                retry_after_seconds: 7,
                effect: Effect::None,
                ..
            }
        ));
        assert!(locked.left_no_effect());
        for (status, code) in [
            (408, "BODY_TOO_SLOW"),
            (500, "INTERNAL"),
            (503, "AUDIT_UNAVAILABLE"),
            (409, "IDEMPOTENCY_IN_FLIGHT"),
        ] {
            let error = answer(status, code, None);
            assert!(
                matches!(
                    error,
                    VaultError::Unavailable {
                        effect: Effect::Unknown,
                        ..
                    }
                ),
                "{code}"
            );
            assert!(!error.left_no_effect());
        }
        let bare = VaultError::from_answer(StatusCode::BAD_GATEWAY, None, b"<html>");
        assert!(matches!(
            bare,
            VaultError::Unavailable {
                effect: Effect::Unknown,
                ..
            }
        ));
    }

    #[test]
    fn a_vault_that_does_not_know_the_gateway_is_away_and_did_nothing() {
        for (status, code) in [(401, "CERTIFICATE_REVOKED"), (403, "PARTY_NOT_REGISTERED")] {
            let error = answer(status, code, None);
            assert!(matches!(error, VaultError::Unavailable { .. }), "{code}");
            assert!(error.left_no_effect(), "{code}");
        }
    }

    #[test]
    fn a_request_that_the_vault_does_not_take_did_nothing() {
        for (status, code) in [
            (404, "NOT_FOUND"),
            (403, "ROLE_REFUSED"),
            (413, "BODY_TOO_LARGE"),
            (409, "ELSE"),
        ] {
            let error = answer(status, code, None);
            assert!(matches!(error, VaultError::NotTaken(_)), "{code}");
            assert!(error.left_no_effect(), "{code}");
        }
        let bare = VaultError::from_answer(StatusCode::BAD_REQUEST, None, b"<html>");
        assert!(bare.left_no_effect());
    }

    #[test]
    fn what_the_gateway_should_never_be_told_may_have_had_an_effect() {
        let reused = answer(422, "IDEMPOTENCY_KEY_REUSED", None);
        let elsewhere = VaultError::from_answer(StatusCode::FOUND, None, b"");
        for error in [reused, elsewhere] {
            assert!(matches!(error, VaultError::Protocol(_)), "{error}");
            assert!(!error.left_no_effect(), "{error}");
        }
    }
}
