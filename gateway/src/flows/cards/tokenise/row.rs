//! Card rows of a mass import. A row is written down before the vault is asked, like every card that is being made: whatever
//! becomes of its user or its balance meanwhile, and whatever crashes, what the vault has done is filed here, so that it is
//! erased with its user. The vault spends each row once, with its answer.

use shared::ids::IdempotencyKey;
use shared::mtls::identity::Name;
use shared::vault_api::Actor;
use shared::vault_api::tokens::{ImportSession, JudgeRow, OpenImportSession, RowOwner, TokeniseRow};

use super::super::carry_out::{carry_out, go_on};
use super::{BroughtCard, place};
use crate::domain::balance::BalanceId;
use crate::domain::card::{CardId, CardName, NewCard};
use crate::domain::user::User;
use crate::error::Error;
use crate::flows::attempt::Attempt;
use crate::services::Services;
use crate::store::Sequence;
use crate::store::card_requests::{self, BringRow, Task};

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

/// A row that brings a card in.
pub struct CardRow<'a> {
    /// Whose card it is to be.
    pub user: &'a User,
    /// On which balance; the first in use if none is named.
    pub balance: Option<BalanceId>,
    /// What the card is to be called.
    pub name: Option<CardName>,
    /// The key under which the vault is asked, and asked again: the row's own.
    pub vault_key: IdempotencyKey,
    /// What the vault is asked, as the partner signed it.
    pub call: TokeniseRow,
}

/// Tokenises the card of one row and files it; goes on with it, where that was begun before.
///
/// # Errors
/// `NOT_FOUND`, `USER_LOCKED`, `KYC_REQUIRED`, `BALANCE_REQUIRED`; the proof's, the payload's, `CARD_NOT_ACCEPTED`,
/// `CARD_ALREADY_TOKENISED`, `CARD_REMOVED`, `IMPORT_ROWS_USED_UP`: the row's end. `TOO_MANY_REQUESTS` and 503: worth another
/// try.
pub async fn row(services: &Services, row: CardRow<'_>) -> Result<BroughtCard, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    if let Some(work) = card_requests::resume_under(&mut tx, &row.vault_key, now).await? {
        tx.commit().await?;
        return BroughtCard::read(&go_on(services, &work).await?);
    }
    let balance = match place(&mut tx, row.user.id, row.balance).await? {
        Ok(balance) => balance,
        Err(code) => {
            tx.commit().await?;
            return Err(code.into());
        }
    };
    let card = NewCard {
        id: CardId(tx.next_number(Sequence::Cards).await?),
        user: row.user.id,
        balance,
        name: row.name,
        created_at: now,
        replaces: None,
    };
    let task = Task::BringRow(BringRow::new(row.user.holder.clone(), &card, row.call));
    let work = card_requests::begin(&mut tx, card.id, None, row.vault_key, task, None, now).await?;
    tx.commit().await?;
    BroughtCard::read(&carry_out(services, &work, Attempt::First).await?)
}

/// Judges the card of one row as [`row`] would, for a user who is there, and does nothing.
///
/// # Errors
/// As there.
pub async fn judge_row(
    services: &Services,
    user: &User,
    balance: Option<BalanceId>,
    call: TokeniseRow,
) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    let placed = place(&mut tx, user.id, balance).await?;
    tx.commit().await?;
    placed?;
    ask_for_verdict(services, RowOwner::Holder(user.holder.clone()), call).await
}

/// Asks the vault what it would do with a row.
///
/// # Errors
/// The vault's.
pub async fn ask_for_verdict(services: &Services, owner: RowOwner, call: TokeniseRow) -> Result<(), Error> {
    let request = JudgeRow { owner, row: call };
    services.vault.judge_row(&services.vault_key()?, &request).await?;
    Ok(())
}
