//! Stores for tests: one on sled, and one on PostgreSQL where `TESSERA_TEST_POSTGRES_URL` names a server, each in a
//! schema of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use super::postgres::{DEFAULT_CONNECTIONS, PostgresOptions};
use super::{EngineChoice, MIN_CACHE_BYTES, Store, StoreOptions};

/// Where a store of a test lies.
pub(crate) struct Home {
    parent: TempDir,
    schema: Option<Schema>,
}

impl Home {
    pub(crate) fn sled() -> Self {
        Self {
            parent: tempfile::tempdir().unwrap(),
            schema: None,
        }
    }

    /// A home on the test server; `None`: there is none, and the test says so.
    pub(crate) fn postgres() -> Option<Self> {
        Some(Self {
            parent: tempfile::tempdir().unwrap(),
            schema: Some(Schema::make()?),
        })
    }

    /// One of each engine that is there.
    pub(crate) fn each() -> Vec<Self> {
        [Some(Self::sled()), Self::postgres()]
            .into_iter()
            .flatten()
            .collect()
    }

    pub(crate) fn options(&self) -> StoreOptions {
        self.options_of("store")
    }

    /// Those of a process by this name: on PostgreSQL several share the data.
    pub(crate) fn options_of(&self, process: &str) -> StoreOptions {
        let mut options = StoreOptions {
            ballast_bytes: 0,
            free_floor_bytes: 0,
            cache_bytes: MIN_CACHE_BYTES,
            ..StoreOptions::new(self.parent.path().join(process))
        };
        if let Some(schema) = &self.schema {
            options.engine = EngineChoice::Postgres(schema.options());
        }
        options
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(&self.options()).unwrap()
    }

    /// The URL of the schema; `None` on sled.
    pub(crate) fn url(&self) -> Option<&str> {
        self.schema.as_ref().map(|schema| schema.url.as_str())
    }
}

/// A schema of a test's own, gone with it.
pub(super) struct Schema {
    server: String,
    name: String,
    pub(super) url: String,
}

impl Schema {
    pub(super) fn make() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var("TESSERA_TEST_POSTGRES_URL") else {
            eprintln!("SKIPPED on PostgreSQL: TESSERA_TEST_POSTGRES_URL names no server");
            return None;
        };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vault_{}_{number}", std::process::id());
        let joint = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{joint}options=-c%20search_path%3D{name}");
        execute(
            &server,
            format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}"),
        );
        Some(Self { server, name, url })
    }

    pub(super) fn options(&self) -> PostgresOptions {
        PostgresOptions::parse(&self.url, DEFAULT_CONNECTIONS / 4).unwrap()
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        execute(
            &self.server,
            format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name),
        );
    }
}

/// Runs SQL on a thread of its own: tests call this from async code too.
pub(crate) fn execute(url: &str, sql: String) {
    let url = url.to_owned();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .unwrap();
        });
    };
    std::thread::spawn(run).join().unwrap();
}
