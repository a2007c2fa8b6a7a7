//! Records that did not open or did not read. Each is said once: whoever meets it next gets the same error, and the log does
//! not fill up.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Corrupt records that are told apart; a store with more than that is lost as a whole.
const MOST_KNOWN: usize = 1000;

/// What is known of corrupt records since the process began.
#[derive(Debug, Default)]
pub struct Corruption(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    said: HashSet<String>,
    unwritten: Vec<String>,
}

impl Corruption {
    /// Notes a record: its tree, its key and what is wrong with it. Says it in the log when it is the first time.
    pub(super) fn note(&self, what: &str) {
        let mut known = self.lock();
        if known.said.len() >= MOST_KNOWN || !known.said.insert(what.to_owned()) {
            return;
        }
        tracing::error!(alarm = "corrupt-record", %what, "a record is corrupt");
        known.unwritten.push(what.to_owned());
    }

    /// What is not in the audit log yet; the caller writes it there.
    #[must_use]
    pub fn take_unwritten(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().unwritten)
    }

    /// The caller writes this one with an event of its own.
    pub fn is_written(&self, what: &str) {
        self.lock().unwritten.retain(|unwritten| unwritten != what);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_corrupt_record_is_told_once() {
        let corruption = Corruption::default();
        for what in ["cards a: broken", "cards b: broken", "cards a: broken"] {
            corruption.note(what);
        }
        corruption.is_written("cards b: broken");
        assert_eq!(corruption.take_unwritten(), ["cards a: broken"]);
        corruption.note("cards a: broken");
        assert!(corruption.take_unwritten().is_empty());
    }
}
