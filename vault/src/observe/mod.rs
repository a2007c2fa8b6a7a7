//! What the vault tells of its own health: metrics, pulled by auditors and never pushed, and the ends of certificates.
//! Counters stand at the places where everything passes anyway (the ledger's commit, the doors); all else is read off
//! the state when somebody asks. No label carries card data or a token.

pub mod certificates;
mod corruption;
mod counters;
mod page;
mod stock;

pub use self::counters::{Counters, Refusal};
pub use self::page::{CONTENT_TYPE, render};

use self::certificates::Certificates;
use self::corruption::Corruption;
use crate::store::Tree;

/// What is counted and watched from the start of the process to its end, locked or not.
#[derive(Debug, Default)]
pub struct Observed {
    /// What was counted.
    pub counters: Counters,
    /// Certificates and revocation lists, our own and those that came to our doors.
    pub certificates: Certificates,
    /// Records that did not open or did not read.
    pub corruption: Corruption,
}

impl Observed {
    /// Begins to watch these certificates.
    #[must_use]
    pub fn new(certificates: Certificates) -> Self {
        Self {
            certificates,
            ..Self::default()
        }
    }

    /// A record of `tree` did not open or did not read: `what` names it and says why.
    pub fn corrupt(&self, tree: Tree, what: &str) {
        self.counters.corrupt(tree);
        self.corruption.note(what);
    }
}
