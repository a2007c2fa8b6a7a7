//! Holder keys that wait, for officers to look at. An index of its own, so that nobody walks through all keys of all
//! holders: an entry comes with the pending key and goes when the key becomes active, is revoked or has matured.

use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::ids::{HolderToken, ProgramName};
use shared::thumbprint::Thumbprint;
use shared::vault_api::reports::PendingKey;
use time::OffsetDateTime;

use crate::domain::holder::{Acceptance, EnrolledKey};
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};
use crate::store::Tree;

const PREFIX: &[u8] = b"pending/";
/// Entries handled in one transaction.
const BATCH: usize = 256;

/// A key that waits.
#[derive(Clone, Serialize, Deserialize)]
pub struct PendingEntry {
    holder: HolderToken,
    program: ProgramName,
    key: Thumbprint,
    enrolled_at: i64,
    matures_at: Option<i64>,
}

impl Record for PendingEntry {
    const TREE: Tree = Tree::Counters;
    fn key(&self) -> Vec<u8> {
        key_of(&self.holder, &self.key)
    }
}

fn key_of(holder: &HolderToken, key: &Thumbprint) -> Vec<u8> {
    [PREFIX, format!("{holder}/{key}").as_bytes()].concat()
}

/// Brings the index up to date with a key that is being written.
///
/// # Errors
/// The store's.
pub fn follow(tx: &mut Tx<'_, '_>, key: &EnrolledKey, program: &ProgramName) -> Result<(), Error> {
    let thumbprint = key.key.thumbprint();
    match key.acceptance {
        Acceptance::Pending { matures_at } => tx.put(&PendingEntry {
            holder: key.holder.clone(),
            program: program.clone(),
            key: thumbprint,
            enrolled_at: key.enrolled_at,
            matures_at,
        }),
        Acceptance::Active | Acceptance::Revoked => forget(tx, &key.holder, &thumbprint),
    }
}

/// Takes a key out of the index.
///
/// # Errors
/// The store's.
pub fn forget(tx: &mut Tx<'_, '_>, holder: &HolderToken, key: &Thumbprint) -> Result<(), Error> {
    tx.delete::<PendingEntry>(&key_of(holder, key))
}

/// Up to `limit` keys that wait, the longest waiting first.
///
/// # Errors
/// The store's.
pub fn list(vault: &OpenVault, limit: usize) -> Result<Vec<PendingKey>, Error> {
    let now = vault.now();
    let entries: Vec<PendingEntry> = vault.records.scan_readable(PREFIX, Bound::Unbounded, limit)?;
    let waiting = entries.into_iter().filter(|entry| !has_matured(entry, now));
    let mut keys: Vec<PendingKey> = waiting.map(render).collect::<Result<_, _>>()?;
    keys.sort_by_key(|key| key.enrolled_at);
    Ok(keys)
}

/// Takes keys that have matured out of the index. Returns how many.
///
/// # Errors
/// The store's.
pub async fn forget_matured(vault: &Arc<OpenVault>) -> Result<usize, Error> {
    let now = vault.now();
    let (mut forgotten, mut from) = (0, Bound::Unbounded);
    loop {
        let bound = from.as_ref().map(Vec::as_slice);
        let entries: Vec<PendingEntry> = vault.records.scan_readable(PREFIX, bound, BATCH)?;
        let Some(last) = entries.last() else {
            return Ok(forgotten);
        };
        from = Bound::Excluded(last.key());
        let matured: Vec<Vec<u8>> = entries
            .iter()
            .filter(|entry| has_matured(entry, now))
            .map(Record::key)
            .collect();
        if matured.is_empty() {
            continue;
        }
        forgotten += matured.len();
        let work =
            move |tx: &mut Tx<'_, '_>| matured.iter().try_for_each(|key| tx.delete::<PendingEntry>(key));
        vault.records.transact(work).await?;
    }
}

fn has_matured(entry: &PendingEntry, now: i64) -> bool {
    entry.matures_at.is_some_and(|at| at <= now)
}

fn render(entry: PendingEntry) -> Result<PendingKey, Error> {
    let instant = |seconds: i64| {
        OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| Error::Corrupt(error.to_string()))
    };
    Ok(PendingKey {
        holder: entry.holder,
        program: entry.program,
        key: entry.key,
        enrolled_at: instant(entry.enrolled_at)?,
        matures_at: entry.matures_at.map(instant).transpose()?,
    })
}
