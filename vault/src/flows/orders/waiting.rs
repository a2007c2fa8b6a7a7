//! Orders that the bureau has not confirmed, for the security team: what waits too long is somebody's missing card.

use std::ops::Bound;
use std::sync::Arc;

use shared::vault_api::plastic::WaitingOrder;
use time::OffsetDateTime;

use super::{MADE, Unconfirmed, WAITS};
use crate::error::Error;
use crate::open_vault::OpenVault;

/// Orders in one list.
pub const MOST_LISTED: usize = 10_000;
const SECONDS_PER_HOUR: i64 = 3600;

/// Those that were placed at least so many hours ago, oldest first.
///
/// # Errors
/// The store's.
pub fn list(vault: &Arc<OpenVault>, hours: u64) -> Result<Vec<WaitingOrder>, Error> {
    let hours = i64::try_from(hours).unwrap_or(i64::MAX);
    let before = vault.now().saturating_sub(hours.saturating_mul(SECONDS_PER_HOUR));
    let mut found = unconfirmed(vault)?;
    found.retain(|entry| entry.placed_at <= before);
    found.sort_by_key(|entry| entry.placed_at);
    let shown = |entry: Unconfirmed| {
        let placed_at = OffsetDateTime::from_unix_timestamp(entry.placed_at);
        Ok(WaitingOrder {
            order: entry.order,
            program: entry.program,
            placed_at: placed_at.map_err(|error| Error::Corrupt(error.to_string()))?,
            batch: entry.batch,
        })
    };
    found.into_iter().map(shown).collect()
}

/// How many wait or are in a batch, and how many of them for longer than 48 hours.
///
/// # Errors
/// The store's.
pub fn count(vault: &OpenVault) -> Result<(usize, usize), Error> {
    let before = vault.now().saturating_sub(48 * SECONDS_PER_HOUR);
    let found = unconfirmed(vault)?;
    let late = found.iter().filter(|entry| entry.placed_at <= before).count();
    Ok((found.len(), late))
}

fn unconfirmed(vault: &OpenVault) -> Result<Vec<Unconfirmed>, Error> {
    let mut found = Vec::new();
    for list in [WAITS, MADE] {
        let prefix = format!("{list}/");
        let entries: Vec<Unconfirmed> =
            vault
                .records
                .scan_readable(prefix.as_bytes(), Bound::Unbounded, MOST_LISTED)?;
        found.extend(entries);
    }
    Ok(found)
}
