//! What is counted when somebody asks: the state as it is.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

use shared::vault_api::jobs::Job;

use super::page::Page;
use crate::flows::backup::BackupRecord;
use crate::flows::{orders, pending_keys};
use crate::keys::header::{KeyHeader, KeyState};
use crate::open_vault::{OpenVault, Surroundings};
use crate::store::{Store, Tree};
use crate::witness::Standing;
use crate::work;

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

/// Who follows the audit log outside: witnesses and the mirror. One that was not heard of yet has no size.
pub(super) fn witnesses(page: &mut Page, surroundings: &Surroundings) {
    let (now, standings) = (
        surroundings.clock.unix_seconds(),
        surroundings.witnesses.standings(),
    );
    let labels = |standing: &Standing| vec![("name", standing.name.clone())];
    let seen = standings
        .iter()
        .filter_map(|standing| Some((labels(standing), standing.size?)));
    page.gauges(
        "audit_followed_events",
        "Events that a witness or the mirror knows of",
        seen.collect::<Vec<_>>(),
    );
    let failing = standings.iter().map(|standing| {
        let since = standing.failing_since.unwrap_or(now);
        (labels(standing), now.saturating_sub(since))
    });
    page.gauges(
        "audit_follower_failing_seconds",
        "Seconds for which a witness or the mirror has failed; 0: it follows",
        failing.collect::<Vec<_>>(),
    );
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

/// Ages and uses of keys, and the epoch.
pub(super) fn keys(page: &mut Page, vault: &OpenVault) {
    let (keyring, now) = (vault.keyring(), vault.now());
    page.gauge("epoch", "The number of the epoch", keyring.epoch());
    let labels = |header: &KeyHeader| {
        let state = match header.state {
            KeyState::Active => "active",
            KeyState::Retiring => "retiring",
            KeyState::Grace { .. } => "grace",
            KeyState::Destroyed { .. } => "destroyed",
        };
        vec![
            ("purpose", header.id.purpose.as_str().to_owned()),
            ("version", header.id.version.to_string()),
            ("state", state.to_owned()),
        ]
    };
    let ages = keyring
        .headers()
        .iter()
        .map(|header| (labels(header), now.saturating_sub(header.created_at)));
    page.gauges("key_age_seconds", "Seconds since a key version was made", ages);
    let uses = keyring
        .headers()
        .iter()
        .map(|header| (labels(header), keyring.uses().of(header.id)));
    page.gauges(
        "key_uses",
        "How often a key version has sealed or wrapped (SP 800-38D)",
        uses,
    );
    page.gauge("key_most_uses", "How often it may", keyring.uses().limit());
}

/// Long work: that which has not ended, and the last of each kind that has.
pub(super) fn jobs(page: &mut Page, vault: &OpenVault) {
    let Ok(jobs) = work::list(vault) else { return };
    let mut seen = HashSet::new();
    // Newest first: of several ended ones the first is shown.
    let shown: Vec<_> = jobs.into_iter().filter(|job| seen.insert(job.kind)).collect();
    let each = |value: fn(&Job) -> u64| {
        let labels = |job: &Job| {
            vec![
                ("kind", format!("{:?}", job.kind)),
                ("state", format!("{:?}", job.state)),
            ]
        };
        shown
            .iter()
            .map(|job| (labels(job), value(job)))
            .collect::<Vec<_>>()
    };
    page.gauges(
        "job_items",
        "Items of the latest job of a kind",
        each(|job| job.progress.total),
    );
    page.gauges(
        "job_items_done",
        "Items that are done",
        each(|job| job.progress.done),
    );
    page.gauges(
        "job_items_failed",
        "Items that failed",
        each(|job| job.progress.failed),
    );
    page.gauges("job_rate", "Items a second", each(|job| job.progress.rate));
}

/// Backups whose life has not ended.
pub(super) fn backups(page: &mut Page, vault: &OpenVault) {
    let now = vault.surroundings.clock.now();
    let Ok(records) = vault
        .records
        .scan_readable::<BackupRecord>(b"", Bound::Unbounded, MOST_COUNTED)
    else {
        return;
    };
    let alive: Vec<_> = records
        .iter()
        .filter(|record| record.is_alive() && record.whole)
        .collect();
    page.gauge("backups", "Backups whose life has not ended", alive.len());
    if let Some(newest) = alive.iter().map(|record| record.backup.made_at).max() {
        page.gauge(
            "backup_age_seconds",
            "Seconds since the newest backup was made",
            (now - newest).whole_seconds(),
        );
    }
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
    if let Ok((waiting, late)) = orders::waiting::count(vault) {
        page.gauge(
            "orders_unconfirmed",
            "Orders of plastic that the bureau has not confirmed",
            waiting,
        );
        page.gauge(
            "orders_late",
            "Orders of plastic that the bureau has not confirmed within 48 hours",
            late,
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
