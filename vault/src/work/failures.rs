//! What a job could not do: the first of them by name, each a record of its own, since a value of the store is small.

use std::ops::Bound;

use serde::{Deserialize, Serialize};
use shared::ids::JobToken;

use crate::error::Error;
use crate::records::{Record, Records, Tx};
use crate::store::Tree;

/// Failures that are named; the rest are counted.
pub(super) const MOST_NAMED: u64 = 100;
/// Longest text of one, bytes.
const MOST_BYTES: usize = 300;

/// One failure.
#[derive(Serialize, Deserialize)]
struct Failure {
    job: JobToken,
    number: u64,
    text: String,
}

impl Record for Failure {
    const TREE: Tree = Tree::Jobs;
    fn key(&self) -> Vec<u8> {
        [prefix(&self.job), self.number.to_be_bytes().to_vec()].concat()
    }
}

fn prefix(job: &JobToken) -> Vec<u8> {
    format!("failure/{job}/").into_bytes()
}

/// Keeps failure number `number` (from 0), if it is among those that are named.
pub(super) fn keep(tx: &mut Tx<'_, '_>, job: &JobToken, number: u64, text: &str) -> Result<(), Error> {
    if number >= MOST_NAMED {
        return Ok(());
    }
    let end = text.floor_char_boundary(MOST_BYTES);
    tx.put(&Failure {
        job: job.clone(),
        number,
        text: text.get(..end).unwrap_or_default().to_owned(),
    })
}

/// Forgets failures from `number` on: a further pass judges anew.
pub(super) fn forget(tx: &mut Tx<'_, '_>, job: &JobToken, count: u64) -> Result<(), Error> {
    for number in 0..count.min(MOST_NAMED) {
        let key = [prefix(job), number.to_be_bytes().to_vec()].concat();
        tx.delete_sealed(Tree::Jobs, &key)?;
    }
    Ok(())
}

/// The failures of a job, in order.
pub(super) fn of(records: &Records, job: &JobToken) -> Result<Vec<String>, Error> {
    let kept: Vec<Failure> = records.scan_readable(&prefix(job), Bound::Unbounded, MOST_NAMED as usize)?;
    Ok(kept.into_iter().map(|failure| failure.text).collect())
}
