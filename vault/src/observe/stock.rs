//! What is counted when somebody asks: the state as it is.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::page::Page;
use crate::flows::pending_keys;
use crate::open_vault::{OpenVault, Surroundings};
use crate::store::{Store, Tree};

/// So many entries of one kind are counted; there is an alarm long before.
const MOST_COUNTED: usize = 10_000;

/// Seconds until certificates and revocation lists end.
pub(super) fn certificates(page: &mut Page, surroundings: &Surroundings) {
    let now = surroundings.clock.now();
    let inventory = surroundings.observed.certificates.inventory();
    page.gauges(
        "certificate_ends_in_seconds",
        "Seconds until a certificate or revocation list ends; negative when it has",
        inventory.into_iter().map(|entry| {
            let labels = vec![("kind", entry.kind.as_str().to_owned()), ("name", entry.name)];
            (labels, (entry.ends_at - now).whole_seconds())
        }),
    );
}

/// How the store is. One that cannot be asked for its free space tells the rest.
pub(super) fn store(page: &mut Page, store: &Store) {
    let reached = store.reached();
    page.gauge(
        "store_commit_groups",
        "Groups of commits since the store was made",
        reached.number,
    );
    page.gauge("store_records", "Entries in all trees", reached.records);
    if let Ok(status) = store.status() {
        page.gauge(
            "store_waiting_transactions",
            "Transactions that wait for the commit thread",
            status.waiting,
        );
        page.gauge(
            "store_free_bytes",
            "Free space on the store's volume",
            status.free_bytes,
        );
        page.gauge(
            "store_failed",
            "1 when the store takes no more commits",
            u8::from(status.failure.is_some()),
        );
    }
}

/// Programs and parties.
pub(super) fn registers(page: &mut Page, vault: &OpenVault) {
    let registers = vault.registers();
    page.gauge("programs", "Programs", registers.programs().count());
    let mut by_role: BTreeMap<&'static str, u32> = BTreeMap::new();
    for party in registers.parties() {
        *by_role.entry(party.identity.role().as_str()).or_default() += 1;
    }
    page.gauges(
        "registered_keys",
        "Keys of registered persons and parties, by role",
        by_role
            .into_iter()
            .map(|(role, count)| (vec![("role", role.to_owned())], count)),
    );
}

/// What waits for people or for its time. A figure that cannot be read is left out: its absence is the alarm.
pub(super) fn waiting(page: &mut Page, vault: &OpenVault) {
    if let Ok(pending) = pending_keys::list(vault, MOST_COUNTED) {
        page.gauge(
            "pending_holder_keys",
            "Holder keys that wait to mature or for two officers",
            pending.len(),
        );
    }
    let store = &vault.surroundings.store;
    if let Ok(due) = store.scan(Tree::Erasures, b"", Bound::Unbounded, MOST_COUNTED) {
        page.gauge(
            "erasures_waiting",
            "Closed cards whose secrets wait for their destruction",
            due.len(),
        );
    }
}
