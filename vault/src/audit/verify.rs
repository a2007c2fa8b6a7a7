//! Checks a log that was read through the auditor's door against a head that the vault signed. Needs no key but the CA.

use shared::vault_api::audit::AuditEntry;

use super::chain::{Head, hex};

/// Where a log is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Tampered {
    /// An index is missing or doubled.
    #[error("entry {expected} is missing: found {found} in its place")]
    Gap {
        /// The index that should follow.
        expected: u64,
        /// The index that did.
        found: u64,
    },
    /// An event does not hash to what its entry says.
    #[error("entry {0} does not hash to its place in the chain")]
    Hash(u64),
    /// The log ends before the signed head, or goes on elsewhere.
    #[error("the log ends at {found} entries with another hash than the signed head over {expected}")]
    Head {
        /// Entries under the signed head.
        expected: u64,
        /// Entries found.
        found: u64,
    },
}

/// Follows the chain over `entries` from the beginning to `signed`.
///
/// # Errors
/// The first place that does not fit.
pub fn verify<'a>(entries: impl Iterator<Item = &'a AuditEntry>, signed: Head) -> Result<(), Tampered> {
    let mut head = Head::default();
    for entry in entries {
        if entry.index != head.size {
            return Err(Tampered::Gap {
                expected: head.size,
                found: entry.index,
            });
        }
        head = head.after(entry.event.as_bytes());
        if hex(&head.hash) != entry.hash {
            return Err(Tampered::Hash(entry.index));
        }
        if head.size == signed.size {
            break;
        }
    }
    if head == signed {
        Ok(())
    } else {
        Err(Tampered::Head {
            expected: signed.size,
            found: head.size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (Vec<AuditEntry>, Head) {
        let mut head = Head::default();
        let entry = |index: u64| {
            let event = format!("{{\"n\":{index}}}");
            head = head.after(event.as_bytes());
            AuditEntry {
                index,
                event,
                hash: hex(&head.hash),
            }
        };
        let entries = (0..10).map(entry).collect();
        (entries, head)
    }

    #[test]
    fn an_untouched_log_verifies() {
        let (entries, head) = log();
        assert_eq!(verify(entries.iter(), head), Ok(()));
    }

    #[test]
    fn each_kind_of_tampering_names_its_place() {
        let (mut entries, head) = log();
        entries[4].event.push(' ');
        assert_eq!(verify(entries.iter(), head), Err(Tampered::Hash(4)));

        let (mut entries, head) = log();
        entries.remove(3);
        assert_eq!(
            verify(entries.iter(), head),
            Err(Tampered::Gap {
                expected: 3,
                found: 4
            })
        );

        let (mut entries, head) = log();
        entries.truncate(7);
        assert_eq!(
            verify(entries.iter(), head),
            Err(Tampered::Head {
                expected: 10,
                found: 7
            })
        );

        let (entries, _) = log();
        let forked = Head::default().after(b"another history");
        assert!(matches!(
            verify(entries.iter(), forked),
            Err(Tampered::Head { .. })
        ));
    }
}
