//! Where the data of a child lies.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::say;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Engine {
    Sled,
    Postgres,
}

/// In the parent directory, or in a schema of its own that goes with this value.
pub(crate) struct Data(Option<Schema>);

struct Schema {
    server: String,
    name: String,
    url: String,
}

impl Engine {
    /// A place for an empty store; `None`: there is no server, and the test says so.
    pub(crate) fn data(self) -> Option<Data> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if matches!(self, Self::Sled) {
            return Some(Data(None));
        }
        let Ok(server) = std::env::var("TESSERA_TEST_POSTGRES_URL") else {
            say("SKIPPED: kills on PostgreSQL: TESSERA_TEST_POSTGRES_URL names no server");
            return None;
        };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("store_crash_{}_{number}", std::process::id());
        execute(&server, format!("CREATE SCHEMA {name}"));
        let joint = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{joint}options=-c%20search_path%3D{name}");
        Some(Data(Some(Schema { server, name, url })))
    }
}

impl Data {
    pub(crate) fn url(&self) -> Option<&str> {
        self.0.as_ref().map(|schema| schema.url.as_str())
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        execute(&self.server, format!("DROP SCHEMA {} CASCADE", self.name));
    }
}

fn execute(url: &str, sql: String) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap();
    });
}
