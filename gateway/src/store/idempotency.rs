//! The memory of answered requests: the same request again gets the first answer, byte for byte, and has no second effect.
//!
//! An entry is claimed in the first transaction of a flow and completed in its last, together with the effect. In a flow of
//! one transaction nobody ever sees an entry without an answer; in a flow that calls the vault between two transactions an
//! unanswered entry is either under way (somebody holds its [`Claim`]) or was left by a crash, and is then resumed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::Row as _;
use sqlx::any::AnyRow;
use time::{Duration, OffsetDateTime};

use super::row::{bytes, get};
use super::subject::Subject;
use super::{Sequence, StoreError, Tx, instant, millis};

/// How long an answer is kept.
pub const KEPT_FOR: Duration = Duration::hours(24);
/// How long another process may be silent about a claim before it counts as dead: longer than any request takes.
const LEASE: Duration = Duration::seconds(60);

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, 2xx.
    pub status: u16,
    /// The header `Vault-Proof`.
    pub vault_proof: Option<String>,
    /// The header `Audit-Index`. A replay carries the first answer's, whose event holds the hash of the same body.
    pub audit_index: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

/// Which request it is: what the same request would bring again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Caller, method and path.
    pub scope: String,
    /// The header `Idempotency-Key`; without one nothing is remembered.
    pub key: Option<String>,
    /// SHA-256 of the body and of the thumbprint of `Public-Key`.
    pub fingerprint: [u8; 32],
}

/// The claims of this process. One for all workers.
pub struct Claims {
    /// Names this process among those that share the database.
    process: String,
    held: Arc<Mutex<HashSet<i64>>>,
}

/// What came of asking for a request's entry.
#[derive(Debug)]
pub enum Claimed {
    /// It was answered before.
    Replay(Answer),
    /// It is ours to work on.
    Open(Claim),
    /// Somebody else works on it.
    InFlight,
    /// The key was used for another request.
    Reused,
}

/// The right to answer a request. Dropped without [`Claim::complete`] the entry can be claimed again.
#[derive(Debug)]
pub struct Claim {
    entry: Option<i64>,
    resumed_from: Option<OffsetDateTime>,
    held: Arc<Mutex<HashSet<i64>>>,
}

impl Claims {
    /// The claims of the process with this (random) name.
    #[must_use]
    pub fn of_process(name: String) -> Self {
        Self {
            process: name,
            held: Arc::default(),
        }
    }

    /// Claims a request's entry in the caller's transaction, making one if there is none.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn claim(
        &self,
        tx: &mut Tx,
        request: &Request,
        now: OffsetDateTime,
    ) -> Result<Claimed, StoreError> {
        let Some(key) = &request.key else {
            return Ok(Claimed::Open(self.hold(None, None)));
        };
        let id = tx.next_number(Sequence::Idempotency).await?;
        let inserted = sqlx::query(
            "INSERT INTO idempotency (id, scope, key, fingerprint, owner, claimed_at, created_at, subject) \
             VALUES ($1, $2, $3, $4, $5, $6, $6, $7) ON CONFLICT (scope, key) DO NOTHING",
        )
        .bind(id)
        .bind(&request.scope)
        .bind(key)
        .bind(request.fingerprint.as_slice())
        .bind(&self.process)
        .bind(millis(now))
        .bind(Subject::of_scope(&request.scope).map(|subject| subject.to_string()))
        .execute(&mut **tx)
        .await?;
        if inserted.rows_affected() == 1 {
            return Ok(Claimed::Open(self.hold(Some(id), None)));
        }
        self.claim_again(tx, request, key, now).await
    }

    async fn claim_again(
        &self,
        tx: &mut Tx,
        request: &Request,
        key: &str,
        now: OffsetDateTime,
    ) -> Result<Claimed, StoreError> {
        // The update locks the row: of two that come together on PostgreSQL the second waits for the first.
        let row = sqlx::query(
            "UPDATE idempotency SET scope = scope WHERE scope = $1 AND key = $2 \
             RETURNING id, fingerprint, owner, claimed_at, status, vault_proof, audit_index, body, created_at",
        )
        .bind(&request.scope)
        .bind(key)
        .fetch_optional(&mut **tx)
        .await?;
        // Given up in the very moment between the two statements.
        let Some(row) = row else {
            return Ok(Claimed::InFlight);
        };
        if bytes::<32>(&row, "fingerprint")? != request.fingerprint {
            return Ok(Claimed::Reused);
        }
        if let Some(answer) = answer_of_row(&row)? {
            return Ok(Claimed::Replay(answer));
        }
        let id: i64 = row.try_get("id")?;
        let owner: Option<String> = get(&row, "owner")?;
        let silent = get::<i64>(&row, "claimed_at")? <= millis(now - LEASE);
        let free = match owner {
            None => true,
            Some(owner) if owner == self.process => !self.holds(id),
            Some(_) => silent,
        };
        if !free {
            return Ok(Claimed::InFlight);
        }
        sqlx::query("UPDATE idempotency SET owner = $2, claimed_at = $3 WHERE id = $1")
            .bind(id)
            .bind(&self.process)
            .bind(millis(now))
            .execute(&mut **tx)
            .await?;
        let began = instant(get(&row, "created_at")?)?;
        Ok(Claimed::Open(self.hold(Some(id), Some(began))))
    }

    fn hold(&self, entry: Option<i64>, resumed_from: Option<OffsetDateTime>) -> Claim {
        if let Some(id) = entry {
            self.held
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(id);
        }
        Claim {
            entry,
            resumed_from,
            held: Arc::clone(&self.held),
        }
    }

    fn holds(&self, id: i64) -> bool {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&id)
    }
}

impl Claim {
    /// The entry's number, by which a flow finds again what it began; none for a request without a key.
    #[must_use]
    pub const fn entry(&self) -> Option<i64> {
        self.entry
    }

    /// When the request was first tried, if an earlier try left it without an answer.
    #[must_use]
    pub const fn resumed_from(&self) -> Option<OffsetDateTime> {
        self.resumed_from
    }

    /// Files the answer, in the transaction of the effect, unless one is filed.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn complete(&self, tx: &mut Tx, answer: &Answer) -> Result<(), StoreError> {
        file(tx, self.entry, answer).await?;
        Ok(())
    }

    /// Strikes the entry off: the request ended badly and had no effect, so that the key is free for a better one.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn abandon(&self, tx: &mut Tx) -> Result<(), StoreError> {
        abandon(tx, self.entry).await
    }
}

/// Files the answer of an entry, for work that knows its entry by number, and gives the answer that holds: an earlier one
/// where one is filed already, so that everybody is told the same.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn complete(tx: &mut Tx, entry: Option<i64>, answer: Answer) -> Result<Answer, StoreError> {
    let Some(id) = entry else { return Ok(answer) };
    if file(tx, entry, &answer).await? {
        return Ok(answer);
    }
    let row = sqlx::query("SELECT status, vault_proof, audit_index, body FROM idempotency WHERE id = $1")
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?;
    let filed = row.as_ref().map(answer_of_row).transpose()?.flatten();
    Ok(filed.unwrap_or(answer))
}

/// Whether the answer was filed: nothing is where there is no entry, or an answer already.
async fn file(tx: &mut Tx, entry: Option<i64>, answer: &Answer) -> Result<bool, StoreError> {
    let Some(id) = entry else { return Ok(false) };
    let audit_index = answer.audit_index.map(i64::try_from).transpose();
    let audit_index = audit_index.map_err(|_| StoreError::Corrupt("audit index"))?;
    let filed = sqlx::query(
        "UPDATE idempotency SET owner = NULL, status = $2, vault_proof = $3, audit_index = $4, body = $5 \
         WHERE id = $1 AND status IS NULL",
    )
    .bind(id)
    .bind(i64::from(answer.status))
    .bind(answer.vault_proof.as_deref())
    .bind(audit_index)
    .bind(answer.body.as_slice())
    .execute(&mut **tx)
    .await?;
    Ok(filed.rows_affected() == 1)
}

fn answer_of_row(row: &AnyRow) -> Result<Option<Answer>, StoreError> {
    let Some(status) = get::<Option<i64>>(row, "status")? else {
        return Ok(None);
    };
    let audit_index = get::<Option<i64>>(row, "audit_index")?
        .map(u64::try_from)
        .transpose();
    Ok(Some(Answer {
        audit_index: audit_index.map_err(|_| StoreError::Corrupt("audit index"))?,
        status: u16::try_from(status).map_err(|_| StoreError::Corrupt("status"))?,
        vault_proof: get(row, "vault_proof")?,
        body: get(row, "body")?,
    }))
}

/// Strikes an entry without an answer off, for work that knows its entry by number; nothing where there is none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn abandon(tx: &mut Tx, entry: Option<i64>) -> Result<(), StoreError> {
    let Some(id) = entry else { return Ok(()) };
    sqlx::query("DELETE FROM idempotency WHERE id = $1 AND status IS NULL")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(id) = self.entry {
            self.held
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&id);
        }
    }
}

/// Frees what an earlier process left in flight. Only for a database that no other process uses.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn free_all(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query("UPDATE idempotency SET owner = NULL WHERE owner IS NOT NULL")
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Forgets entries older than [`KEPT_FOR`], `most` at a time. Returns how many.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn sweep(tx: &mut Tx, now: OffsetDateTime, most: i64) -> Result<u64, StoreError> {
    let swept = sqlx::query(
        "DELETE FROM idempotency WHERE id IN \
         (SELECT id FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
    )
    .bind(millis(now - KEPT_FOR))
    .bind(most)
    .execute(&mut **tx)
    .await?;
    Ok(swept.rows_affected())
}
