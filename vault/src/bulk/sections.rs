//! The sections of the configuration that say where bulk files lie and how long what is kept.

use std::path::PathBuf;

use serde::Deserialize;

use super::BulkRules;
use super::places::Place;
use crate::config::Config;
use crate::domain::retention::RetentionRules;

const MIB: u64 = 1024 * 1024;
const SECONDS_PER_HOUR: i64 = 3600;
const SECONDS_PER_DAY: i64 = 86_400;

/// `[retention]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days after a card's expiry until it is closed, to be destroyed after the grace time (PCI DSS 3.2.1). Absent: no
    /// card is closed by itself, since how long an expired card is still needed (chargebacks, say) is the issuer's to
    /// know.
    pub close_after_expiry_days: Option<u16>,
}

/// `[backup]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// Where backups are written: best another volume, from which they are carried away. `backups` in the data directory
    /// by default.
    pub directory: Option<PathBuf>,
}

/// `[bulk]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bulk {
    /// Where the files of imports wait and those of exports are fetched from; of several processes over one database,
    /// the same for all. `bulk` in the data directory by default.
    pub directory: Option<PathBuf>,
    /// Largest file of an import, MiB.
    pub most_import_mib: u64,
    /// Hours for which the file of an export and the rows of an import are kept after their job has ended.
    pub keep_hours: u16,
}

impl Default for Bulk {
    fn default() -> Self {
        Self {
            directory: None,
            most_import_mib: 1024,
            keep_hours: 168,
        }
    }
}

impl Config {
    /// Where backups are written.
    #[must_use]
    pub fn backup_place(&self) -> Place {
        let directory = self.backup.directory.clone();
        Place::new(
            directory.unwrap_or_else(|| self.data.join("backups")),
            self.floor(),
        )
    }

    /// Where files of imports and exports lie.
    #[must_use]
    pub fn bulk_place(&self) -> Place {
        let directory = self.bulk.directory.clone();
        Place::new(directory.unwrap_or_else(|| self.data.join("bulk")), self.floor())
    }

    fn floor(&self) -> u64 {
        self.store.free_floor_mib.saturating_mul(MIB)
    }

    /// How cards are destroyed.
    #[must_use]
    pub fn retention_rules(&self) -> RetentionRules {
        RetentionRules {
            grace_seconds: i64::from(self.erase.grace_days) * SECONDS_PER_DAY,
            purge_interval_seconds: i64::from(self.erase.purge_interval_hours) * SECONDS_PER_HOUR,
            close_after_expiry_days: self.retention.close_after_expiry_days,
        }
    }

    /// Where bulk files lie, and how large and old they may become.
    #[must_use]
    pub fn bulk_rules(&self) -> BulkRules {
        BulkRules {
            backups: self.backup_place(),
            files: self.bulk_place(),
            most_import_bytes: self.bulk.most_import_mib.saturating_mul(MIB),
            keep_seconds: i64::from(self.bulk.keep_hours) * SECONDS_PER_HOUR,
        }
    }
}
