//! Following other processes of the vault on the same store: what this one keeps in memory is brought up to date before
//! each group of commits, and within a second without any.

use std::ops::Bound;
use std::time::Duration;

use ring::digest::{Context, SHA256};
use tokio::time::{MissedTickBehavior, interval};

use crate::audit::event::Operation;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::store::{Entry, Follower, Store, Tree, Txn};

/// How often a process without traffic looks whether others committed: one read of one row.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// More versions of keys than any vault has.
const MOST_KEYS: usize = 1000;

impl Follower for OpenVault {
    fn follow(&self, txn: &mut Txn<'_>) -> Result<(), String> {
        if self.is_closed() || self.ledger().ends_at(txn.audit_head()) {
            return Ok(());
        }
        self.follow_others(txn).map_err(|error| error.to_string())
    }
}

impl OpenVault {
    /// Reads the events that others wrote, counts their budgets, and reads again what they changed. The keys come first:
    /// the events may be sealed under one that this process has not seen yet.
    fn follow_others(&self, txn: &mut Txn<'_>) -> Result<(), Error> {
        self.follow_keys(txn)?;
        let (registers, now) = (self.registers(), self.now());
        let unseen = self
            .records
            .within(txn, |tx| self.ledger().catch_up(tx, &registers, now))?;
        let changed = [Operation::Initialise, Operation::Approve];
        if changed.into_iter().any(|operation| unseen.may_hold(operation)) {
            // Nothing of this group is written yet: what is durable is what the transaction sees.
            self.reload_registers()?;
        }
        Ok(())
    }

    /// Reads the keys again where the wrapped ones in the store are not those of the last time.
    fn follow_keys(&self, txn: &mut Txn<'_>) -> Result<(), Error> {
        let seen = fingerprint(&txn.scan(Tree::Keks, b"", Bound::Unbounded, MOST_KEYS)?);
        let mut keys_seen = self.keys_seen();
        if *keys_seen != Some(seen) {
            let refreshed = self.keys.refresh_in(txn, self.now());
            refreshed.map_err(|error| Error::Corrupt(error.to_string()))?;
            *keys_seen = Some(seen);
        }
        Ok(())
    }
}

fn fingerprint(entries: &[Entry]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in entries.iter().flat_map(|(key, value)| [key, value]) {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(context.finish().as_ref());
    fingerprint
}

/// Looks for what other processes committed, for ever; with a store of this process's own there is nothing to see.
pub async fn look_for_others(store: Store) {
    if !store.is_shared() {
        return std::future::pending().await;
    }
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        looks.tick().await;
        let looked = store.look().await;
        if let Err(error) = &looked
            && !away
        {
            tracing::warn!(%error, "cannot see what other processes commit");
        }
        away = looked.is_err();
    }
}
