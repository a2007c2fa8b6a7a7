//! The inventory of certificates (PCI DSS 4.2.1.1) and its alarms: our own certificate, the roots we trust and their
//! revocation lists, and what our peers showed when they were last here. A register's key never ends; the certificate
//! around it does.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::mtls::certificate::ReloadingCertificate;
use shared::mtls::identity::Identity;
use shared::mtls::trust::ReloadingTrust;
use shared::vault_api::reports::{CertificateEntry, CertificateKind};
use time::{Duration, OffsetDateTime};

/// Days before its end from which a certificate is an alarm, and from which a graver one.
const ALARMS: [(Stage, Duration); 4] = [
    (Stage::Ended, Duration::ZERO),
    (Stage::LastDay, Duration::days(1)),
    (Stage::LastWeek, Duration::days(7)),
    (Stage::LastMonth, Duration::days(30)),
];
/// An alarm that still holds is said again after this time.
const SAY_AGAIN: Duration = Duration::days(1);
/// Peers that are remembered: many times what registers hold.
const MOST_PEERS: usize = 10_000;

/// How near its end something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Thirty days and less; of a revocation list: the last quarter of its life.
    LastMonth,
    /// Seven days and less.
    LastWeek,
    /// One day and less.
    LastDay,
    /// Over.
    Ended,
}

/// What is watched besides peers.
struct Own {
    certificate: Arc<ReloadingCertificate>,
    internal: Arc<ReloadingTrust>,
    partners: Arc<ReloadingTrust>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    ends_at: OffsetDateTime,
    last: OffsetDateTime,
}

/// The inventory.
#[derive(Default)]
pub struct Certificates {
    own: Option<Own>,
    peers: Mutex<HashMap<Identity, Seen>>,
    said: Mutex<HashMap<String, (Stage, OffsetDateTime)>>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// Watches the vault's own certificate, the internal CA and the partner CA.
    #[must_use]
    pub fn new(
        certificate: Arc<ReloadingCertificate>,
        internal: Arc<ReloadingTrust>,
        partners: Arc<ReloadingTrust>,
    ) -> Self {
        Self {
            own: Some(Own {
                certificate,
                internal,
                partners,
            }),
            ..Self::default()
        }
    }

    /// Remembers what a peer showed: until when its certificate is valid.
    pub fn seen(&self, peer: &Identity, ends_at: OffsetDateTime, now: OffsetDateTime) {
        let mut peers = lock(&self.peers);
        let seen = Seen { ends_at, last: now };
        if let Some(known) = peers.get_mut(peer) {
            *known = seen;
        } else if peers.len() < MOST_PEERS {
            peers.insert(peer.clone(), seen);
        }
    }

    /// Everything that ends, the soonest first.
    #[must_use]
    pub fn inventory(&self) -> Vec<CertificateEntry> {
        let mut entries: Vec<CertificateEntry> = self.own.iter().flat_map(Own::entries).collect();
        entries.extend(lock(&self.peers).iter().map(|(identity, seen)| CertificateEntry {
            kind: CertificateKind::Peer,
            name: identity.to_string(),
            issued_at: None,
            ends_at: seen.ends_at,
            last_seen_at: Some(seen.last),
        }));
        entries.sort_by(|a, b| (a.ends_at, &a.name).cmp(&(b.ends_at, &b.name)));
        entries
    }

    /// Says, once a day and at each step, what is about to end. Returns how many alarms there are.
    pub fn alarm(&self, now: OffsetDateTime) -> usize {
        let mut said = lock(&self.said);
        let mut alarms = 0;
        for entry in self.inventory() {
            let Some(stage) = stage(&entry, now) else {
                said.remove(&entry.name);
                continue;
            };
            alarms += 1;
            let before = said.get(&entry.name).copied();
            if before.is_some_and(|(last, at)| last == stage && now - at < SAY_AGAIN) {
                continue;
            }
            say(&entry, stage, now);
            said.insert(entry.name, (stage, now));
        }
        alarms
    }
}

impl Own {
    fn entries(&self) -> [CertificateEntry; 5] {
        let entry = |kind, name: &str, issued_at, ends_at| CertificateEntry {
            kind,
            name: name.to_owned(),
            issued_at,
            ends_at,
            last_seen_at: None,
        };
        let root = |name, trust: &ReloadingTrust| {
            entry(CertificateKind::Authority, name, None, trust.roots_expire_at())
        };
        let list = |name, trust: &ReloadingTrust| {
            let (issued, ends) = (trust.lists_issued_at(), trust.lists_expire_at());
            entry(CertificateKind::RevocationList, name, Some(issued), ends)
        };
        [
            entry(CertificateKind::Own, "own", None, self.certificate.not_after()),
            root("internal-ca", &self.internal),
            list("internal-crl", &self.internal),
            root("partner-ca", &self.partners),
            list("partner-crl", &self.partners),
        ]
    }
}

/// How near its end something is; `None`: far. A revocation list lives for days, so the first alarm is when three quarters
/// of its life are over: whoever renews it has then missed more than one turn.
fn stage(entry: &CertificateEntry, now: OffsetDateTime) -> Option<Stage> {
    let left = entry.ends_at - now;
    let life = entry.issued_at.map(|issued_at| entry.ends_at - issued_at);
    let within = |limit: Duration| left <= life.map_or(limit, |life| limit.min(life / 4));
    let (stage, _) = ALARMS.into_iter().find(|(_, limit)| within(*limit))?;
    Some(stage)
}

fn say(entry: &CertificateEntry, stage: Stage, now: OffsetDateTime) {
    let (certificate, ends_at) = (&entry.name, entry.ends_at);
    let hours_left = (ends_at - now).whole_hours();
    if stage >= Stage::LastDay {
        tracing::error!(alarm = "certificate", %certificate, %ends_at, hours_left, ?stage, "ends");
    } else {
        tracing::warn!(alarm = "certificate", %certificate, %ends_at, hours_left, ?stage, "ends soon");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

    fn entry(ends_in: Duration, life: Option<Duration>) -> CertificateEntry {
        CertificateEntry {
            kind: CertificateKind::Own,
            name: "own".to_owned(),
            issued_at: life.map(|life| NOW + ends_in - life),
            ends_at: NOW + ends_in,
            last_seen_at: None,
        }
    }

    #[test]
    fn a_certificate_alarms_thirty_seven_and_one_day_before_its_end() {
        for (days, expected) in [
            (31, None),
            (30, Some(Stage::LastMonth)),
            (8, Some(Stage::LastMonth)),
            (7, Some(Stage::LastWeek)),
            (1, Some(Stage::LastDay)),
            (0, Some(Stage::Ended)),
            (-1, Some(Stage::Ended)),
        ] {
            assert_eq!(
                stage(&entry(Duration::days(days), None), NOW),
                expected,
                "{days} days"
            );
        }
    }

    #[test]
    fn a_list_of_eight_days_alarms_in_its_last_two() {
        let of = |hours| stage(&entry(Duration::hours(hours), Some(Duration::days(8))), NOW);
        assert_eq!(of(49), None);
        assert_eq!(of(48), Some(Stage::LastWeek));
        assert_eq!(of(24), Some(Stage::LastDay));
    }

    #[test]
    fn a_peers_certificate_is_known_from_its_last_visit_and_said_once_a_day() {
        let certificates = Certificates::default();
        let ends_at = NOW + Duration::days(5);
        certificates.seen(&Identity::Gateway, ends_at, NOW);
        let [entry] = certificates.inventory().try_into().unwrap();
        assert_eq!((entry.kind, entry.ends_at), (CertificateKind::Peer, ends_at));
        assert_eq!(certificates.alarm(NOW), 1);
        let said = |at| lock(&certificates.said).get(&entry.name) == Some(&(Stage::LastWeek, at));
        assert!(said(NOW));
        certificates.alarm(NOW + Duration::hours(23));
        assert!(said(NOW), "said twice a day");
        certificates.alarm(NOW + Duration::hours(24));
        assert!(said(NOW + Duration::hours(24)));
        certificates.seen(&Identity::Gateway, NOW + Duration::days(365), NOW);
        assert_eq!(certificates.alarm(NOW), 0, "renewed, and still an alarm");
    }
}
