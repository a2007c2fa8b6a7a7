//! A scan that sees changes laid over what an engine reads: a transaction sees its group's writes, a reader the values
//! that unsynced writes are about to replace.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::engine::{EngineError, Entry};

/// Values that stand above the engine's; `None`: no such entry.
pub(super) type Overrides = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Up to `limit` entries from `from` on. `page` reads the engine's entries from a bound on, and then the overrides that
/// hold for the same range; it is asked again while overrides took entries out of a full page.
pub(super) fn scan_over(
    from: Bound<&[u8]>,
    limit: usize,
    mut page: impl FnMut(Bound<&[u8]>, usize) -> Result<(Vec<Entry>, Overrides), EngineError>,
) -> Result<Vec<Entry>, EngineError> {
    let mut found: Vec<Entry> = Vec::new();
    let mut from: Bound<Vec<u8>> = from.map(<[u8]>::to_vec);
    while found.len() < limit {
        let wanted = limit - found.len();
        let (entries, overrides) = page(from.as_ref().map(Vec::as_slice), wanted)?;
        let end = if entries.len() < wanted {
            None
        } else {
            entries.last().map(|(key, _)| key.clone())
        };
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = entries.into_iter().collect();
        for (key, value) in overrides {
            if end.as_ref().is_some_and(|end| key > *end) {
                break;
            }
            match value {
                Some(value) => merged.insert(key, value),
                None => merged.remove(&key),
            };
        }
        found.extend(merged.into_iter().take(wanted));
        match end {
            Some(end) => from = Bound::Excluded(end),
            None => break,
        }
    }
    Ok(found)
}
