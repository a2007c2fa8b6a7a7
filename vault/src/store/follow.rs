//! Following what other processes commit. What this process keeps in memory of the store (the end of the audit log,
//! budgets, registers, keys) is brought up to date at the beginning of each group, before any work of it runs; so every
//! transaction decides over the store as it is, whoever wrote last.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::batch::Batch;
use super::commit::CommitError;
use super::engine::View;
use super::txn::{Txn, TxnError};

/// Who keeps something in memory that follows from the store.
pub trait Follower: Send + Sync {
    /// Brings it up to date, on the commit thread. Told at the beginning of every group: it compares first, since most
    /// often nothing happened. After a group that was lost with its connection it may be *ahead* of the store, and goes
    /// back. What it writes into the transaction is dropped.
    ///
    /// # Errors
    /// Why it cannot follow, for the log; the group is refused.
    fn follow(&self, txn: &mut Txn<'_>) -> Result<(), String>;
}

/// Who follows, if anybody. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Following(Arc<Mutex<Option<Weak<dyn Follower>>>>);

impl Following {
    pub(super) fn set(&self, follower: Weak<dyn Follower>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(follower);
    }

    pub(super) fn follow(&self, view: &dyn View, audit_head: [u8; 32]) -> Result<(), CommitError> {
        let follower = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(follower) = follower.and_then(|follower| follower.upgrade()) else {
            return Ok(());
        };
        let nothing = Batch::default();
        let mut txn = Txn::new(view, &nothing, audit_head);
        let followed = follower.follow(&mut txn);
        if let Some(TxnError::Engine(error)) = txn.finish().refused
            && !error.ends_the_store()
        {
            return Err(CommitError::Unavailable(error));
        }
        followed.map_err(|why| {
            tracing::error!(%why, "cannot follow what other processes committed");
            CommitError::Behind(why)
        })
    }
}
