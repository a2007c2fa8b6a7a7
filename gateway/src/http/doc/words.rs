//! What the product's own words look like: each shape stands for one type that is read or shown.

use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use super::shape::{
    Shape, enumeration, integer, jws, line, object, one_of, optional, pattern, required, text,
};
use crate::domain::balance::BalanceState;
use crate::domain::card::{CardName, CardType};
use crate::domain::import::{ImportKind, ImportStatus, RowStatus};
use crate::domain::kyc::{DocumentKind, KycStatus, RejectionReason};
use crate::domain::ledger::PendingState;
use crate::domain::lock::{LockCode, Party};
use crate::domain::number::NUMBER_END;
use crate::domain::operator::{OperatorState, Role};
use crate::domain::partner_balance::{PartnerBalanceState, ReloadState};
use crate::domain::user::UserStanding;

/// A number by which a thing is named.
pub fn id() -> Shape {
    integer(1, NUMBER_END - 1, 1125)
}

/// An e-mail address.
pub fn email() -> Shape {
    text(6, 254, "jan.kowalski@example.com").with("format", "email")
}

/// A telephone number.
pub fn phone_number() -> Shape {
    pattern(r"^\+[1-9][0-9]{6,14}$", "+48600100200").saying("E.164.")
}

/// A first or last name.
pub fn person_name(example: &str) -> Shape {
    line(100, example)
}

/// A day of birth.
pub fn date_of_birth() -> Shape {
    pattern(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "1990-05-17")
        .with("format", "date")
        .saying("A past day.")
}

/// A country.
pub fn country() -> Shape {
    pattern("^[A-Z]{2}$", "PL").saying("ISO 3166-1 alpha-2.")
}

/// A currency.
pub fn currency() -> Shape {
    pattern("^[A-Z]{3}$", "EUR").saying("ISO 4217.")
}

/// The partner's own name of something.
pub fn external_id() -> Shape {
    pattern("^[!-~]{1,64}$", "cust-77").saying("The partner's own name for the user.")
}

/// A postal address.
pub fn address() -> Shape {
    object([
        required("line1", line(100, "ul. Prosta 1")),
        optional("line2", line(100, "m. 7")),
        required("city", line(100, "Warszawa")),
        required("postalCode", line(16, "00-001")),
        required("country", country()),
    ])
}

/// The PIN of the app.
pub fn app_pin() -> Shape {
    pattern("^[0-9]{4,8}$", "482913")
        .secret()
        .saying("The app's PIN, not a card's.")
}

/// A public P-256 key.
pub fn p256_jwk() -> Shape {
    let coordinate = |example| pattern("^[A-Za-z0-9_-]{43}$", example);
    object([
        required("kty", one_of(["EC"])),
        required("crv", one_of(["P-256"])),
        required("x", coordinate("wYJW1PLUcH92BtXft_V0BOeRQzjHrG05Ke0BP0lq31M")),
        required("y", coordinate("69zWuNArJqouYIYXXjzIkk3ADVGVear7JcQ_LgrdhKQ")),
        optional("alg", one_of(["ES256"])),
        optional("use", one_of(["sig"])),
    ])
    .saying("A point on P-256 (RFC 7518 section 6.2.1).")
}

/// What a user calls a card.
pub fn card_name() -> Shape {
    line(CardName::MAX_CHARACTERS as u64, "Groceries").saying("Fewer than 12 digits in all.")
}

/// Why a card is locked.
pub fn reason_code() -> Shape {
    let codes = LockCode::ALL.map(|code| format!("{}: {}", code.number(), code.reason()));
    integer(1, 8, 3).saying(&codes.join("; "))
}

/// The login of an operator.
pub fn login() -> Shape {
    pattern(r"^[ -~]+$", "admin@example.com")
        .with("format", "email")
        .with("minLength", 6)
        .with("maxLength", 254)
}

/// The password of an operator.
pub fn password() -> Shape {
    text(12, 128, "correct horse battery staple").secret()
}

/// A one-time code.
pub fn totp() -> Shape {
    pattern("^[0-9]{6}$", "492039")
        .secret()
        .saying("RFC 6238: 6 digits.")
}

/// A token that was mailed.
pub fn mailed_token(prefix: &str) -> Shape {
    let example = format!("{prefix}Zm9yLXlvdXItZXllcy1vbmx5LW5vdC1mb3ItdGhlaXJz");
    text(1, 128, &example).secret().saying("From the mail.")
}

/// A role.
pub fn role() -> Shape {
    Shape::of_schema(roles())
}

/// What a document shows.
pub fn document_kind() -> Shape {
    Shape::of_schema(document_kinds())
}

/// Why an application is rejected.
pub fn rejection_reason() -> Shape {
    Shape::of_schema(rejection_reasons())
}

/// A `Holder-Proof`.
pub fn holder_proof() -> Shape {
    jws(8 * 1024)
}

// Schemas of members of answers: `#[schema(schema_with = …)]`.

/// Where a user stands with KYC.
pub fn kyc_status() -> RefOr<Schema> {
    enumeration(KycStatus::ALL.map(KycStatus::as_str))
}

/// Whether an account can be used: who is removed is not shown.
pub fn user_standing() -> RefOr<Schema> {
    let shown = [UserStanding::Open, UserStanding::Locked];
    enumeration(shown.map(UserStanding::as_str))
}

/// Who locks users.
pub fn user_locker() -> RefOr<Schema> {
    enumeration([Party::Partner.as_str(), Party::Operator.as_str()])
}

/// Whether an installation can log in.
pub fn installation_state() -> RefOr<Schema> {
    enumeration(["ACTIVE", "REVOKED"])
}

/// What a holder's key may do.
pub fn key_state() -> RefOr<Schema> {
    enumeration(["ACTIVE", "PENDING", "REVOKED", "UNKNOWN"])
}

/// What lines of an import are.
pub fn import_kind() -> RefOr<Schema> {
    enumeration(ImportKind::ALL.map(ImportKind::as_word))
}

/// Where an import stands.
pub fn import_status() -> RefOr<Schema> {
    enumeration([ImportStatus::Running, ImportStatus::Done, ImportStatus::Failed].map(ImportStatus::as_str))
}

/// Where a row of an import stands.
pub fn import_row_status() -> RefOr<Schema> {
    enumeration([RowStatus::Waiting, RowStatus::Done, RowStatus::Failed].map(RowStatus::as_str))
}

/// What documents show.
pub fn document_kinds() -> RefOr<Schema> {
    enumeration(DocumentKind::ALL.map(DocumentKind::as_str))
}

/// Why applications are rejected.
pub fn rejection_reasons() -> RefOr<Schema> {
    enumeration(RejectionReason::ALL.map(RejectionReason::as_str))
}

/// Whether a balance can be used.
pub fn balance_state() -> RefOr<Schema> {
    enumeration(BalanceState::ALL.map(BalanceState::as_str))
}

/// What a transaction is for.
pub fn transaction_kind() -> RefOr<Schema> {
    enumeration(["RELOAD", "AUTHORISATION", "CLEARING", "REVERSAL", "REFUND"])
}

/// Where a transaction stands.
pub fn transaction_state() -> RefOr<Schema> {
    enumeration(PendingState::ALL.map(PendingState::as_str))
}

/// The kinds of partner balances.
pub fn partner_balance_kind() -> RefOr<Schema> {
    enumeration(["CREDIT", "DEPOSIT", "COMPANY"])
}

/// Whether a partner balance can be drawn.
pub fn partner_balance_state() -> RefOr<Schema> {
    enumeration(PartnerBalanceState::ALL.map(PartnerBalanceState::as_str))
}

/// What became of a reload of a partner balance.
pub fn reload_state() -> RefOr<Schema> {
    enumeration(ReloadState::ALL.map(ReloadState::as_str))
}

/// The kinds of cards.
pub fn card_type() -> RefOr<Schema> {
    enumeration(CardType::ALL.map(CardType::as_str))
}

/// Who placed a lock.
pub fn party() -> RefOr<Schema> {
    enumeration(Party::ALL.map(Party::as_str))
}

/// The roles of operators.
pub fn roles() -> RefOr<Schema> {
    enumeration(Role::ALL.map(Role::as_str))
}

/// Whether an operator can log in.
pub fn operator_state() -> RefOr<Schema> {
    enumeration(OperatorState::ALL.map(OperatorState::as_str))
}

/// A postal address, as it is shown.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes shared::vault_api::cards::PostalAddress, which knows nothing of documents"
)]
pub struct PostalAddress {
    /// Street and number.
    line1: String,
    /// Anything more.
    line2: Option<String>,
    /// City.
    city: String,
    /// Postal code.
    postal_code: String,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "PL")]
    country: String,
}

/// A nonce for a proof.
pub fn challenge() -> Shape {
    let nonce = pattern(
        "^[A-Za-z0-9_-]{43}$",
        "bm9uY2Utb2YtdGhlLXZhdWx0LTI1Ni1yYW5kb20tYml",
    );
    object([
        required("nonce", nonce.saying("Goes into the proof; good once.")),
        required("expiresAt", time("2026-11-26T21:31:00Z")),
    ])
    .with("additionalProperties", true)
    .named("HolderChallenge")
}

/// A moment.
pub fn time(example: &str) -> Shape {
    pattern("^", example)
        .with("format", "date-time")
        .saying("RFC 3339, UTC.")
}

/// The vault's public keys.
pub fn vault_keys() -> Shape {
    let jwk = super::shape::object([]).with("additionalProperties", true).like(json!({
        "kty": "RSA", "use": "enc", "alg": "RSA-OAEP-256", "kid": "key-1", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W", "e": "AQAB",
    }));
    object([
        required("keys", super::shape::list(jwk, 1, 16).saying("JWKs; the first is the current RSA key.")),
        required("pem", text(1, 8192, "-----BEGIN PUBLIC KEY-----\nMIIBojANBgkqhkiG9w0BAQEFAAOCAY8A\n-----END PUBLIC KEY-----\n").saying("The current key, SPKI.")),
        required("attestation", jws(16 * 1024).saying("The vault's word for the keys: a JWS by its certificate (`typ: key-attestation+jwt`), which a client that pins the CA checks before it seals a secret.")),
    ])
    .with("additionalProperties", true)
    .named("VaultKeys")
}
