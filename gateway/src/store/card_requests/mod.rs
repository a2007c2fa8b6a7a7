//! What is being done to cards at the vault: written down before the vault is asked, repeated in the same words (but for
//! the proof, which is good once) until it has answered, struck off in the transaction of its effect. So a crash between
//! the two neither loses nor doubles anything.

mod new_cards;
mod renewal;
mod tokenise;

use serde::{Deserialize, Serialize};
use shared::ids::{CardToken, IdempotencyKey};
use shared::vault_api::cards::{CardOperation, LockFinally, PrintCard};
use sqlx::any::AnyRow;
use time::{Duration, OffsetDateTime};

pub use self::new_cards::{Issue, Order};
pub use self::renewal::{Renew, RenewalActivation, RenewedPlastic};
pub use self::tokenise::{BringRow, Tokenise, brought_in};
use super::audit::Stamp;
use super::row::{get, parse};
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::balance::BalanceId;
use crate::domain::card::CardId;
use crate::domain::lock::{Lock, LockCode, Party};

/// How long the request itself has to bring its work to an end before the job takes over, and between tries of the job.
/// Longer than all time limits of a request together.
pub const PATIENCE: Duration = Duration::seconds(60);

/// Work under way.
pub struct CardRequest {
    /// Its number.
    pub id: CardRequestId,
    /// The card, or the number of the card to be.
    pub card: CardId,
    /// The client's idempotency entry, if its request had a key.
    pub entry: Option<i64>,
    /// The key under which the vault is asked.
    pub vault_key: IdempotencyKey,
    /// What is asked of the vault, and what follows from it here.
    pub task: Task,
    /// Which operator's action it is; none on other channels.
    pub stamp: Option<Stamp>,
    /// When it was written down.
    pub began: OffsetDateTime,
}

/// The number of work under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardRequestId(pub i64);

/// A call to the vault, word for word, and what its effect here will be.
#[derive(Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Task {
    /// Issue a virtual card.
    Issue(Issue),
    /// Order a physical card.
    Order(Order),
    /// Bring an existing card in.
    Tokenise(Tokenise),
    /// Bring in the card of a row of a mass import.
    BringRow(BringRow),
    /// Order plastic of a virtual card.
    Print(Print),
    /// Lock a card for good.
    Lock(FinalLock),
    /// Remove a card.
    Remove(Remove),
    /// Move the end of a card on.
    Renew(Renew),
    /// Order the next plastic of a card.
    RenewPlastic(RenewedPlastic),
    /// Take a card's next plastic into use.
    ActivateRenewal(RenewalActivation),
    /// Begin a card's PIN tries again, after its lock was lifted outside.
    ClearPinTries(ClearPinTries),
}

/// What a client makes anew for each try: a proof is good for one. The vault looks for the earlier answer without it.
pub struct Proof {
    /// The header `Holder-Proof`.
    pub holder_proof: String,
    /// The header `Idempotency-Key`, which a proof of a card to be names.
    pub issue_key: Option<IdempotencyKey>,
}

impl Task {
    /// The balance on which a card is being made.
    fn balance(&self) -> Option<BalanceId> {
        match self {
            Self::Issue(issue) => Some(BalanceId(issue.balance)),
            Self::Order(order) => Some(BalanceId(order.balance)),
            Self::Tokenise(tokenise) => Some(tokenise.balance()),
            Self::BringRow(row) => Some(row.balance()),
            Self::Print(_)
            | Self::Lock(_)
            | Self::Remove(_)
            | Self::Renew(_)
            | Self::RenewPlastic(_)
            | Self::ActivateRenewal(_)
            | Self::ClearPinTries(_) => None,
        }
    }

    fn prove_anew(&mut self, proof: Proof) {
        match self {
            Self::Issue(issue) => {
                issue.call.holder_proof = Some(proof.holder_proof);
                issue.call.issue_key = proof.issue_key;
            }
            Self::Order(order) => {
                order.call.holder_proof = Some(proof.holder_proof);
                order.call.order_key = proof.issue_key;
            }
            Self::Tokenise(task) => task.call.holder_proof = Some(proof.holder_proof),
            Self::Print(print) => print.call.holder_proof = Some(proof.holder_proof),
            Self::BringRow(_)
            | Self::Lock(_)
            | Self::Remove(_)
            | Self::Renew(_)
            | Self::RenewPlastic(_)
            | Self::ActivateRenewal(_)
            | Self::ClearPinTries(_) => {}
        }
    }
}

/// Order plastic of a virtual card.
#[derive(Serialize, Deserialize)]
pub struct Print {
    /// The card.
    pub card: CardToken,
    /// What the vault is asked.
    pub call: PrintCard,
}

/// Lock a card for good.
#[derive(Serialize, Deserialize)]
pub struct FinalLock {
    card: CardToken,
    code: u8,
    placed_by: String,
    placed_at: i64,
    call: LockFinally,
}

impl FinalLock {
    /// Placing `lock`, an irreversible one, on `card` by `call`.
    #[must_use]
    pub fn new(card: CardToken, lock: Lock, call: LockFinally) -> Self {
        Self {
            card,
            code: lock.code.number(),
            placed_by: lock.placed_by.as_str().to_owned(),
            placed_at: millis(lock.placed_at),
            call,
        }
    }

    /// The card.
    #[must_use]
    pub const fn card(&self) -> &CardToken {
        &self.card
    }

    /// What the vault is asked.
    #[must_use]
    pub const fn call(&self) -> &LockFinally {
        &self.call
    }

    /// The lock.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn lock(&self) -> Result<Lock, StoreError> {
        Ok(Lock {
            code: LockCode::from_number(self.code.into()).ok_or(StoreError::Corrupt("task.code"))?,
            placed_by: Party::from_name(&self.placed_by).ok_or(StoreError::Corrupt("task.placed_by"))?,
            placed_at: instant(self.placed_at)?,
        })
    }
}

/// Remove a card.
#[derive(Serialize, Deserialize)]
pub struct Remove {
    /// The card.
    pub card: CardToken,
    /// What the vault is asked.
    pub call: CardOperation,
}

/// Begin a card's PIN tries again.
#[derive(Serialize, Deserialize)]
pub struct ClearPinTries {
    /// The card.
    pub card: CardToken,
    /// What the vault is asked.
    pub call: CardOperation,
}

fn of_row(row: &AnyRow) -> Result<CardRequest, StoreError> {
    Ok(CardRequest {
        id: CardRequestId(get(row, "id")?),
        card: CardId(get(row, "card_id")?),
        entry: get(row, "request_id")?,
        vault_key: parse(row, "vault_key")?,
        task: serde_json::from_str(&get::<String>(row, "task")?).map_err(|_| StoreError::Corrupt("task"))?,
        stamp: stamp_of_row(row)?,
        began: instant(get(row, "created_at")?)?,
    })
}

fn stamp_of_row(row: &AnyRow) -> Result<Option<Stamp>, StoreError> {
    get::<Option<String>>(row, "stamp")?
        .map(|stamp| serde_json::from_str(&stamp).map_err(|_| StoreError::Corrupt("stamp")))
        .transpose()
}

fn written(task: &Task) -> Result<String, StoreError> {
    serde_json::to_string(task).map_err(|_| StoreError::Corrupt("task"))
}

/// Writes work down, before the vault is asked.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn begin(
    tx: &mut Tx,
    card: CardId,
    entry: Option<i64>,
    vault_key: IdempotencyKey,
    task: Task,
    stamp: Option<Stamp>,
    now: OffsetDateTime,
) -> Result<CardRequest, StoreError> {
    let id = tx.next_number(Sequence::CardRequests).await?;
    sqlx::query(
        "INSERT INTO card_requests (id, card_id, request_id, vault_key, task, next_try_at, created_at, stamp, balance_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id)
    .bind(card.0)
    .bind(entry)
    .bind(vault_key.as_str())
    .bind(written(&task)?)
    .bind(millis(now + PATIENCE))
    .bind(millis(now))
    .bind(
        stamp
            .as_ref()
            .map(serde_json::to_string)
            .transpose()
            .map_err(|_| StoreError::Corrupt("stamp"))?,
    )
    .bind(task.balance().map(|balance| balance.0))
    .execute(&mut **tx)
    .await?;
    Ok(CardRequest {
        id: CardRequestId(id),
        card,
        entry,
        vault_key,
        task,
        stamp,
        began: now,
    })
}

/// What an earlier try of the client's request had begun: from now on it is this try's, under its proof, and the job keeps
/// off it for another while.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn resume(
    tx: &mut Tx,
    entry: Option<i64>,
    proof: Option<Proof>,
    now: OffsetDateTime,
) -> Result<Option<CardRequest>, StoreError> {
    let Some(entry) = entry else { return Ok(None) };
    let row = sqlx::query("UPDATE card_requests SET next_try_at = $2 WHERE request_id = $1 RETURNING *")
        .bind(entry)
        .bind(millis(now + PATIENCE))
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut work = of_row(&row)?;
    if let Some(proof) = proof {
        work.task.prove_anew(proof);
        sqlx::query("UPDATE card_requests SET task = $2 WHERE id = $1")
            .bind(work.id.0)
            .bind(written(&work.task)?)
            .execute(&mut **tx)
            .await?;
    }
    Ok(Some(work))
}

/// What an earlier try had begun under this key, which is its own: from now on it is this try's, and the job keeps off it for
/// another while.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn resume_under(
    tx: &mut Tx,
    vault_key: &IdempotencyKey,
    now: OffsetDateTime,
) -> Result<Option<CardRequest>, StoreError> {
    sqlx::query("UPDATE card_requests SET next_try_at = $2 WHERE vault_key = $1 RETURNING *")
        .bind(vault_key.as_str())
        .bind(millis(now + PATIENCE))
        .fetch_optional(&mut **tx)
        .await?
        .as_ref()
        .map(of_row)
        .transpose()
}

/// Sets the job's next try.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn put_off(tx: &mut Tx, id: CardRequestId, until: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query("UPDATE card_requests SET next_try_at = $2 WHERE id = $1")
        .bind(id.0)
        .bind(millis(until))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Strikes work off: it has its effect in this transaction, or none at the vault. `false` when somebody else has struck it
/// off.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn strike(tx: &mut Tx, id: CardRequestId) -> Result<bool, StoreError> {
    let struck = sqlx::query("DELETE FROM card_requests WHERE id = $1")
        .bind(id.0)
        .execute(&mut **tx)
        .await?;
    Ok(struck.rows_affected() == 1)
}

/// Work that was left behind: itself, or the number of a row that cannot be read and why.
pub type Overdue = Result<CardRequest, (CardRequestId, StoreError)>;

/// Takes work that was left behind, oldest first, and sets its next try a while off. At most `most`. A row that cannot be
/// read holds up no other.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_overdue(tx: &mut Tx, now: OffsetDateTime, most: i64) -> Result<Vec<Overdue>, StoreError> {
    let rows = sqlx::query(
        "UPDATE card_requests SET next_try_at = $2 WHERE id IN \
         (SELECT id FROM card_requests WHERE next_try_at <= $1 ORDER BY next_try_at LIMIT $3) RETURNING *",
    )
    .bind(millis(now))
    .bind(millis(now + PATIENCE))
    .bind(most)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            let id = CardRequestId(get(row, "id")?);
            Ok(of_row(row).map_err(|error| (id, error)))
        })
        .collect()
}

#[cfg(test)]
mod tests;
