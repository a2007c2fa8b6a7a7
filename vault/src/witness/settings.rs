//! `[audit]` of the configuration.

use std::path::PathBuf;

use serde::Deserialize;

use super::http::Access;

/// Soon enough that little is lost with a disk, and seldom enough that a witness' file grows by a few megabytes a day.
const DEFAULT_EVERY_SECONDS: u64 = 5;

/// `[audit]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// The log's name in its checkpoints, never to be changed: no white space, no `+`.
    /// `tessera.vault/<environment>` by default.
    pub origin: Option<String>,
    /// Who keeps the newest checkpoint.
    pub witnesses: Vec<WitnessSection>,
    /// A directory, best on another volume, that gets a copy of every event as a line of JSON.
    pub mirror: Option<PathBuf>,
    /// Seconds after which witnesses and mirror hear of a log that grew.
    pub every_seconds: u64,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            origin: None,
            witnesses: Vec::new(),
            mirror: None,
            every_seconds: DEFAULT_EVERY_SECONDS,
        }
    }
}

/// `[[audit.witnesses]]`
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum WitnessSection {
    /// A file on another volume: checkpoints are appended to it.
    File {
        /// The file.
        file: PathBuf,
    },
    /// A server that speaks C2SP tlog-witness.
    Http(Access),
}
