//! Every kind of tampering, by its place.

use serde_json::json;

use super::*;
use crate::audit::checkpoint::verifier_key;
use crate::keys::audit_key::AuditKey;

const ORIGIN: &str = "tessera.vault/test";

/// A log with a checkpoint after every fourth event.
struct Forger {
    key: AuditKey,
    range: CompactRange,
    entries: Vec<AuditEntry>,
    notes: Vec<String>,
}

impl Forger {
    fn new() -> Self {
        Self {
            key: AuditKey::for_test(),
            range: CompactRange::default(),
            entries: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn log(events: u64) -> Self {
        let mut log = Self::new();
        (0..events).for_each(|number| log.append(&json!({ "n": number }).to_string()));
        log
    }

    fn append(&mut self, event: &str) {
        let leaf = merkle::leaf(event.as_bytes());
        self.entries.push(AuditEntry {
            index: self.range.size(),
            event: event.to_owned(),
            hash: hex(&leaf),
        });
        self.range.append(leaf, |_, _| {});
        if self.range.size().is_multiple_of(4) {
            self.checkpoint();
        }
    }

    fn event(&mut self, operation: &str, note: &str) {
        let event =
            json!({ "at": "2027-01-01T00:00:00Z", "operation": operation, "outcome": "done", "note": note });
        self.append(&event.to_string());
    }

    fn checkpoint(&mut self) {
        let head = Head {
            size: self.range.size(),
            root: self.range.root(),
        };
        let origin = ORIGIN.to_owned();
        self.notes
            .push(Checkpoint { origin, head }.sign([&self.key]).unwrap());
    }

    fn vkey(&self) -> VerifierKey {
        verifier_key(&self.key, ORIGIN).unwrap()
    }

    fn verify(&self) -> Report {
        verify(self.entries.iter().cloned().map(Ok), &self.notes, &self.vkey())
    }

    fn findings(&self) -> Vec<Tampered> {
        self.verify().findings
    }
}

#[test]
fn an_untouched_log_verifies() {
    let log = Forger::log(12);
    let report = log.verify();
    assert_eq!(report.findings, []);
    assert_eq!((report.head.size, report.checkpoints), (12, 3));
    assert_eq!(Forger::log(0).findings(), []);
}

#[test]
fn a_flipped_byte_is_named_by_its_line() {
    let mut log = Forger::log(12);
    log.entries[5].event.push(' ');
    assert_eq!(
        log.findings(),
        [
            Tampered::Changed { index: 5 },
            Tampered::Rewritten { from: 4, to: 8 }
        ]
    );
}

#[test]
fn a_changed_event_with_a_matching_hash_is_named_by_its_checkpoints() {
    let mut log = Forger::log(12);
    let forged = r#"{"n":"another"}"#;
    (log.entries[5].event, log.entries[5].hash) = (forged.to_owned(), hex(&merkle::leaf(forged.as_bytes())));
    assert_eq!(log.findings(), [Tampered::Rewritten { from: 4, to: 8 }]);
}

#[test]
fn a_dropped_line_is_named_also_when_the_rest_is_counted_anew() {
    let mut log = Forger::log(12);
    log.entries.remove(6);
    assert_eq!(
        log.findings()[0],
        Tampered::Gap {
            expected: 6,
            found: 7
        }
    );

    let mut log = Forger::log(12);
    log.entries.remove(6);
    (0..)
        .zip(&mut log.entries)
        .for_each(|(index, entry)| entry.index = index);
    let findings = log.findings();
    assert_eq!(findings[0], Tampered::Rewritten { from: 4, to: 8 });
    assert!(matches!(
        findings[1],
        Tampered::Cut {
            expected: 12,
            found: 11,
            ..
        }
    ));
}

#[test]
fn a_cut_tail_and_a_deleted_file_are_named() {
    let mut log = Forger::log(12);
    log.entries.truncate(9);
    assert_eq!(
        log.findings(),
        [
            Tampered::Unsigned { from: 8 },
            Tampered::Cut {
                expected: 12,
                found: 9,
                note: 3
            }
        ]
        .into_iter()
        .rev()
        .collect::<Vec<_>>()
    );
    log.entries.clear();
    assert_eq!(
        log.findings(),
        [Tampered::Cut {
            expected: 12,
            found: 0,
            note: 3
        }]
    );
}

#[test]
fn an_old_disk_that_was_written_on_is_a_fork() {
    let mut log = Forger::log(12);
    log.entries.truncate(6);
    log.range = CompactRange::default();
    log.entries
        .iter()
        .for_each(|entry| log.range.append(merkle::leaf(entry.event.as_bytes()), |_, _| {}));
    (0..10).for_each(|number| log.append(&json!({ "other": number }).to_string()));
    assert_eq!(
        log.findings(),
        [
            Tampered::Forked { size: 8, note: 2 },
            Tampered::Forked { size: 12, note: 3 }
        ]
    );
}

#[test]
fn forged_signatures_and_other_keys_are_named() {
    let mut log = Forger::log(8);
    log.notes[0] = log.notes[0].replacen("\n4\n", "\n5\n", 1);
    assert_eq!(log.findings(), [Tampered::Forged { note: 1 }]);

    let mut log = Forger::log(8);
    let other = Forger::log(8);
    log.notes[1].clone_from(&other.notes[1]);
    let findings = log.findings();
    assert!(
        matches!(&findings[0], Tampered::OtherKey { note: 2, .. }),
        "{findings:?}"
    );

    let mut log = Forger::log(8);
    log.notes.push("nonsense".to_owned());
    assert_eq!(log.findings(), [Tampered::NoNote { note: 3 }]);
}

#[test]
fn a_line_that_is_no_entry_is_named() {
    let log = Forger::log(4);
    let mut lines: Vec<String> = log
        .entries
        .iter()
        .map(|entry| serde_json::to_string(entry).unwrap())
        .collect();
    lines[2] = "{".to_owned();
    let report = verify(entries(lines.iter().map(String::as_str)), &log.notes, &log.vkey());
    assert_eq!(report.findings[0], Tampered::Unreadable { line: 3 });
}

#[test]
fn a_new_key_is_followed_once_the_old_one_signed_the_event_that_names_it() {
    let rotated = |handover: bool| {
        let mut log = Forger::log(4);
        let first = log.vkey();
        let next = AuditKey::for_test();
        let vkey = verifier_key(&next, ORIGIN).unwrap();
        log.event("rotate-key", &format!("audit key version 2, now {vkey}"));
        if handover {
            log.checkpoint();
        }
        log.key = next;
        (0..7).for_each(|number| log.append(&json!({ "n": number }).to_string()));
        verify(log.entries.iter().cloned().map(Ok), &log.notes, &first)
    };
    let report = rotated(true);
    assert_eq!(report.findings, []);
    assert_eq!(report.keys.len(), 2);
    let report = rotated(false);
    assert!(
        matches!(report.findings[0], Tampered::OtherKey { note: 2, .. }),
        "{:?}",
        report.findings
    );
}

#[test]
fn a_deliberate_restore_is_reported_and_excuses_what_it_names() {
    let mut log = Forger::log(12);
    log.entries.truncate(6);
    log.range = CompactRange::default();
    log.entries
        .iter()
        .for_each(|entry| log.range.append(merkle::leaf(entry.event.as_bytes()), |_, _| {}));
    log.event("restore", "backup of 2027-01-01, witnessed=12");
    (0..5).for_each(|number| log.append(&json!({ "other": number }).to_string()));
    let report = log.verify();
    assert_eq!(report.findings, []);
    assert_eq!(
        report.restores,
        [Restored {
            index: 6,
            given_up: 12
        }]
    );
}

#[test]
fn a_witness_file_with_half_a_note_gives_the_whole_ones() {
    let log = Forger::log(8);
    let file = format!("{}\n{}\n\n{}\n", log.notes[0], &log.notes[1][..30], log.notes[1]);
    assert_eq!(notes(&file), log.notes);
    assert_eq!(notes(""), Vec::<String>::new());
}
