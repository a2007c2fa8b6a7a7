//! PostgreSQL behind the engine trait: several vault processes on one database. Every group of commits is one transaction
//! that holds an advisory lock of the whole store, so groups of all processes follow one another as those of one
//! commit thread do.
//!
//! The trait is synchronous, and sqlx is not: the engine drives it on threads of its own and lets its callers wait, for
//! a bounded time (ADR 0016).

mod driver;
mod group;
mod read;
mod session;

use std::fmt;
use std::ops::Bound;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use self::driver::Driver;
use self::group::GroupLane;
use self::read::Span;
use self::session::{Lane, PATIENCE};
use super::batch::Batch;
use super::engine::{Begun, Engine, EngineError, Entry, View};
use super::tree::Tree;

/// Connections that reads share, unless configured. Each read is a round trip of a fraction of a millisecond; more of
/// them at once than this only queue inside the server.
pub const DEFAULT_CONNECTIONS: u32 = 16;

/// Where the database is and how much of it is used.
#[derive(Clone)]
pub struct PostgresOptions {
    connect: Box<PgConnectOptions>,
    connections: u32,
}

impl PostgresOptions {
    /// Reads a URL (`postgres://user:password@host/database?sslmode=verify-full&sslrootcert=…`).
    ///
    /// # Errors
    /// It is none. The reason names no part of the URL, which may carry a password.
    pub fn parse(url: &str, connections: u32) -> Result<Self, BadUrl> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(BadUrl);
        }
        let connect = PgConnectOptions::from_str(url).map_err(|_| BadUrl)?;
        Ok(Self {
            connect: Box::new(connect.application_name("tessera-vault")),
            connections: connections.max(1),
        })
    }
}

/// Not a PostgreSQL URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PostgreSQL URL (postgres://…)")]
pub struct BadUrl;

impl fmt::Debug for PostgresOptions {
    /// Never the user or the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("host", &self.connect.get_host())
            .field("port", &self.connect.get_port())
            .field("database", &self.connect.get_database())
            .field("ssl_mode", &self.connect.get_ssl_mode())
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// The engine of several processes.
pub struct PostgresEngine {
    driver: Arc<Driver>,
    connect: PgConnectOptions,
    pool: PgPool,
    group: GroupLane,
}

impl PostgresEngine {
    /// Connects, and makes the tables where they are missing.
    ///
    /// # Errors
    /// The server does not answer, refuses, or does not keep what it acknowledges (`fsync = off`).
    pub fn open(options: &PostgresOptions) -> Result<Self, EngineError> {
        let driver = Arc::new(Driver::start()?);
        let connect = PgConnectOptions::clone(&options.connect);
        let wanted = connect.clone();
        let writer = driver.run(PATIENCE, async move {
            let mut connection = session::open(&wanted).await?;
            session::ensure_tables(&mut connection).await
        })?;
        let pool = PgPoolOptions::new()
            .max_connections(options.connections)
            .acquire_timeout(PATIENCE)
            // A dead connection shows at its first query, and a read is simply tried again.
            .test_before_acquire(false)
            .after_connect(|connection, _| Box::pin(session::set_up(connection)));
        let pool = driver.enter(|| pool.connect_lazy_with(connect.clone()));
        Ok(Self {
            group: GroupLane::new(Arc::clone(&driver), connect.clone(), writer),
            driver,
            connect,
            pool,
        })
    }

    /// Reads over the pool; once more where the connection turned out to be dead.
    fn read<T: Send + 'static>(&self, query: impl Fn(PgPool) -> read::Reading<T>) -> Result<T, EngineError> {
        let read = || {
            let query = query(self.pool.clone());
            self.driver.run(PATIENCE, query)
        };
        match read() {
            Err(EngineError::Unavailable(_)) => read(),
            other => other,
        }
    }
}

impl View for PostgresEngine {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.read(|pool| {
            let key = key.to_vec();
            Box::pin(async move { read::get(&mut *pool.acquire().await?, tree, key).await })
        })
    }

    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError> {
        self.read(|pool| {
            let span = Span::new(tree, prefix, from, limit);
            Box::pin(async move { read::scan(&mut *pool.acquire().await?, span).await })
        })
    }
}

impl Engine for PostgresEngine {
    fn is_shared(&self) -> bool {
        true
    }

    fn count(&self, tree: Tree) -> Result<u64, EngineError> {
        self.read(|pool| Box::pin(async move { read::count(&mut *pool.acquire().await?, tree).await }))
    }

    fn snapshot(&self) -> Result<Box<dyn View>, EngineError> {
        let connect = self.connect.clone();
        let connection = self.driver.run(PATIENCE, async move {
            let mut connection = session::open(&connect).await?;
            session::hold_still(&mut connection).await?;
            Ok(connection)
        })?;
        let lane = Lane::new(Arc::clone(&self.driver), Some(connection));
        Ok(Box::new(PostgresSnapshot(Mutex::new(lane))))
    }

    fn begin(&self) -> Result<Begun<'_>, EngineError> {
        let record = self.group.begin()?;
        Ok(Begun {
            record: Some(record),
            view: &self.group,
        })
    }

    fn write(&self, batch: &Arc<Batch>) -> Result<(), EngineError> {
        self.group.write(batch)
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.group.commit()
    }

    fn abandon(&self) {
        self.group.abandon();
    }
}

/// A connection in a transaction that sees one state.
struct PostgresSnapshot(Mutex<Lane>);

impl View for PostgresSnapshot {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let mut lane = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lane.get(tree, key)
    }

    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError> {
        let mut lane = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lane.scan(tree, prefix, from, limit)
    }
}

#[cfg(test)]
mod tests;
