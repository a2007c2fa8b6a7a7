//! Rows, on SQLite or PostgreSQL. The only SQL of the gateway is in here, and but for `dialect` the statements are the same.
//!
//! Reads take `&mut AnyConnection`, which a [`Read`] and a [`Tx`] both are; writes take a [`Tx`], so that nothing is written
//! outside a transaction. Within one there is no outside effect: no vault, no mail.

pub mod activation_codes;
pub mod audit;
pub mod balances;
pub mod card_creations;
pub mod card_requests;
pub mod cards;
pub mod customers;
mod dialect;
pub mod events;
pub mod idempotency;
pub mod import_rows;
pub mod imports;
pub mod installations;
pub mod kyc;
pub mod kyc_applications;
pub mod kyc_documents;
pub mod kyc_submissions;
pub mod ledger;
pub mod mails;
pub mod notices;
pub mod operator_sessions;
pub mod operator_tokens;
pub mod operators;
pub mod orders;
pub mod partner_balances;
pub mod partner_certificates;
pub mod partner_reloads;
pub mod partners;
mod row;
pub mod sessions;
mod subject;
pub mod user_data;
pub mod user_exports;
pub mod user_removal;
pub mod user_standing;
pub mod users;
pub mod webhooks;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Once};

use sqlx::any::install_default_drivers;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Transaction};
use time::OffsetDateTime;
use tokio::sync::Notify;

use dialect::Engine;
pub use dialect::Sequence;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or busy for too long: worth another try.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Another row has the same unique value.
    #[error("a unique value is taken")]
    Duplicate,
    /// A row holds what no flow writes.
    #[error("a row is corrupt: {0}")]
    Corrupt(&'static str),
    /// Anything else: a defect, a broken disk.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
                Self::Unavailable(error)
            }
            sqlx::Error::Database(detail) if detail.is_unique_violation() => Self::Duplicate,
            sqlx::Error::Database(detail) if dialect::is_passing(detail.as_ref()) => Self::Unavailable(error),
            _ => Self::Database(error),
        }
    }
}

/// The schema does not fit this program.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not `sqlite:///…` without options, and not `postgres://…`.
    #[error("the database URL must be sqlite:///absolute/path or postgres://…")]
    BadUrl,
    /// The database cannot be opened.
    #[error("the database cannot be opened: {0}")]
    Connect(#[from] sqlx::Error),
    /// A migration failed, or the database is of a later version of this program.
    #[error("the database cannot be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// A database. Shared by all workers.
pub struct Db {
    engine: Engine,
    /// One connection on SQLite, so that writers queue here and never see `SQLITE_BUSY`.
    writer: AnyPool,
    reader: AnyPool,
    /// Told when this process has committed an event.
    events: Arc<Notify>,
}

static DRIVERS: Once = Once::new();

impl Db {
    /// Opens the database at `url`; a SQLite file is created if there is none.
    ///
    /// # Errors
    /// [`OpenError`] for another kind of URL or a database that does not answer.
    pub async fn open(url: &str, connections: u32) -> Result<Self, OpenError> {
        DRIVERS.call_once(install_default_drivers);
        let engine = Engine::of(url).ok_or(OpenError::BadUrl)?;
        let writer = engine.writers(url, connections).await?;
        let reader = match engine {
            Engine::Sqlite => engine.readers(url, connections).await?,
            Engine::Postgres => writer.clone(),
        };
        Ok(Self {
            engine,
            writer,
            reader,
            events: Arc::default(),
        })
    }

    /// Brings the schema to this program's version, each migration in a transaction.
    ///
    /// # Errors
    /// [`OpenError::Migrate`], also for a database that a later version has changed.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        let mut connection = self.writer.acquire().await?;
        let migrator = match self.engine {
            Engine::Sqlite => sqlx::migrate!("./migrations/sqlite"),
            Engine::Postgres => sqlx::migrate!("./migrations/postgres"),
        };
        migrator.run_direct(None, &mut *connection, false).await?;
        Ok(())
    }

    /// Begins a transaction that may write.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection comes free in time.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let inner = self.writer.begin_with(self.engine.begin_statement()).await?;
        Ok(Tx {
            inner,
            engine: self.engine,
            events: Arc::clone(&self.events),
            wakes: false,
        })
    }

    /// Takes a connection that only reads.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection comes free in time.
    pub async fn read(&self) -> Result<Read, StoreError> {
        Ok(Read(self.reader.acquire().await?))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut read = self.read().await?;
        sqlx::query("SELECT 1").execute(&mut *read).await?;
        Ok(())
    }

    /// Sees to it that what was deleted or overwritten is not found in the database's log either, as far as the engine lets
    /// a program do that: SQLite folds its log into the file and empties it; PostgreSQL frees dead rows in its own time.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn drop_traces(&self) -> Result<(), StoreError> {
        if let Some(statement) = self.engine.drop_traces_statement() {
            let mut connection = self.writer.acquire().await?;
            sqlx::query(statement).fetch_all(&mut *connection).await?;
        }
        Ok(())
    }

    /// Waits until this process has committed an event that nobody has waited for yet.
    pub async fn event_written(&self) {
        self.events.notified().await;
    }

    /// Whether this process alone uses the database: what an earlier process left in flight there is left for good.
    #[must_use]
    pub const fn is_single_process(&self) -> bool {
        matches!(self.engine, Engine::Sqlite)
    }

    /// Closes every connection; on SQLite the log is folded into the file.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// A connection that only reads.
pub struct Read(PoolConnection<Any>);

impl Deref for Read {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.0
    }
}

impl DerefMut for Read {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.0
    }
}

/// A transaction that may write; dropped without [`Tx::commit`] it leaves nothing behind.
pub struct Tx {
    inner: Transaction<'static, Any>,
    engine: Engine,
    events: Arc<Notify>,
    wakes: bool,
}

impl Tx {
    /// Makes it durable.
    ///
    /// # Errors
    /// When the database cannot say that it is on disk.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.inner.commit().await?;
        if self.wakes {
            self.events.notify_one();
        }
        Ok(())
    }

    /// An event was written: whoever hands events out is woken once it is committed.
    fn wake_on_commit(&mut self) {
        self.wakes = true;
    }

    /// The end of a `SELECT` that locks its rows and passes over those that others have locked.
    const fn skip_locked(&self) -> &'static str {
        self.engine.skip_locked()
    }

    /// The next number of a sequence. Numbers of transactions that come to nothing may be left out (PostgreSQL).
    ///
    /// # Errors
    /// [`StoreError`] as for every statement.
    pub async fn next_number(&mut self, sequence: Sequence) -> Result<i64, StoreError> {
        self.engine.next_number(&mut self.inner, sequence).await
    }
}

impl Deref for Tx {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}

/// An instant as rows hold it: milliseconds since the Unix epoch.
#[must_use]
pub fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// The instant of a row.
///
/// # Errors
/// [`StoreError::Corrupt`] for a number that is no instant.
pub fn instant(millis: i64) -> Result<OffsetDateTime, StoreError> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000)
        .map_err(|_| StoreError::Corrupt("an instant is out of range"))
}

#[cfg(test)]
pub(crate) mod tests;
