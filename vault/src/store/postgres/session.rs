//! One connection to the database: how it is set up, how it is used in turn, and what its errors mean.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::driver::Driver;
use super::read::{self, Span};
use crate::store::engine::{EngineError, Entry};
use crate::store::tree::Tree;

/// How long a caller waits for one statement, a connection included. Beyond it the request is answered as unavailable;
/// the caller of a commit gives up after 30 s, and a group has four such steps at most.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What a session must not leave to the server's configuration. `synchronous_commit`: an answer rests on a commit that is
/// on the disk (`remote_apply` promises more and stays). The time-outs end what hangs before the caller gives up; a
/// process that stops in the midst of a group loses its lock after fifteen seconds. The planner's choices: every read
/// is a walk along the primary key, also while the server has no statistics yet.
const SETTINGS: &str = "SET default_transaction_isolation = 'read committed'; \
     SET default_transaction_read_only = off; \
     SET statement_timeout = '4s'; SET lock_timeout = '4s'; \
     SET idle_in_transaction_session_timeout = '15s'; \
     SET enable_seqscan = off; SET enable_bitmapscan = off; \
     SELECT set_config('synchronous_commit', \
         CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)";

/// Two processes that begin at the same time make the tables one after the other.
const TABLES: &str = "BEGIN; SELECT pg_advisory_xact_lock(1946157056, 0); \
     CREATE TABLE IF NOT EXISTS tessera_entries ( \
         tree smallint NOT NULL, key bytea NOT NULL, value bytea NOT NULL, PRIMARY KEY (tree, key)); \
     ALTER TABLE tessera_entries ALTER COLUMN value SET STORAGE EXTERNAL; \
     CREATE TABLE IF NOT EXISTS tessera_writers ( \
         writer uuid PRIMARY KEY, last_group bigint NOT NULL, written_at timestamptz NOT NULL DEFAULT now()); \
     DELETE FROM tessera_writers WHERE written_at < now() - interval '7 days'; \
     COMMIT";

/// Opens a session.
pub(super) async fn open(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    set_up(&mut connection).await?;
    Ok(connection)
}

/// Makes a fresh connection a session of ours.
pub(super) async fn set_up(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SETTINGS).execute(connection).await?;
    Ok(())
}

/// Makes the tables where they are missing, and gives this process its name among the writers.
pub(super) async fn ensure_tables(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    let fsync: String = sqlx::query("SELECT current_setting('fsync')")
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    if fsync != "on" {
        let reason = "the server runs with fsync off: it does not keep what it acknowledges";
        return Err(sqlx::Error::Configuration(reason.into()));
    }
    sqlx::raw_sql(TABLES).execute(&mut *connection).await?;
    sqlx::query("SELECT gen_random_uuid()::text")
        .fetch_one(connection)
        .await?
        .try_get(0)
}

/// Begins a transaction that sees the present state until it ends, for as long as its reader takes.
pub(super) async fn hold_still(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let begin = "SET idle_in_transaction_session_timeout = 0; \
         BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1 FROM tessera_entries LIMIT 1";
    sqlx::raw_sql(begin).execute(connection).await?;
    Ok(())
}

/// What an error of the server or of the way to it means.
pub(super) fn told(error: &sqlx::Error) -> EngineError {
    match error {
        sqlx::Error::Database(refusal) => match refusal.code().as_deref() {
            // disk_full; the others of the class pass: memory, connections.
            Some("53100") => EngineError::Full(refusal.message().to_owned()),
            // data_corrupted, index_corrupted: the server's own checks.
            Some("XX001" | "XX002") => EngineError::Corrupt(refusal.message().to_owned()),
            _ => EngineError::Unavailable(refusal.message().to_owned()),
        },
        // What an address or a TLS setting is wrong about is no matter of the row that was asked for.
        other => EngineError::Unavailable(other.to_string()),
    }
}

/// Whether the server refused a statement and is still there, so that the statement had no effect.
pub(super) fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        // Class 57: the server goes down or was told to end the session; class 08: the connection.
        sqlx::Error::Database(refusal) => refusal
            .code()
            .is_some_and(|code| !code.starts_with("57") && !code.starts_with("08")),
        _ => false,
    }
}

/// What is done with a connection.
pub(super) type Step<'c, T> = BoxFuture<'c, Result<T, sqlx::Error>>;

/// A connection that is used by one after the other. One that fails is gone: the server ends its transaction.
pub(super) struct Lane {
    driver: Arc<Driver>,
    connection: Option<PgConnection>,
}

impl Lane {
    pub(super) const fn new(driver: Arc<Driver>, connection: Option<PgConnection>) -> Self {
        Self { driver, connection }
    }

    pub(super) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    pub(super) fn put(&mut self, connection: PgConnection) {
        self.connection = Some(connection);
    }

    pub(super) fn take(&mut self) -> Option<PgConnection> {
        self.connection.take()
    }

    /// Does something with the connection, which is kept if it went well.
    pub(super) fn step<T: Send + 'static>(
        &mut self,
        step: impl for<'c> FnOnce(&'c mut PgConnection) -> Step<'c, T> + Send + 'static,
    ) -> Result<T, EngineError> {
        let lost = || EngineError::Unavailable("the connection was lost".to_owned());
        let mut connection = self.connection.take().ok_or_else(lost)?;
        let (value, connection) = self.driver.run(PATIENCE, async move {
            let value = step(&mut connection).await?;
            Ok((value, connection))
        })?;
        self.connection = Some(connection);
        Ok(value)
    }

    pub(super) fn get(&mut self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let key = key.to_vec();
        self.step(move |connection| Box::pin(read::get(connection, tree, key)))
    }

    pub(super) fn scan(
        &mut self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError> {
        let span = Span::new(tree, prefix, from, limit);
        self.step(move |connection| Box::pin(read::scan(connection, span)))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let connection = self.connection.take();
        // Its socket is taken out of the runtime that it belongs to.
        self.driver.enter(|| drop(connection));
    }
}
