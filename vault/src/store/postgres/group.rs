//! A group of commits as one transaction: begun under the lock of the whole store, written in one statement, and looked for
//! where its connection was lost in the commit.

use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, Row as _};

use super::driver::Driver;
use super::read::number;
use super::session::{self, Lane, PATIENCE};
use crate::store::batch::Batch;
use crate::store::commit_record::{COMMIT_KEY, CommitRecord};
use crate::store::engine::{EngineError, Entry, View};
use crate::store::tree::Tree;

/// How long a group tries to begin while the database is away, before those who wait for it are told.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);
/// How long a lost commit is looked for: a server that was started anew is back by then.
const FIND_WITHIN: Duration = Duration::from_secs(8);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// In turn: the lock first, and what is read only then. In one statement the row would be read as it was before the wait
/// for the lock. The lock is that of this store's own table, so other stores of the database do not wait.
const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock(1946157057, 'tessera_entries'::regclass::oid::int4)";
const RECORD: &str = "SELECT value FROM tessera_entries WHERE tree = $1 AND key = $2";

/// The whole batch and the name of its group: all of it or, with the transaction, nothing. A batch changes each key
/// once, so the parts do not meet.
const WRITE: &str = "WITH gone AS ( \
         DELETE FROM tessera_entries AS entry USING unnest($4::int2[], $5::bytea[]) AS gone (tree, key) \
         WHERE entry.tree = gone.tree AND entry.key = gone.key), \
     named AS ( \
         INSERT INTO tessera_writers (writer, last_group) VALUES ($6::uuid, $7) \
         ON CONFLICT (writer) DO UPDATE SET last_group = excluded.last_group, written_at = now()) \
     INSERT INTO tessera_entries (tree, key, value) \
     SELECT * FROM unnest($1::int2[], $2::bytea[], $3::bytea[]) \
     ON CONFLICT (tree, key) DO UPDATE SET value = excluded.value";
const LAST_GROUP: &str = "SELECT last_group FROM tessera_writers WHERE writer = $1::uuid";

/// The connection on which this process commits.
pub(super) struct GroupLane {
    state: Mutex<State>,
    connect: PgConnectOptions,
    writer: String,
}

struct State {
    lane: Lane,
    /// Counts this process's groups: with `writer`, a group's unique name.
    group: i64,
}

impl GroupLane {
    pub(super) fn new(driver: Arc<Driver>, connect: PgConnectOptions, writer: String) -> Self {
        let state = State {
            lane: Lane::new(driver, None),
            group: 0,
        };
        Self {
            state: Mutex::new(state),
            connect,
            writer,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a transaction under the store's lock, on a new connection where the old one is gone.
    pub(super) fn begin(&self) -> Result<CommitRecord, EngineError> {
        let mut state = self.lock();
        let record = try_until(BEGIN_WITHIN, || self.begin_once(&mut state.lane))?;
        state.group += 1;
        CommitRecord::read(record.as_deref())
    }

    fn begin_once(&self, lane: &mut Lane) -> Result<Option<Vec<u8>>, EngineError> {
        let (known, connect) = (lane.take(), self.connect.clone());
        let (record, connection) = lane.driver().run(PATIENCE, async move {
            let mut connection = match known {
                Some(connection) => connection,
                None => session::open(&connect).await?,
            };
            sqlx::raw_sql(BEGIN).execute(&mut connection).await?;
            let record = record(&mut connection).await?;
            Ok((record, connection))
        })?;
        lane.put(connection);
        Ok(record)
    }

    /// Writes the batch into the transaction. After an error the transaction is gone.
    pub(super) fn write(&self, batch: &Batch) -> Result<(), EngineError> {
        let mut state = self.lock();
        let rows = Rows::of(batch);
        let (writer, group) = (self.writer.clone(), state.group);
        state
            .lane
            .step(move |connection| Box::pin(write(connection, rows, writer, group)))
    }

    /// Commits, durably. Where the connection is lost meanwhile, the database is asked what became of it.
    pub(super) fn commit(&self) -> Result<(), EngineError> {
        let mut state = self.lock();
        let lost = || EngineError::Unavailable("the connection was lost".to_owned());
        let mut connection = state.lane.take().ok_or_else(lost)?;
        let committed = state.lane.driver().run(PATIENCE, async move {
            match sqlx::raw_sql("COMMIT").execute(&mut connection).await {
                Ok(_) => Ok(Ok(connection)),
                Err(error) if session::is_refusal(&error) => Ok(Err(session::told(&error))),
                Err(error) => Err(error),
            }
        });
        match committed {
            Ok(Ok(connection)) => {
                state.lane.put(connection);
                Ok(())
            }
            // The server said no: the transaction is undone.
            Ok(Err(refused)) => Err(refused),
            Err(lost) => self.look_for_lost(&mut state, &lost),
        }
    }

    fn look_for_lost(&self, state: &mut State, lost: &EngineError) -> Result<(), EngineError> {
        tracing::warn!(%lost, "the connection was lost in a commit: looking whether it was written");
        let found = try_until(FIND_WITHIN, || {
            // Under the lock: what the lost connection was about to do is then done or never will be.
            self.begin_once(&mut state.lane)?;
            let writer = self.writer.clone();
            state
                .lane
                .step(move |connection| Box::pin(last_group(connection, writer)))
        });
        end(&mut state.lane);
        match found {
            Ok(Some(last)) if last == state.group => Ok(()),
            Ok(_) => Err(lost.clone()),
            Err(error) => Err(EngineError::Unknown(error.to_string())),
        }
    }

    /// Ends a transaction that writes nothing, where there is one.
    pub(super) fn abandon(&self) {
        end(&mut self.lock().lane);
    }
}

impl View for GroupLane {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.lock().lane.get(tree, key)
    }

    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError> {
        self.lock().lane.scan(tree, prefix, from, limit)
    }
}

fn end(lane: &mut Lane) {
    // A connection that cannot even do this is dropped, which ends its transaction too.
    let _ = lane.step(|connection| {
        Box::pin(async move {
            sqlx::raw_sql("ROLLBACK").execute(connection).await?;
            Ok(())
        })
    });
}

fn try_until<T>(
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let until = Instant::now() + limit;
    loop {
        match attempt() {
            Err(EngineError::Unavailable(_)) if Instant::now() < until => std::thread::sleep(PAUSE),
            other => return other,
        }
    }
}

async fn record(connection: &mut PgConnection) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let found = sqlx::query(RECORD).bind(number(Tree::Meta)).bind(COMMIT_KEY);
    let found = found.fetch_optional(connection).await?;
    found.map(|row| row.try_get(0)).transpose()
}

async fn last_group(connection: &mut PgConnection, writer: String) -> Result<Option<i64>, sqlx::Error> {
    let found = sqlx::query(LAST_GROUP)
        .bind(writer)
        .fetch_optional(connection)
        .await?;
    found.map(|row| row.try_get(0)).transpose()
}

/// A batch as columns.
#[derive(Default)]
struct Rows {
    put: (Vec<i16>, Vec<Vec<u8>>, Vec<Vec<u8>>),
    gone: (Vec<i16>, Vec<Vec<u8>>),
}

impl Rows {
    fn of(batch: &Batch) -> Self {
        let mut rows = Self::default();
        for (tree, key, change) in batch.changes() {
            if let Some(value) = &change.after {
                rows.put.0.push(number(tree));
                rows.put.1.push(key.to_vec());
                rows.put.2.push(value.clone());
            } else {
                rows.gone.0.push(number(tree));
                rows.gone.1.push(key.to_vec());
            }
        }
        rows
    }
}

async fn write(
    connection: &mut PgConnection,
    rows: Rows,
    writer: String,
    group: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(WRITE)
        .bind(rows.put.0)
        .bind(rows.put.1)
        .bind(rows.put.2)
        .bind(rows.gone.0)
        .bind(rows.gone.1)
        .bind(writer)
        .bind(group)
        .execute(connection)
        .await?;
    Ok(())
}
