//! The operations of the vault that the gateway uses, by the names of the contract (`shared::vault_api`).

use reqwest::StatusCode;
use shared::ids::{CardToken, HolderToken, IdempotencyKey};
use shared::thumbprint::Thumbprint;
use shared::vault_api::cards::{
    ActivateRenewal, CardOperation, CardStanding, IssueCard, IssuePayload, IssuedCard, LockFinally,
    OpenIssuePayload, PrintCard, ProvenOperation, RenewCard, RenewPlastic, RenewalOrdered, RenewedCard,
    ResetCvvUnseen, SealedAnswer, SetPin,
};
use shared::vault_api::governance::Status;
use shared::vault_api::holders::{
    Challenge, CreateChallenge, CreateHolder, EnrolKey, EnrolledKey, HolderCreated, HolderKeys, RevokeKey,
};
use shared::vault_api::keys::VaultKeys;
use shared::vault_api::notices::{AcknowledgeNotices, NoticePage, NoticesAcknowledged};
use shared::vault_api::paths;
use shared::vault_api::plastic::{OpenOrderPayload, OrderCard, OrderPayload, OrderedCard};
use shared::vault_api::reveals::Reveals;
use shared::vault_api::tokens::{
    ImportSession, JudgeRow, JudgedRow, OpenImportSession, OpenTokenisePayload, TokeniseCard,
    TokenisePayload, TokeniseRow, Tokenised, TokenisedRow,
};

use super::{VaultClient, VaultError};

/// Every method: `key` makes the call repeatable; the errors are those of [`VaultError`].
#[expect(clippy::missing_errors_doc, reason = "said once, above, for all of them")]
impl VaultClient {
    /// Whether the vault is locked or unlocked.
    pub async fn status(&self) -> Result<Status, VaultError> {
        self.get(paths::STATUS).await
    }

    /// The vault's public keys with their attestation.
    pub async fn keys(&self) -> Result<VaultKeys, VaultError> {
        self.get(paths::KEYS).await
    }

    /// What happened in the vault after the notice `after`; waits at its door for the first, up to `wait_seconds`. Each is
    /// read by itself: one of an unknown kind must not hide those before it.
    pub async fn notices(
        &self,
        after: u64,
        limit: u64,
        wait_seconds: u64,
    ) -> Result<NoticePage<serde_json::Value>, VaultError> {
        let path = format!(
            "{}?after={after}&limit={limit}&wait={wait_seconds}",
            paths::NOTICES
        );
        self.get_patiently(&path, wait_seconds).await
    }

    /// Everything up to an index was applied.
    pub async fn acknowledge_notices(
        &self,
        key: &IdempotencyKey,
        request: &AcknowledgeNotices,
    ) -> Result<NoticesAcknowledged, VaultError> {
        self.post(paths::ACKNOWLEDGE_NOTICES, key, request, StatusCode::OK)
            .await
    }

    /// Answers with data of a holder's cards, after the event `after`.
    pub async fn reveals_of_holder(
        &self,
        holder: &HolderToken,
        after: i64,
        most: i64,
    ) -> Result<Reveals, VaultError> {
        let path = paths::reveals_of_holder(holder);
        self.get(&format!("{path}?after={after}&limit={most}")).await
    }

    /// Answers with data of a card, after the event `after`.
    pub async fn reveals_of_card(
        &self,
        card: &CardToken,
        after: i64,
        most: i64,
    ) -> Result<Reveals, VaultError> {
        let path = paths::reveals_of_card(card);
        self.get(&format!("{path}?after={after}&limit={most}")).await
    }

    /// Creates a holder.
    pub async fn create_holder(
        &self,
        key: &IdempotencyKey,
        request: &CreateHolder,
    ) -> Result<HolderCreated, VaultError> {
        self.post(paths::HOLDERS, key, request, StatusCode::CREATED).await
    }

    /// Every key that a holder has or had.
    pub async fn holder_keys(&self, holder: &HolderToken) -> Result<HolderKeys, VaultError> {
        self.get(&paths::holder_keys(holder)).await
    }

    /// Enrols a device's key.
    pub async fn enrol_key(
        &self,
        key: &IdempotencyKey,
        holder: &HolderToken,
        request: &EnrolKey,
    ) -> Result<EnrolledKey, VaultError> {
        self.post(&paths::holder_keys(holder), key, request, StatusCode::CREATED)
            .await
    }

    /// Revokes a device's key.
    pub async fn revoke_key(
        &self,
        key: &IdempotencyKey,
        holder: &HolderToken,
        revoked: &Thumbprint,
        request: &RevokeKey,
    ) -> Result<EnrolledKey, VaultError> {
        self.post(&paths::revoke_key(holder, revoked), key, request, StatusCode::OK)
            .await
    }

    /// A challenge for operations of a holder.
    pub async fn challenge_holder(
        &self,
        key: &IdempotencyKey,
        holder: &HolderToken,
        request: &CreateChallenge,
    ) -> Result<Challenge, VaultError> {
        self.post(
            &paths::holder_challenges(holder),
            key,
            request,
            StatusCode::CREATED,
        )
        .await
    }

    /// A challenge for operations on one card.
    pub async fn challenge_card(
        &self,
        key: &IdempotencyKey,
        card: &CardToken,
        request: &CreateChallenge,
    ) -> Result<Challenge, VaultError> {
        self.post(&paths::card_challenges(card), key, request, StatusCode::CREATED)
            .await
    }

    /// Judges proof and payload of a request to create a card, and opens the payload; changes nothing.
    pub async fn open_issue_payload(
        &self,
        key: &IdempotencyKey,
        holder: &HolderToken,
        request: &OpenIssuePayload,
    ) -> Result<IssuePayload, VaultError> {
        self.post(&paths::open_issue_payload(holder), key, request, StatusCode::OK)
            .await
    }

    /// Issues a virtual card.
    pub async fn issue(
        &self,
        key: &IdempotencyKey,
        holder: &HolderToken,
        request: &IssueCard,
    ) -> Result<IssuedCard, VaultError> {
        self.post(&paths::issue(holder), key, request, StatusCode::CREATED)
            .await
    }

    /// Judges proof and payload of an order of a physical card, and opens the payload; changes nothing.
    pub async fn open_order_payload(
        &self,
        key: &IdempotencyKey,
        holder: &HolderToken,
        request: &OpenOrderPayload,
    ) -> Result<OrderPayload, VaultError> {
        self.post(&paths::open_order_payload(holder), key, request, StatusCode::OK)
            .await
    }

    /// Orders a physical card.
    pub async fn order_card(
        &self,
        key: &IdempotencyKey,
        holder: &HolderToken,
        request: &OrderCard,
    ) -> Result<OrderedCard, VaultError> {
        self.post(&paths::order(holder), key, request, StatusCode::CREATED)
            .await
    }

    /// Judges proof and payload of a request to tokenise a card, and opens the payload; looks nothing up.
    pub async fn open_tokenise_payload(
        &self,
        key: &IdempotencyKey,
        holder: &HolderToken,
        request: &OpenTokenisePayload,
    ) -> Result<TokenisePayload, VaultError> {
        self.post(
            &paths::open_tokenise_payload(holder),
            key,
            request,
            StatusCode::OK,
        )
        .await
    }

    /// Gives an existing card a token.
    pub async fn tokenise(
        &self,
        key: &IdempotencyKey,
        holder: &HolderToken,
        request: &TokeniseCard,
    ) -> Result<Tokenised, VaultError> {
        self.post(&paths::tokenise(holder), key, request, StatusCode::OK)
            .await
    }

    /// Gives the card of a row of a mass import a token.
    pub async fn tokenise_row(
        &self,
        key: &IdempotencyKey,
        holder: &HolderToken,
        request: &TokeniseRow,
    ) -> Result<TokenisedRow, VaultError> {
        self.post(&paths::tokenise_row(holder), key, request, StatusCode::OK)
            .await
    }

    /// Judges a row of a mass import as tokenising it would, and does nothing.
    pub async fn judge_row(&self, key: &IdempotencyKey, request: &JudgeRow) -> Result<JudgedRow, VaultError> {
        self.post(paths::ROW_VERDICTS, key, request, StatusCode::OK).await
    }

    /// A nonce for the card rows of a mass import.
    pub async fn open_import_session(
        &self,
        key: &IdempotencyKey,
        request: &OpenImportSession,
    ) -> Result<ImportSession, VaultError> {
        self.post(paths::IMPORT_SESSIONS, key, request, StatusCode::CREATED)
            .await
    }

    /// Full card data, sealed to the caller.
    pub async fn reveal(
        &self,
        key: &IdempotencyKey,
        card: &CardToken,
        request: &ProvenOperation,
    ) -> Result<SealedAnswer, VaultError> {
        self.post(&paths::reveal(card), key, request, StatusCode::OK)
            .await
    }

    /// A new CVV, sealed to the caller.
    pub async fn reset_cvv(
        &self,
        key: &IdempotencyKey,
        card: &CardToken,
        request: &ProvenOperation,
    ) -> Result<SealedAnswer, VaultError> {
        self.post(&paths::reset_cvv(card), key, request, StatusCode::OK)
            .await
    }

    /// A new CVV that nobody is told; the masked card, sealed to the caller.
    pub async fn reset_cvv_unseen(
        &self,
        key: &IdempotencyKey,
        card: &CardToken,
        request: &ResetCvvUnseen,
    ) -> Result<SealedAnswer, VaultError> {
        self.post(&paths::reset_cvv_unseen(card), key, request, StatusCode::OK)
            .await
    }

    /// Orders plastic of a virtual card.
    pub async fn print(
        &self,
        key: &IdempotencyKey,
        card: &CardToken,
        request: &PrintCard,
    ) -> Result<SealedAnswer, VaultError> {
        self.post(&paths::print(card), key, request, StatusCode::CREATED)
            .await
    }

    /// Sets the PIN that the payload holds.
    pub async fn set_pin(
        &self,
        key: &IdempotencyKey,
        card: &CardToken,
        request: &SetPin,
    ) -> Result<SealedAnswer, VaultError> {
        self.post(&paths::set_pin(card), key, request, StatusCode::OK)
            .await
    }

    /// Moves the end of a card on.
    pub async fn renew(
        &self,
        key: &IdempotencyKey,
        card: &CardToken,
        request: &RenewCard,
    ) -> Result<RenewedCard, VaultError> {
        self.post(&paths::renew(card), key, request, StatusCode::OK).await
    }

    /// Orders the next plastic of a card that nears its end.
    pub async fn renew_plastic(
        &self,
        key: &IdempotencyKey,
        card: &CardToken,
        request: &RenewPlastic,
    ) -> Result<RenewalOrdered, VaultError> {
        self.post(&paths::renew_plastic(card), key, request, StatusCode::CREATED)
            .await
    }

    /// Says that the renewed plastic is in its holder's hands.
    pub async fn activate_renewal(
        &self,
        key: &IdempotencyKey,
        card: &CardToken,
        request: &ActivateRenewal,
    ) -> Result<RenewedCard, VaultError> {
        self.post(&paths::activate_renewal(card), key, request, StatusCode::OK)
            .await
    }

    /// Sets the one-way flag of an irreversible lock.
    pub async fn lock_finally(
        &self,
        key: &IdempotencyKey,
        card: &CardToken,
        request: &LockFinally,
    ) -> Result<CardStanding, VaultError> {
        self.post(&paths::lock_finally(card), key, request, StatusCode::OK)
            .await
    }

    /// Clears the PIN try counter.
    pub async fn clear_pin_tries(
        &self,
        key: &IdempotencyKey,
        card: &CardToken,
        request: &CardOperation,
    ) -> Result<CardStanding, VaultError> {
        self.post(&paths::clear_pin_tries(card), key, request, StatusCode::OK)
            .await
    }

    /// Closes a card for good.
    pub async fn erase(
        &self,
        key: &IdempotencyKey,
        card: &CardToken,
        request: &CardOperation,
    ) -> Result<CardStanding, VaultError> {
        self.post(&paths::erase(card), key, request, StatusCode::OK).await
    }
}
