//! Files with which cards come in and go out by the thousand, and backups: formats, places on the disk, and nothing of
//! what is done with them.

pub mod backup_file;
pub mod line;
pub mod manifest;
pub mod places;
pub mod restore;
pub mod restored;
pub mod sections;

use self::places::Place;

/// Where bulk files lie, and how large and old they may become.
#[derive(Clone, Debug)]
pub struct BulkRules {
    /// For backups.
    pub backups: Place,
    /// For the files of imports and exports.
    pub files: Place,
    /// Largest file of an import, in bytes.
    pub most_import_bytes: u64,
    /// How long an export's file and an import's rows outlive their job, in seconds.
    pub keep_seconds: i64,
}

/// Lower-case hex, as hashes of files are written.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
