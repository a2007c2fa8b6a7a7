//! Both engines go through the same tests: SQLite always, PostgreSQL when `TESSERA_TEST_POSTGRES_URL` names one.

mod devices;
mod documents;
pub(crate) mod events;
mod idempotency;
mod migrations;
pub(crate) mod people;
mod trail;

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use time::macros::datetime;

use super::*;

/// Names a PostgreSQL database whose user may create schemas.
const POSTGRES_URL: &str = "TESSERA_TEST_POSTGRES_URL";

/// The instant at which tests begin.
pub(crate) const NOON: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

/// A database for one test, freshly migrated.
pub(crate) struct TestDb {
    pub(crate) db: Db,
    /// The engine, for the message of a failed assertion.
    pub(crate) engine: &'static str,
    directory: Option<TempDir>,
}

impl TestDb {
    /// The database, and the directory that has to outlive it.
    pub(crate) fn into_parts(self) -> (Db, Option<TempDir>) {
        (self.db, self.directory)
    }
}

/// One database of each engine there is.
pub(crate) async fn databases() -> Vec<TestDb> {
    let databases = unmigrated().await;
    for test in &databases {
        test.db.migrate().await.unwrap();
    }
    databases
}

/// The same, without a schema.
async fn unmigrated() -> Vec<TestDb> {
    let mut databases = vec![empty_sqlite().await];
    if let Ok(url) = env::var(POSTGRES_URL) {
        databases.push(postgres(&url).await);
    }
    databases
}

/// A migrated database in a directory of its own.
pub(crate) async fn sqlite() -> TestDb {
    let test = empty_sqlite().await;
    test.db.migrate().await.unwrap();
    test
}

async fn empty_sqlite() -> TestDb {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite://{}/test.db", directory.path().display()), 4)
        .await
        .unwrap();
    TestDb {
        db,
        engine: "sqlite",
        directory: Some(directory),
    }
}

/// A schema of its own in the database at `url`.
async fn postgres(url: &str) -> TestDb {
    static SCHEMAS: AtomicU32 = AtomicU32::new(0);
    let schema = format!(
        "test_{}_{}",
        std::process::id(),
        SCHEMAS.fetch_add(1, Ordering::Relaxed)
    );
    let admin = Db::open(url, 1).await.unwrap();
    let mut tx = admin.begin().await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {schema}")))
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    let db = Db::open(&format!("{url}{separator}options=-csearch_path%3D{schema}"), 4)
        .await
        .unwrap();
    TestDb {
        db,
        engine: "postgres",
        directory: None,
    }
}

#[tokio::test]
async fn a_migrated_database_is_migrated_again_without_effect() {
    for test in databases().await {
        test.db.migrate().await.unwrap();
        test.db.ping().await.unwrap();
    }
}

#[tokio::test]
async fn numbers_are_given_in_sequence_from_1001() {
    for test in databases().await {
        let mut tx = test.db.begin().await.unwrap();
        for expected in [1001, 1002, 1003] {
            assert_eq!(
                tx.next_number(Sequence::Cards).await.unwrap(),
                expected,
                "{}",
                test.engine
            );
        }
        assert_eq!(
            tx.next_number(Sequence::Orders).await.unwrap(),
            1001,
            "{}",
            test.engine
        );
    }
}

#[tokio::test]
async fn what_is_not_committed_is_not_there() {
    for test in databases().await {
        let insert =
            "INSERT INTO login_challenges (challenge_hash, installation_id, expires_at) VALUES ($1, 1, 1)";
        let mut tx = test.db.begin().await.unwrap();
        sqlx::query(insert)
            .bind([1u8; 32].as_slice())
            .execute(&mut *tx)
            .await
            .unwrap();
        drop(tx);
        let mut tx = test.db.begin().await.unwrap();
        sqlx::query(insert)
            .bind([2u8; 32].as_slice())
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mut read = test.db.read().await.unwrap();
        let rows = sqlx::query("SELECT challenge_hash FROM login_challenges")
            .fetch_all(&mut *read)
            .await
            .unwrap();
        assert_eq!(rows.len(), 1, "{}", test.engine);
    }
}

#[tokio::test]
async fn sqlite_syncs_each_commit_and_readers_cannot_write() {
    let test = sqlite().await;
    let mut tx = test.db.begin().await.unwrap();
    for (pragma, expected) in [
        ("PRAGMA synchronous", 2i64),
        ("PRAGMA foreign_keys", 1),
        ("PRAGMA busy_timeout", 5000),
    ] {
        let row = sqlx::query(pragma).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(sqlx::Row::get::<i64, _>(&row, 0), expected, "{pragma}");
    }
    let mode = sqlx::query("PRAGMA journal_mode")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(sqlx::Row::get::<String, _>(&mode, 0), "wal");
    drop(tx);
    let mut read = test.db.read().await.unwrap();
    assert!(
        sqlx::query("DELETE FROM sessions")
            .execute(&mut *read)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn only_urls_that_cannot_undo_the_settings_are_opened() {
    for url in [
        "sqlite::memory:",
        "sqlite://relative.db",
        "sqlite:///x.db?synchronous=off",
        "mysql://localhost/x",
        "",
    ] {
        assert!(matches!(Db::open(url, 1).await, Err(OpenError::BadUrl)), "{url}");
    }
}

#[test]
fn an_instant_survives_its_milliseconds() {
    assert_eq!(instant(millis(NOON)).unwrap(), NOON);
    assert!(instant(i64::MAX).is_err());
}

/// A full disk, and a text that PostgreSQL does not take: the first passes, the second never does.
#[tokio::test]
async fn a_full_database_is_unavailable_and_a_refused_text_is_a_defect() {
    let test = sqlite().await;
    let mut tx = test.db.begin().await.unwrap();
    sqlx::query("CREATE TABLE filled (content BLOB)")
        .execute(&mut *tx)
        .await
        .unwrap();
    // The pages there are stay; no further ones come.
    sqlx::query("PRAGMA max_page_count = 1")
        .execute(&mut *tx)
        .await
        .unwrap();
    let full = sqlx::query("INSERT INTO filled VALUES (zeroblob(1000000))")
        .execute(&mut *tx)
        .await
        .unwrap_err();
    assert!(matches!(StoreError::from(full), StoreError::Unavailable(_)));
    drop(tx);
    for test in databases()
        .await
        .into_iter()
        .filter(|test| test.engine == "postgres")
    {
        let mut read = test.db.read().await.unwrap();
        let refused = sqlx::query("SELECT CAST($1 AS TEXT)")
            .bind("a\0b")
            .execute(&mut *read)
            .await
            .unwrap_err();
        assert!(matches!(StoreError::from(refused), StoreError::Database(_)));
    }
}
