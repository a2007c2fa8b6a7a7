//! The statements that read.

use std::ops::Bound;

use futures_util::future::BoxFuture;
use sqlx::{PgConnection, Row as _};

use crate::store::batch::later_of;
use crate::store::engine::Entry;
use crate::store::tree::Tree;

/// A read on its way.
pub(super) type Reading<T> = BoxFuture<'static, Result<T, sqlx::Error>>;

const GET: &str = "SELECT value FROM tessera_entries WHERE tree = $1 AND key = $2";
// `bytea` is ordered byte by byte, as the trait asks for, whatever the database's collation.
const SCAN_BELOW: &str = "SELECT key, value FROM tessera_entries \
     WHERE tree = $1 AND key >= $2 AND key < $4 ORDER BY tree, key LIMIT $3";
const SCAN_ALL: &str = "SELECT key, value FROM tessera_entries \
     WHERE tree = $1 AND key >= $2 ORDER BY tree, key LIMIT $3";
const COUNT: &str = "SELECT count(*) FROM tessera_entries WHERE tree = $1";

/// The number of a tree in its column.
pub(super) fn number(tree: Tree) -> i16 {
    i16::from(tree.tag())
}

/// A range of keys, and how many of them.
pub(super) struct Span {
    tree: i16,
    from: Vec<u8>,
    below: Option<Vec<u8>>,
    limit: i64,
}

impl Span {
    pub(super) fn new(tree: Tree, prefix: &[u8], from: Bound<&[u8]>, limit: usize) -> Self {
        let from = match later_of(from, prefix) {
            Bound::Included(key) => key.to_vec(),
            // The next possible key.
            Bound::Excluded(key) => [key, &[0]].concat(),
            Bound::Unbounded => Vec::new(),
        };
        Self {
            tree: number(tree),
            from,
            below: after_all(prefix),
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        }
    }
}

/// The smallest key beyond all that start with `prefix`; `None`: there is none.
fn after_all(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut below = prefix.to_vec();
    while let Some(last) = below.pop() {
        if let Some(next) = last.checked_add(1) {
            below.push(next);
            return Some(below);
        }
    }
    None
}

pub(super) async fn get(
    connection: &mut PgConnection,
    tree: Tree,
    key: Vec<u8>,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let found = sqlx::query(GET).bind(number(tree)).bind(key);
    let found = found.fetch_optional(connection).await?;
    found.map(|row| row.try_get(0)).transpose()
}

pub(super) async fn scan(connection: &mut PgConnection, span: Span) -> Result<Vec<Entry>, sqlx::Error> {
    let statement = if span.below.is_some() {
        SCAN_BELOW
    } else {
        SCAN_ALL
    };
    let mut query = sqlx::query(statement)
        .bind(span.tree)
        .bind(span.from)
        .bind(span.limit);
    if let Some(below) = span.below {
        query = query.bind(below);
    }
    let rows = query.fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

pub(super) async fn count(connection: &mut PgConnection, tree: Tree) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query(COUNT)
        .bind(number(tree))
        .fetch_one(connection)
        .await?
        .try_get(0)?;
    Ok(count.unsigned_abs())
}
