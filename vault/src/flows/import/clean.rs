//! What an import leaves behind, and how long: the spooled file ends with its job, the rows some days later.

use std::ops::Bound;
use std::sync::Arc;

use shared::ids::ApprovalToken;

use super::{ImportRecord, PLAN, file_name, row_prefix, seen_prefix};
use crate::error::Error;
use crate::flows::bulk_error;
use crate::open_vault::OpenVault;
use crate::records::Record;
use crate::store::Tree;
use crate::work;

/// Imports looked at in one pass; the next pass sees the rest.
const MOST_IMPORTS: usize = 1000;
/// Entries deleted in one transaction.
const BATCH: usize = 128;

/// Removes what ended imports have left: the file and the numbers met at once, rows after the time for which they are kept.
///
/// # Errors
/// The store's.
pub async fn clean(vault: &Arc<OpenVault>) -> Result<(), Error> {
    let imports: Vec<ImportRecord> = vault
        .records
        .scan(PLAN.as_bytes(), Bound::Unbounded, MOST_IMPORTS)?;
    for import in imports {
        let job = match work::find(vault, &import.job) {
            Ok(job) => job,
            Err(Error::NotFound(_)) => continue,
            Err(other) => return Err(other),
        };
        let Some(ended) = job.ended_at else { continue };
        forget_file(vault, &import.approval).await?;
        let kept_until = ended
            .unix_timestamp()
            .saturating_add(vault.surroundings.bulk.keep_seconds);
        if kept_until <= vault.now() {
            delete_all(vault, row_prefix(&import.approval)).await?;
            let key = import.key();
            vault
                .records
                .transact(move |tx| tx.delete::<ImportRecord>(&key))
                .await?;
        }
    }
    Ok(())
}

/// Removes the spooled file and what was remembered of its numbers.
///
/// # Errors
/// The store's, or the file cannot be removed.
pub(super) async fn forget_file(vault: &Arc<OpenVault>, approval: &ApprovalToken) -> Result<(), Error> {
    delete_all(vault, seen_prefix(approval)).await?;
    let (place, name) = (vault.surroundings.bulk.files.clone(), file_name(approval));
    let removed = tokio::task::spawn_blocking(move || place.remove(&name)).await;
    removed
        .map_err(|error| Error::Internal(error.to_string()))?
        .map_err(bulk_error)
}

async fn delete_all(vault: &Arc<OpenVault>, prefix: Vec<u8>) -> Result<(), Error> {
    loop {
        let store = &vault.surroundings.store;
        let page = store.scan(Tree::ImportRows, &prefix, Bound::Unbounded, BATCH);
        let page = page.map_err(|error| Error::Store(error.to_string()))?;
        if page.is_empty() {
            return Ok(());
        }
        let delete = move |tx: &mut crate::records::Tx<'_, '_>| {
            page.iter()
                .try_for_each(|(key, _)| tx.delete_sealed(Tree::ImportRows, key))
        };
        vault.records.transact(delete).await?;
    }
}
