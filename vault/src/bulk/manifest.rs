//! What a backup says of itself, signed by the audit key: which vault state it is, and the hash of everything in it.
//!
//! The text of a signed note (C2SP signed-note), one fact a line. Its first line is no name that a log can have, so that a
//! manifest never passes for a checkpoint of the same key, nor a checkpoint for a manifest.

use shared::ids::BackupToken;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::hex;
use crate::environment::Environment;
use crate::store::{CommitRecord, Tree};

/// The first line of the file and of its manifest.
pub const TITLE: &str = "tessera vault backup 1";
/// Longest manifest with its signature, in bytes.
pub const MOST_MANIFEST_BYTES: usize = 4 * 1024;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The environment that every value is bound to.
    pub environment: Environment,
    /// Which backup.
    pub backup: BackupToken,
    /// When it was made, to the second.
    pub made_at: OffsetDateTime,
    /// Until when its epoch secret is kept, to the second.
    pub life_ends_at: OffsetDateTime,
    /// The epoch whose secret opens it.
    pub epoch: u32,
    /// The store's commit: number, and root of the audit log.
    pub commit: CommitRecord,
    /// Events in the audit log.
    pub log_size: u64,
    /// Entries of each tree, in the order of the file.
    pub trees: Vec<(Tree, u64)>,
    /// SHA-256 of the file's bytes before the manifest.
    pub sha256: [u8; 32],
}

impl Manifest {
    /// Entries in all.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.trees.iter().map(|(_, count)| count).sum()
    }

    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{TITLE}\n");
        let mut line = |name: &str, value: &str| {
            for part in [name, " ", value, "\n"] {
                text.push_str(part);
            }
        };
        line("environment", self.environment.as_str());
        line("backup", self.backup.as_str());
        line("made", &written(self.made_at));
        line("life-ends", &written(self.life_ends_at));
        line("epoch", &self.epoch.to_string());
        line("commit", &self.commit.number.to_string());
        line("commit-records", &self.commit.records.to_string());
        line("log-root", &hex(&self.commit.audit_head));
        line("log-size", &self.log_size.to_string());
        line("sha256", &hex(&self.sha256));
        for (tree, count) in &self.trees {
            line("tree", &format!("{} {count}", tree.name()));
        }
        text
    }

    /// Reads the text of a manifest; `None`: it is none, or not written as [`Manifest::text`] writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        if lines.next()? != TITLE {
            return None;
        }
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let environment = environment(value("environment")?)?;
        let backup = value("backup")?.parse().ok()?;
        let made_at = OffsetDateTime::parse(value("made")?, &Rfc3339).ok()?;
        let life_ends_at = OffsetDateTime::parse(value("life-ends")?, &Rfc3339).ok()?;
        let epoch = value("epoch")?.parse().ok()?;
        let commit = CommitRecord {
            number: value("commit")?.parse().ok()?,
            records: value("commit-records")?.parse().ok()?,
            audit_head: unhex(value("log-root")?)?,
        };
        let log_size = value("log-size")?.parse().ok()?;
        let sha256 = unhex(value("sha256")?)?;
        let tree = |line: &str| {
            let (name, count) = line.strip_prefix("tree ")?.split_once(' ')?;
            let tree = Tree::ALL.into_iter().find(|tree| tree.name() == name)?;
            Some((tree, count.parse().ok()?))
        };
        let manifest = Self {
            environment,
            backup,
            made_at,
            life_ends_at,
            epoch,
            commit,
            log_size,
            trees: lines.map(tree).collect::<Option<_>>()?,
            sha256,
        };
        (manifest.text() == text).then_some(manifest)
    }
}

fn environment(name: &str) -> Option<Environment> {
    [Environment::Development, Environment::Production]
        .into_iter()
        .find(|environment| environment.as_str() == name)
}

fn written(moment: OffsetDateTime) -> String {
    let whole = moment.replace_nanosecond(0).unwrap_or(moment);
    whole.format(&Rfc3339).unwrap_or_default()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use time::macros::datetime;

    use super::*;

    pub(in crate::bulk) fn manifest() -> Manifest {
        Manifest {
            environment: Environment::Development,
            backup: BackupToken::from_random(&[7; 16]).unwrap(),
            made_at: datetime!(2027-01-15 12:00 UTC),
            life_ends_at: datetime!(2027-02-15 12:00 UTC),
            epoch: 3,
            commit: CommitRecord {
                number: 9,
                records: 12,
                audit_head: [0xAB; 32],
            },
            log_size: 4,
            trees: vec![(Tree::Slots, 1), (Tree::Audit, 4)],
            sha256: [0xCD; 32],
        }
    }

    #[test]
    fn a_manifest_survives_its_text_form() {
        let manifest = manifest();
        assert_eq!(Manifest::parse(&manifest.text()), Some(manifest));
    }

    #[test]
    fn what_is_written_otherwise_is_no_manifest() {
        let text = manifest().text();
        for bad in [
            text.replace("epoch 3", "epoch 03"),
            text.replace("epoch 3", "epoch +3"),
            text.replace("tree slots 1", "tree slot 1"),
            text.replace("abab", "ABAB"),
            text.replace("tessera vault backup 1", "tessera vault backup 2"),
            text.trim_end().to_owned(),
            format!("{text}more\n"),
        ] {
            assert_eq!(Manifest::parse(&bad), None, "{bad}");
        }
    }
}
