//! What was written for partners, for tests that ask.

use serde_json::Value;

use super::Db;
use crate::store::row::get;

/// An event as its row has it.
pub(crate) struct Told {
    pub(crate) kind: String,
    pub(crate) partner: String,
    pub(crate) user: Option<i64>,
    pub(crate) data: Value,
}

/// Every event, in order.
pub(crate) async fn told(db: &Db) -> Vec<Told> {
    let mut read = db.read().await.unwrap();
    let rows = sqlx::query("SELECT kind, partner, user_id, data FROM events ORDER BY id")
        .fetch_all(&mut *read)
        .await
        .unwrap();
    rows.iter()
        .map(|row| Told {
            kind: get(row, "kind").unwrap(),
            partner: get(row, "partner").unwrap(),
            user: get(row, "user_id").unwrap(),
            data: serde_json::from_str(&get::<String>(row, "data").unwrap()).unwrap(),
        })
        .collect()
}
