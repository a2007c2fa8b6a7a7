//! Every way a request can end badly, and the one table from there to status, code and text.
//!
//! What callers are told stands in the table; what only the operator may know is the `cause`, which the door writes to the
//! log once, under the request's trace.

mod failure;
mod reasons;

use actix_web::http::StatusCode;

pub use failure::Error;

/// What callers branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The body is not JSON, nested too deeply, or has a member twice.
    MalformedJson,
    /// A header that the request needs is missing, given twice or not readable.
    InvalidHeader,
    /// An encrypted endpoint was called without its headers, or plain where encryption is demanded.
    EncryptionRequired,
    /// `Public-Key` is not a key that can be sealed to.
    InvalidPublicKey,
    /// The body is not the JWE that the endpoint asks for.
    InvalidPayload,
    /// The JWE does not open.
    CantDecryptPayload,
    /// No session, or it has ended.
    SessionRequired,
    /// No client certificate that is accepted.
    CertificateRequired,
    /// Activation code unknown, spent or expired.
    ActivationCodeInvalid,
    /// Challenge, proof or PIN of a login is wrong, or there is no such installation.
    AuthenticationFailed,
    /// A message that is said to be a provider's is not, or is too old.
    CallbackSignatureInvalid,
    /// An invitation or a password reset is unknown, spent or expired.
    TokenInvalid,
    /// The certificate is no partner's.
    NotAPartner,
    /// The certificate is the partner's by its name, and is not (or no longer) pinned.
    CertificateNotRegistered,
    /// The partner's servers do not call from this address.
    AddressNotAllowed,
    /// The operator's role does not permit it.
    RoleForbidden,
    /// The vault needs a proof.
    HolderProofRequired,
    /// The proof does not hold.
    HolderProofInvalid,
    /// The proof's key is not active yet.
    HolderKeyPending,
    /// What was to vouch for a new key does not.
    EnrolmentProofInvalid,
    /// The lock was placed by somebody whose lock this caller may not lift.
    LockNotYours,
    /// Somebody else has to decide what you proposed.
    OwnProposal,
    /// This is for operators of the platform.
    PlatformOnly,
    /// The program does not offer this.
    NotOffered,
    /// Unknown, or somebody else's.
    NotFound,
    /// The path exists, with other methods.
    MethodNotAllowed,
    /// The body did not arrive in time.
    BodyTooSlow,
    /// The identity is not established.
    KycRequired,
    /// An application waits already.
    KycInProgress,
    /// The identity is established already.
    KycAccepted,
    /// The user has no such balance in use.
    BalanceRequired,
    /// The user has as many balances as are allowed.
    TooManyBalances,
    /// The balance is locked.
    BalanceLocked,
    /// The balance is closed.
    BalanceClosed,
    /// The balance is not locked.
    BalanceNotLocked,
    /// The balance has cards that are in use.
    BalanceHasCards,
    /// The balance does not cover the amount.
    InsufficientFunds,
    /// The partner's balance does not cover the amount.
    PartnerLimitExceeded,
    /// The partner has no balance in this currency.
    PartnerBalanceRequired,
    /// The partner's balance is locked.
    PartnerBalanceLocked,
    /// The partner has a credit or a deposit balance in this currency.
    PartnerBalanceExists,
    /// A company balance limits no partner.
    NotALimit,
    /// The authorisation was cleared or reversed before.
    HoldEnded,
    /// This bank transfer was proposed or credited before.
    BankReferenceUsed,
    /// The reload does not wait for a decision any more.
    ReloadDecided,
    /// The partner has a user of this name.
    ExternalIdTaken,
    /// The user is locked.
    UserLocked,
    /// A balance of the user holds money, or money is held on it.
    BalanceNotEmpty,
    /// There is an operator of this login.
    LoginTaken,
    /// The operator is disabled.
    OperatorDisabled,
    /// Without this one nobody would be left to manage operators.
    LastAdmin,
    /// The application was decided, or another one followed it.
    KycDecided,
    /// The partner's program leaves the decision to somebody else.
    KycNotByPartner,
    /// The user has as many documents as are kept.
    TooManyDocuments,
    /// The document belongs to an application.
    DocumentSubmitted,
    /// No certificate request waits.
    CertificateNotFiled,
    /// The certificate was revoked, or its request withdrawn.
    CertificateEnded,
    /// The certificate, or its key, is known already.
    CertificateKnown,
    /// The same request is still being worked on.
    IdempotencyInFlight,
    /// The card is locked for good.
    LockIrreversible,
    /// The card is locked already.
    CardLocked,
    /// The card is not locked.
    CardNotLocked,
    /// The card is not active.
    CardNotActive,
    /// The card's last month has passed.
    CardExpired,
    /// The card is gone for good.
    CardRemoved,
    /// The card is not locked as lost, stolen or replaced.
    NotReplaceable,
    /// Another card has taken its place.
    AlreadyReplaced,
    /// The card has no plastic, so no PIN.
    PinNotAvailable,
    /// The CVV of the card is printed on it.
    CvvNotAvailable,
    /// The card is not of a kind that this can be done with.
    CardNotVirtual,
    /// Code, PIN and plastic of the card are another issuer's to give.
    CardOfAnotherIssuer,
    /// The card to be tokenised is known already, and not as this user's.
    CardAlreadyTokenised,
    /// The card to be tokenised is of a number range that is not the partner's to bring in.
    CardNotAccepted,
    /// The session of an import has had all its card rows.
    ImportRowsUsedUp,
    /// The partner has as many imports open as are allowed.
    TooManyImports,
    /// Plastic of the card was ordered before.
    AlreadyPrinted,
    /// Only a physical card is activated.
    CardNotPhysical,
    /// The card is in use already.
    AlreadyActive,
    /// The card's plastic came back, or will not come.
    CardReturned,
    /// The program has no personalisation bureau.
    NoBureau,
    /// The program takes keys by the partner's ticket only.
    EnrolmentTicketRequired,
    /// The key was revoked.
    HolderKeyRevoked,
    /// The user has as many keys as are allowed.
    TooManyHolderKeys,
    /// The program has no plastic for virtual cards.
    NotDigitalFirst,
    /// The vault does not renew the card: told in events, since nobody asks for it.
    NotRenewable,
    /// The user has no address on file.
    AddressRequired,
    /// Nothing is sent to the webhook endpoint.
    WebhookDisabled,
    /// The partner has as many webhook endpoints as are allowed.
    TooManyWebhooks,
    /// The webhook endpoint is a program's remote URL.
    RemoteUrlConfigured,
    /// The body is too large.
    BodyTooLarge,
    /// The body is not `application/json`.
    UnsupportedMediaType,
    /// A document is of a type that is not taken.
    DocumentTypeUnsupported,
    /// Members break rules: see `errors`.
    ValidationFailed,
    /// The idempotency key was used with another body.
    IdempotencyKeyReused,
    /// A limit is used up.
    TooManyRequests,
    /// A defect or a broken machine: the log says more.
    Internal,
    /// The vault is away or locked.
    VaultUnavailable,
    /// The vault waits for its officers: of readiness only.
    VaultLocked,
    /// The vault does not answer: of readiness only.
    VaultUnreachable,
    /// The database is away, busy or full.
    StoreUnavailable,
    /// More is asked for at once than this machine can work on.
    Busy,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 101] = [
        Self::MalformedJson,
        Self::InvalidHeader,
        Self::EncryptionRequired,
        Self::InvalidPublicKey,
        Self::InvalidPayload,
        Self::CantDecryptPayload,
        Self::SessionRequired,
        Self::CertificateRequired,
        Self::ActivationCodeInvalid,
        Self::AuthenticationFailed,
        Self::CallbackSignatureInvalid,
        Self::TokenInvalid,
        Self::NotAPartner,
        Self::CertificateNotRegistered,
        Self::AddressNotAllowed,
        Self::RoleForbidden,
        Self::HolderProofRequired,
        Self::HolderProofInvalid,
        Self::HolderKeyPending,
        Self::EnrolmentProofInvalid,
        Self::LockNotYours,
        Self::OwnProposal,
        Self::PlatformOnly,
        Self::NotOffered,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyTooSlow,
        Self::KycRequired,
        Self::KycInProgress,
        Self::KycAccepted,
        Self::BalanceRequired,
        Self::TooManyBalances,
        Self::BalanceLocked,
        Self::BalanceClosed,
        Self::BalanceNotLocked,
        Self::BalanceHasCards,
        Self::InsufficientFunds,
        Self::PartnerLimitExceeded,
        Self::PartnerBalanceRequired,
        Self::PartnerBalanceLocked,
        Self::PartnerBalanceExists,
        Self::NotALimit,
        Self::HoldEnded,
        Self::BankReferenceUsed,
        Self::ReloadDecided,
        Self::ExternalIdTaken,
        Self::UserLocked,
        Self::BalanceNotEmpty,
        Self::LoginTaken,
        Self::OperatorDisabled,
        Self::LastAdmin,
        Self::KycDecided,
        Self::KycNotByPartner,
        Self::TooManyDocuments,
        Self::DocumentSubmitted,
        Self::CertificateNotFiled,
        Self::CertificateEnded,
        Self::CertificateKnown,
        Self::IdempotencyInFlight,
        Self::LockIrreversible,
        Self::CardLocked,
        Self::CardNotLocked,
        Self::CardNotActive,
        Self::CardExpired,
        Self::CardRemoved,
        Self::NotReplaceable,
        Self::AlreadyReplaced,
        Self::PinNotAvailable,
        Self::CvvNotAvailable,
        Self::CardNotVirtual,
        Self::CardOfAnotherIssuer,
        Self::CardAlreadyTokenised,
        Self::CardNotAccepted,
        Self::ImportRowsUsedUp,
        Self::TooManyImports,
        Self::AlreadyPrinted,
        Self::CardNotPhysical,
        Self::AlreadyActive,
        Self::CardReturned,
        Self::NoBureau,
        Self::EnrolmentTicketRequired,
        Self::HolderKeyRevoked,
        Self::TooManyHolderKeys,
        Self::NotDigitalFirst,
        Self::NotRenewable,
        Self::AddressRequired,
        Self::WebhookDisabled,
        Self::TooManyWebhooks,
        Self::RemoteUrlConfigured,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::DocumentTypeUnsupported,
        Self::ValidationFailed,
        Self::IdempotencyKeyReused,
        Self::TooManyRequests,
        Self::Internal,
        Self::VaultUnavailable,
        Self::VaultLocked,
        Self::VaultUnreachable,
        Self::StoreUnavailable,
        Self::Busy,
    ];

    /// Status, name and sentence: the whole table.
    #[must_use]
    #[rustfmt::skip]
    pub const fn row(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::MalformedJson => (S::BAD_REQUEST, "MALFORMED_JSON", "The body is not well-formed JSON."),
            Self::InvalidHeader => (S::BAD_REQUEST, "INVALID_HEADER", "A header is missing or not readable."),
            Self::EncryptionRequired => (S::BAD_REQUEST, "ENCRYPTION_REQUIRED", "This endpoint needs the headers Public-Key and Encrypted-Request, and an encrypted body where secrets are sent."),
            Self::InvalidPublicKey => (S::BAD_REQUEST, "INVALID_PUBLIC_KEY", "The key in Public-Key cannot be used."),
            Self::InvalidPayload => (S::BAD_REQUEST, "INVALID_PAYLOAD", "The payload is not the JWE that this endpoint asks for."),
            Self::CantDecryptPayload => (S::BAD_REQUEST, "CANT_DECRYPT_PAYLOAD", "The payload cannot be decrypted."),
            Self::SessionRequired => (S::UNAUTHORIZED, "SESSION_REQUIRED", "There is no session, or it has ended."),
            Self::CertificateRequired => (S::UNAUTHORIZED, "CERTIFICATE_REQUIRED", "The client certificate is not accepted."),
            Self::ActivationCodeInvalid => (S::UNAUTHORIZED, "ACTIVATION_CODE_INVALID", "The activation code is not valid (any more)."),
            Self::AuthenticationFailed => (S::UNAUTHORIZED, "AUTHENTICATION_FAILED", "The login failed."),
            Self::CallbackSignatureInvalid => (S::UNAUTHORIZED, "CALLBACK_SIGNATURE_INVALID", "The message is not signed by this provider, or not of this moment."),
            Self::TokenInvalid => (S::UNAUTHORIZED, "TOKEN_INVALID", "The token that was mailed is not valid (any more)."),
            Self::NotAPartner => (S::FORBIDDEN, "NOT_A_PARTNER", "The client certificate is not a registered partner's."),
            Self::CertificateNotRegistered => (S::FORBIDDEN, "CERTIFICATE_NOT_REGISTERED", "The client certificate is not, or no longer, registered."),
            Self::AddressNotAllowed => (S::FORBIDDEN, "ADDRESS_NOT_ALLOWED", "The partner's servers do not call from this address."),
            Self::RoleForbidden => (S::FORBIDDEN, "ROLE_FORBIDDEN", "The operator's role does not permit this."),
            Self::HolderProofRequired => (S::FORBIDDEN, "HOLDER_PROOF_REQUIRED", "This needs a proof by the holder."),
            Self::HolderProofInvalid => (S::FORBIDDEN, "HOLDER_PROOF_INVALID", "The holder's proof is not valid."),
            Self::HolderKeyPending => (S::FORBIDDEN, "HOLDER_KEY_PENDING", "The holder's key is not active yet."),
            Self::EnrolmentProofInvalid => (S::FORBIDDEN, "ENROLMENT_PROOF_INVALID", "The enrolment proof does not vouch for this key."),
            Self::LockNotYours => (S::FORBIDDEN, "LOCK_NOT_YOURS", "This lock was placed by somebody else."),
            Self::OwnProposal => (S::FORBIDDEN, "OWN_PROPOSAL", "Somebody else has to decide what you proposed."),
            Self::PlatformOnly => (S::FORBIDDEN, "PLATFORM_ONLY", "This is for operators of the platform."),
            Self::NotOffered => (S::FORBIDDEN, "NOT_OFFERED", "The program does not offer this."),
            Self::NotFound => (S::NOT_FOUND, "NOT_FOUND", "There is no such thing here."),
            Self::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "The path does not know this method."),
            Self::BodyTooSlow => (S::REQUEST_TIMEOUT, "BODY_TOO_SLOW", "The body did not arrive in time."),
            Self::KycRequired => (S::CONFLICT, "KYC_REQUIRED", "The user's identity is not established yet."),
            Self::KycInProgress => (S::CONFLICT, "KYC_IN_PROGRESS", "An application waits for a decision already."),
            Self::KycAccepted => (S::CONFLICT, "KYC_ACCEPTED", "The user's identity is established already."),
            Self::BalanceRequired => (S::CONFLICT, "BALANCE_REQUIRED", "The user has no such balance in use."),
            Self::TooManyBalances => (S::CONFLICT, "TOO_MANY_BALANCES", "The user has as many balances as are allowed."),
            Self::BalanceLocked => (S::CONFLICT, "BALANCE_LOCKED", "The balance is locked."),
            Self::BalanceClosed => (S::CONFLICT, "BALANCE_CLOSED", "The balance is closed."),
            Self::BalanceNotLocked => (S::CONFLICT, "BALANCE_NOT_LOCKED", "The balance is not locked."),
            Self::BalanceHasCards => (S::CONFLICT, "BALANCE_HAS_CARDS", "The balance has cards that are in use."),
            Self::InsufficientFunds => (S::CONFLICT, "INSUFFICIENT_FUNDS", "The balance does not cover the amount."),
            Self::PartnerLimitExceeded => (S::CONFLICT, "PARTNER_LIMIT_EXCEEDED", "The partner's balance does not cover the amount."),
            Self::PartnerBalanceRequired => (S::CONFLICT, "PARTNER_BALANCE_REQUIRED", "The partner has no balance in this currency."),
            Self::PartnerBalanceLocked => (S::CONFLICT, "PARTNER_BALANCE_LOCKED", "The partner's balance is locked."),
            Self::PartnerBalanceExists => (S::CONFLICT, "PARTNER_BALANCE_EXISTS", "The partner has a credit or a deposit balance in this currency."),
            Self::NotALimit => (S::CONFLICT, "NOT_A_LIMIT", "A company balance limits no partner."),
            Self::HoldEnded => (S::CONFLICT, "HOLD_ENDED", "The authorisation was cleared or reversed before."),
            Self::BankReferenceUsed => (S::CONFLICT, "BANK_REFERENCE_USED", "This bank transfer was proposed or credited before."),
            Self::ReloadDecided => (S::CONFLICT, "RELOAD_DECIDED", "The reload does not wait for a decision any more."),
            Self::ExternalIdTaken => (S::CONFLICT, "EXTERNAL_ID_TAKEN", "There is a user with this externalId."),
            Self::UserLocked => (S::CONFLICT, "USER_LOCKED", "The user is locked."),
            Self::BalanceNotEmpty => (S::CONFLICT, "BALANCE_NOT_EMPTY", "A balance of the user holds money, or money is held on it."),
            Self::LoginTaken => (S::CONFLICT, "LOGIN_TAKEN", "There is an operator with this login."),
            Self::OperatorDisabled => (S::CONFLICT, "OPERATOR_DISABLED", "The operator is disabled."),
            Self::LastAdmin => (S::CONFLICT, "LAST_ADMIN", "Nobody would be left to manage operators."),
            Self::KycDecided => (S::CONFLICT, "KYC_DECIDED", "The application does not wait for a decision any more."),
            Self::KycNotByPartner => (S::FORBIDDEN, "KYC_NOT_BY_PARTNER", "The program leaves decisions about identities to somebody else."),
            Self::TooManyDocuments => (S::CONFLICT, "TOO_MANY_DOCUMENTS", "The user has as many documents as are kept."),
            Self::DocumentSubmitted => (S::CONFLICT, "DOCUMENT_SUBMITTED", "The document belongs to an application."),
            Self::CertificateNotFiled => (S::CONFLICT, "CERTIFICATE_NOT_FILED", "No certificate request waits."),
            Self::CertificateEnded => (S::CONFLICT, "CERTIFICATE_ENDED", "The certificate was revoked, or its request withdrawn."),
            Self::CertificateKnown => (S::CONFLICT, "CERTIFICATE_KNOWN", "This key or certificate was filed before."),
            Self::IdempotencyInFlight => (S::CONFLICT, "IDEMPOTENCY_IN_FLIGHT", "The same request is still being worked on."),
            Self::LockIrreversible => (S::CONFLICT, "LOCK_IRREVERSIBLE", "The card is locked for good."),
            Self::CardLocked => (S::CONFLICT, "CARD_LOCKED", "The card is locked."),
            Self::CardNotLocked => (S::CONFLICT, "NOT_LOCKED", "The card is not locked."),
            Self::CardNotActive => (S::CONFLICT, "CARD_NOT_ACTIVE", "The card is not active."),
            Self::CardExpired => (S::CONFLICT, "CARD_EXPIRED", "The card's last month has passed."),
            Self::NotReplaceable => (S::CONFLICT, "NOT_REPLACEABLE", "Only a card that is locked as lost, stolen or replaced gives its place to another."),
            Self::AlreadyReplaced => (S::CONFLICT, "ALREADY_REPLACED", "Another card has taken this one's place."),
            Self::CardRemoved => (S::CONFLICT, "CARD_REMOVED", "The card was removed."),
            Self::PinNotAvailable => (S::CONFLICT, "PIN_NOT_AVAILABLE", "A card without plastic has no PIN."),
            Self::CvvNotAvailable => (S::CONFLICT, "CVV_NOT_AVAILABLE", "The CVV of a physical card is printed on it."),
            Self::CardNotVirtual => (S::CONFLICT, "CARD_NOT_VIRTUAL", "The card is not virtual."),
            Self::CardOfAnotherIssuer => (S::CONFLICT, "CARD_OF_ANOTHER_ISSUER", "Code, PIN and plastic of this card are its issuer's to give."),
            Self::CardAlreadyTokenised => (S::CONFLICT, "CARD_ALREADY_TOKENISED", "The card is known already, and not as this one."),
            Self::CardNotAccepted => (S::UNPROCESSABLE_ENTITY, "CARD_NOT_ACCEPTED", "The card is not one that this partner may bring in."),
            Self::ImportRowsUsedUp => (S::CONFLICT, "IMPORT_ROWS_USED_UP", "The import has had as many card rows as its session was opened for."),
            Self::TooManyImports => (S::CONFLICT, "TOO_MANY_IMPORTS", "As many imports are open as are allowed."),
            Self::AlreadyPrinted => (S::CONFLICT, "ALREADY_PRINTED", "Plastic of this card was ordered before."),
            Self::CardNotPhysical => (S::CONFLICT, "CARD_NOT_PHYSICAL", "Only a physical card is activated."),
            Self::AlreadyActive => (S::CONFLICT, "ALREADY_ACTIVE", "The card is active already."),
            Self::CardReturned => (S::CONFLICT, "CARD_RETURNED", "The card's plastic came back or will not come."),
            Self::NoBureau => (S::CONFLICT, "NO_BUREAU", "The program has no personalisation bureau."),
            Self::EnrolmentTicketRequired => (S::CONFLICT, "ENROLMENT_TICKET_REQUIRED", "The program takes keys by the partner's ticket only."),
            Self::HolderKeyRevoked => (S::CONFLICT, "HOLDER_KEY_REVOKED", "This key was revoked and cannot come back."),
            Self::TooManyHolderKeys => (S::CONFLICT, "TOO_MANY_HOLDER_KEYS", "The user has as many keys as are allowed."),
            Self::NotDigitalFirst => (S::CONFLICT, "NOT_DIGITAL_FIRST", "The program has no plastic for virtual cards."),
            Self::NotRenewable => (S::CONFLICT, "NOT_RENEWABLE", "The vault does not renew this card."),
            Self::AddressRequired => (S::CONFLICT, "ADDRESS_REQUIRED", "The user has no address on file."),
            Self::WebhookDisabled => (S::CONFLICT, "WEBHOOK_DISABLED", "Nothing is sent to this endpoint: enable it first."),
            Self::TooManyWebhooks => (S::CONFLICT, "TOO_MANY_WEBHOOKS", "The partner has as many webhook endpoints as are allowed."),
            Self::RemoteUrlConfigured => (S::CONFLICT, "REMOTE_URL_CONFIGURED", "This endpoint is a program's remote URL: its address and its end are set by the operator."),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", "The body is too large."),
            Self::UnsupportedMediaType => (S::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", "The body must be application/json."),
            Self::DocumentTypeUnsupported => (S::UNSUPPORTED_MEDIA_TYPE, "DOCUMENT_TYPE_UNSUPPORTED", "A document must be application/pdf, image/jpeg or image/png."),
            Self::ValidationFailed => (S::UNPROCESSABLE_ENTITY, "VALIDATION_FAILED", "The request breaks one or more rules."),
            Self::IdempotencyKeyReused => (S::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED", "The Idempotency-Key was used with another request."),
            Self::TooManyRequests => (S::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", "Too many requests."),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "INTERNAL", "Something is broken on our side."),
            Self::VaultUnavailable => (S::SERVICE_UNAVAILABLE, "VAULT_UNAVAILABLE", "The vault cannot be asked at the moment."),
            Self::VaultLocked => (S::SERVICE_UNAVAILABLE, "VAULT_LOCKED", "The vault waits for its officers."),
            Self::VaultUnreachable => (S::SERVICE_UNAVAILABLE, "VAULT_UNREACHABLE", "The vault does not answer."),
            Self::StoreUnavailable => (S::SERVICE_UNAVAILABLE, "STORE_UNAVAILABLE", "The database cannot be asked at the moment."),
            Self::Busy => (S::SERVICE_UNAVAILABLE, "BUSY", "Too much is asked for at the moment."),
        }
    }
}

#[cfg(test)]
mod tests;
