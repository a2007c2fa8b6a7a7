//! Checks an exported log against signed checkpoints, offline, with the audit key's public half alone, and names every
//! place where the log is not what was signed.

use std::collections::BTreeMap;

use shared::vault_api::audit::AuditEntry;

use super::checkpoint::{Checkpoint, Head};
use super::event::{Event, Operation, Outcome};
use super::merkle::{self, CompactRange, Hash};
use super::note::{Note, NoteError, VerifierKey, hex};
use super::succession;

/// A place where a log is not what it should be. Indices and sizes count events from the log's beginning; notes are
/// counted from 1 in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Tampered {
    /// A line of the export is no entry.
    #[error("line {line} is no entry of a log")]
    Unreadable {
        /// Counted from 1.
        line: u64,
    },
    /// Entries are missing, doubled, or in another order.
    #[error("entry {expected} is missing: found {found} in its place")]
    Gap {
        /// The index that should follow.
        expected: u64,
        /// The index that did.
        found: u64,
    },
    /// An event is not the one that was exported.
    #[error("entry {index} was changed")]
    Changed {
        /// Its index.
        index: u64,
    },
    /// The events between two checkpoints are not those that were signed.
    #[error("entries {from} to {to} are not those of the signed checkpoint over {to} entries")]
    Rewritten {
        /// The first that may be wrong: those before it are signed.
        from: u64,
        /// Size of the checkpoint that does not fit.
        to: u64,
    },
    /// The log ends before a signed checkpoint: its tail was cut, its file deleted, or an old disk was put back.
    #[error("the log ends at {found} entries, and {expected} were signed (note {note})")]
    Cut {
        /// Size of the largest checkpoint.
        expected: u64,
        /// Entries found.
        found: u64,
        /// Where it was signed.
        note: usize,
    },
    /// A signed checkpoint belongs to another history than later ones: the log was forked, as by a disk that was put back
    /// and written on.
    #[error("note {note} over {size} entries belongs to another history")]
    Forked {
        /// Its size.
        size: u64,
        /// Which note.
        note: usize,
    },
    /// A text among the notes is no note.
    #[error("note {note} is no signed checkpoint")]
    NoNote {
        /// Which note.
        note: usize,
    },
    /// A signature that says it is by a known key, and is not.
    #[error("the signature of note {note} is forged")]
    Forged {
        /// Which note.
        note: usize,
    },
    /// A note that is signed by none of the keys that the first one leads to.
    #[error("note {note} is signed by {signer}, which is not the log's key")]
    OtherKey {
        /// Which note.
        note: usize,
        /// Name and id of its first key.
        signer: String,
    },
    /// No checkpoint covers the last entries: nobody signed them yet, or somebody added them.
    #[error("entries from {from} on are covered by no checkpoint")]
    Unsigned {
        /// The first of them.
        from: u64,
    },
}

/// What the log came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The end of the events that were read.
    pub head: Head,
    /// Checkpoints that fit.
    pub checkpoints: usize,
    /// The keys that signed, in order: the first is the one that was given.
    pub keys: Vec<VerifierKey>,
    /// Restores from a backup that officers made, each an event that names what was given up.
    pub restores: Vec<Restored>,
    /// Every place that is wrong; empty: the log is what was signed.
    pub findings: Vec<Tampered>,
}

/// A deliberate restore: checkpoints from before it may be larger than, or other than, the log that went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The index of its event.
    pub index: u64,
    /// Up to which size the history before it was witnessed.
    pub given_up: u64,
}

/// A log in the making of its verification.
struct Reading {
    range: CompactRange,
    findings: Vec<Tampered>,
    /// The root at each size that a checkpoint asks for.
    roots: BTreeMap<u64, Option<Hash>>,
    /// Keys that events name: after how many events, which.
    successors: Vec<(u64, VerifierKey)>,
    restores: Vec<Restored>,
}

/// Reads lines of an export: JSON of [`AuditEntry`], one a line.
pub fn entries<'a>(
    lines: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = Result<AuditEntry, Tampered>> {
    lines
        .zip(1..)
        .filter(|(text, _)| !text.trim().is_empty())
        .map(|(text, line)| serde_json::from_str(text).map_err(|_| Tampered::Unreadable { line }))
}

/// Splits a witness' file into its notes. What is no note there, such as the half of one that a full disk left, is
/// skipped: it proves nothing.
#[must_use]
pub fn notes(file: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut before = None;
    for paragraph in file.split("\n\n") {
        let paragraph = paragraph.trim_matches('\n');
        match before.take() {
            Some(text) if paragraph.starts_with('\u{2014}') => found.push(format!("{text}\n\n{paragraph}\n")),
            _ => before = Some(paragraph),
        }
    }
    found
}

/// Verifies `entries`, in order from index 0, against `notes`, in the order in which they were witnessed. `key` is the
/// first key of the log; its successors are followed.
#[must_use]
pub fn verify(
    entries: impl Iterator<Item = Result<AuditEntry, Tampered>>,
    notes: &[String],
    key: &VerifierKey,
) -> Report {
    let sizes = notes
        .iter()
        .filter_map(|note| Checkpoint::read(&Note::parse(note).ok()?).ok());
    let mut reading = Reading {
        range: CompactRange::default(),
        findings: Vec::new(),
        roots: sizes.map(|checkpoint| (checkpoint.head.size, None)).collect(),
        successors: Vec::new(),
        restores: Vec::new(),
    };
    reading.look();
    for entry in entries {
        match entry {
            Ok(entry) => reading.take(&entry, key.name()),
            Err(finding) => reading.findings.push(finding),
        }
    }
    reading.judge(notes, key)
}

impl Reading {
    fn take(&mut self, entry: &AuditEntry, origin: &str) {
        let expected = self.range.size();
        if entry.index != expected {
            self.findings.push(Tampered::Gap {
                expected,
                found: entry.index,
            });
        }
        let leaf = merkle::leaf(entry.event.as_bytes());
        if hex(&leaf) != entry.hash {
            self.findings.push(Tampered::Changed { index: entry.index });
        }
        self.range.append(leaf, |_, _| {});
        if let Ok(event) = serde_json::from_str::<Event>(&entry.event) {
            self.follow(&event, expected, origin);
        }
        self.look();
    }

    /// Remembers the root where a checkpoint asks for it.
    fn look(&mut self) {
        if let Some(root) = self.roots.get_mut(&self.range.size()) {
            *root = Some(self.range.root());
        }
    }

    fn follow(&mut self, event: &Event, index: u64, origin: &str) {
        if event.outcome != Outcome::Done {
            return;
        }
        let successors = succession::named(event, origin);
        self.successors.extend(successors.map(|key| (index + 1, key)));
        if event.operation == Operation::Restore {
            let words = event.note.iter().flat_map(|note| note.split_whitespace());
            let witnessed = words.filter_map(|word| word.strip_prefix("witnessed=")?.parse().ok());
            let given_up = witnessed.max();
            self.restores
                .extend(given_up.map(|given_up| Restored { index, given_up }));
        }
    }

    fn judge(mut self, notes: &[String], key: &VerifierKey) -> Report {
        let mut keys = vec![(0, key.clone())];
        let mut judged = Vec::new();
        for (number, note) in (1..).zip(notes) {
            match self.signed(note, number, &mut keys) {
                Ok(checkpoint) => judged.push((number, checkpoint.head)),
                Err(finding) => self.findings.push(finding),
            }
        }
        let fitting = self.compare(&judged);
        let end = self.range.size();
        let covered = judged
            .iter()
            .map(|(_, head)| head.size)
            .filter(|size| *size <= end)
            .max();
        if covered.unwrap_or(0) < end {
            let from = covered.unwrap_or(0);
            self.findings.push(Tampered::Unsigned { from });
        }
        Report {
            head: Head {
                size: end,
                root: self.range.root(),
            },
            checkpoints: fitting,
            keys: keys.into_iter().map(|(_, key)| key).collect(),
            restores: self.restores,
            findings: self.findings,
        }
    }

    /// The checkpoint of a note that one of the keys signed. A successor is believed once a checkpoint by an earlier key
    /// covers the event that names it; here that is every checkpoint which fits.
    fn signed(
        &self,
        note: &str,
        number: usize,
        keys: &mut Vec<(u64, VerifierKey)>,
    ) -> Result<Checkpoint, Tampered> {
        let no_note = |_| Tampered::NoNote { note: number };
        let parsed = Note::parse(note).map_err(no_note)?;
        let read = Checkpoint::read(&parsed).map_err(no_note)?;
        for (since, key) in keys.iter() {
            if read.origin != key.name() {
                continue;
            }
            match key.verify(&parsed) {
                Ok(_) if read.head.size >= *since => {
                    if self.fits(&read.head) {
                        let covered = self.successors.iter().filter(|(at, _)| *at <= read.head.size);
                        let new = covered.filter(|(_, key)| !keys.iter().any(|(_, known)| known == key));
                        let new: Vec<_> = new.cloned().collect();
                        keys.extend(new);
                    }
                    return Ok(read);
                }
                Err(NoteError::Forged) => return Err(Tampered::Forged { note: number }),
                _ => {}
            }
        }
        let signer = parsed.signers().next();
        let signer = signer.map(|(name, id)| format!("{name}+{}", hex(&id)));
        Err(Tampered::OtherKey {
            note: number,
            signer: signer.unwrap_or_default(),
        })
    }

    fn fits(&self, head: &Head) -> bool {
        self.roots.get(&head.size).copied().flatten() == Some(head.root)
    }

    /// Compares every signed head with the log, and gives how many fit.
    fn compare(&mut self, judged: &[(usize, Head)]) -> usize {
        let end = self.range.size();
        let (mut fitting, mut good) = (0, 0);
        let mut by_size: Vec<_> = judged.to_vec();
        by_size.sort_by_key(|(number, head)| (head.size, *number));
        let largest_fit = by_size
            .iter()
            .filter(|(_, head)| self.fits(head))
            .map(|(_, head)| head.size)
            .max();
        let mut cut: Option<(u64, usize)> = None;
        let mut rewritten = false;
        for (number, head) in by_size {
            if self.fits(&head) {
                (fitting, good) = (fitting + 1, head.size);
            } else if self
                .restores
                .iter()
                .any(|restored| head.size <= restored.given_up)
            {
                // Given up by a restore, which is an event of its own.
            } else if head.size > end {
                cut = Some((head.size, number));
            } else if largest_fit.is_some_and(|size| size >= head.size) {
                self.findings.push(Tampered::Forked {
                    size: head.size,
                    note: number,
                });
            } else if !rewritten {
                // Whatever was signed later does not fit either.
                rewritten = true;
                self.findings.push(Tampered::Rewritten {
                    from: good,
                    to: head.size,
                });
            }
        }
        if let Some((expected, note)) = cut {
            self.findings.push(Tampered::Cut {
                expected,
                found: end,
                note,
            });
        }
        fitting
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
