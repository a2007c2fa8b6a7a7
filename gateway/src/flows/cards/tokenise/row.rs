//! Card rows of a mass import. The vault spends each row once, with its answer; here the card is filed once. So a job
//! repeats a row after whatever crash, in the same words, and nothing is there twice.

use shared::ids::IdempotencyKey;
use shared::jwe::CompactJwe;
use shared::mtls::identity::Name;
use shared::vault_api::Actor;
use shared::vault_api::tokens::{ImportSession, OpenImportSession, TokeniseRow, TokenisedRow};

use super::effect::file;
use super::place;
use crate::domain::balance::BalanceId;
use crate::domain::card::{Card, CardId, CardName, NewCard};
use crate::domain::user::User;
use crate::error::Error;
use crate::services::Services;
use crate::store::card_requests::brought_in;
use crate::store::{Sequence, cards};

/// Opens a session for the card rows of an import: the nonce that the partner signs for each of them. A retry opens another;
/// none grants anything without the partner's signatures.
///
/// # Errors
/// `VALIDATION_FAILED` for the import's name or the number of rows, `TOO_MANY_IMPORTS`, what keeps the vault from it.
pub async fn session(
    services: &Services,
    partner: &Name,
    import: &str,
    rows: u32,
    actor: Actor,
) -> Result<ImportSession, Error> {
    let request = OpenImportSession {
        partner: partner.clone(),
        import: import.to_owned(),
        rows,
        actor,
    };
    let key = services.vault_key()?;
    Ok(services.vault.open_import_session(&key, &request).await?)
}

/// A row, as the partner signed it.
pub struct CardRow<'a> {
    /// Whose card it is to be.
    pub user: &'a User,
    /// On which balance; the first in use if none is named.
    pub balance: Option<BalanceId>,
    /// What the card is to be called.
    pub name: Option<CardName>,
    /// The partner's name of the import, as its session was opened for it.
    pub import: &'a str,
    /// The row's name, `{import}:{row}`: what the proof's `card` says.
    pub row: &'a str,
    /// `{cardNo, exp, cvv?, type?}`, sealed to the vault.
    pub payload: &'a CompactJwe,
    /// The partner's signature, by the session's nonce.
    pub holder_proof: &'a str,
    /// The key under which the vault is asked, and asked again.
    pub vault_key: &'a IdempotencyKey,
    /// What the vault is told of the caller.
    pub actor: Actor,
}

/// Tokenises the card of one row and files it; the card that is there, where that was done before.
///
/// # Errors
/// `USER_LOCKED`, `KYC_REQUIRED`, `BALANCE_REQUIRED`, `NOT_FOUND`; the proof's, the payload's, `CARD_NOT_ACCEPTED`,
/// `CARD_ALREADY_TOKENISED`, `CARD_REMOVED`, `IMPORT_ROWS_USED_UP`: the row's end. `TOO_MANY_REQUESTS` and 503: worth another
/// try.
pub async fn row(services: &Services, row: CardRow<'_>) -> Result<Card, Error> {
    let mut tx = services.db.begin().await?;
    let placed = place(&mut tx, row.user.id, row.balance).await?;
    tx.commit().await?;
    let balance = placed?;
    let request = TokeniseRow {
        import: row.import.to_owned(),
        row: row.row.to_owned(),
        payload: row.payload.as_str().to_owned(),
        holder_proof: row.holder_proof.to_owned(),
        actor: row.actor.clone(),
    };
    let done = services
        .vault
        .tokenise_row(row.vault_key, &row.user.holder, &request)
        .await?;
    let mut tx = services.db.begin().await?;
    let card = match cards::find_by_token(&mut tx, &done.card).await? {
        Some(card) => card,
        None => {
            let id = CardId(tx.next_number(Sequence::Cards).await?);
            let card = brought(services, &row, (id, balance), done);
            file(services, &mut tx, &card).await?;
            card
        }
    };
    tx.commit().await?;
    Ok(card)
}

fn brought(
    services: &Services,
    row: &CardRow<'_>,
    (id, balance): (CardId, BalanceId),
    done: TokenisedRow,
) -> Card {
    let new = NewCard {
        id,
        user: row.user.id,
        balance,
        name: row.name.clone(),
        created_at: services.now(),
        replaces: None,
    };
    let mut card = new.issued(done.card, done.masked_card_no, done.exp);
    card.standing = brought_in(done.kind, done.foreign);
    card
}
