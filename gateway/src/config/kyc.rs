//! Documents of KYC applications, and who decides about applications.

use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;

/// Documents of KYC applications.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kyc {
    /// 32 random bytes, readable by the owner alone, under which documents are sealed: `gateway kyc new-key` makes it.
    pub documents_key_file: PathBuf,
    /// Keys that were in use before: they open what was sealed under them, and seal nothing any more.
    #[serde(default)]
    pub documents_earlier_key_files: Vec<PathBuf>,
    /// Largest document, in bytes.
    #[serde(default = "document_bytes")]
    pub document_bytes: usize,
    /// Seconds for a whole document to arrive.
    #[serde(default = "document_seconds")]
    pub document_seconds: u64,
    /// Most documents of a user.
    #[serde(default = "documents_per_user")]
    pub documents_per_user: u32,
    /// Documents that a user may send in an hour, taken or not.
    #[serde(default = "documents_per_hour_per_user")]
    pub documents_per_hour_per_user: u32,
    /// Documents that are received or shown at the same time: each is held in memory as a whole.
    #[serde(default = "documents_at_once")]
    pub documents_at_once: usize,
}

const fn document_bytes() -> usize {
    8 * 1024 * 1024
}

const fn document_seconds() -> u64 {
    60
}

const fn documents_per_user() -> u32 {
    20
}

const fn documents_per_hour_per_user() -> u32 {
    60
}

const fn documents_at_once() -> usize {
    16
}

impl Kyc {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let rules = [
            (
                (1_024..=32 * 1024 * 1024).contains(&self.document_bytes),
                "document_bytes must be 1 KiB to 32 MiB",
            ),
            (
                (1..=600).contains(&self.document_seconds),
                "document_seconds must be 1 to 600",
            ),
            (
                (1..=100).contains(&self.documents_per_user),
                "documents_per_user must be 1 to 100",
            ),
            (
                self.documents_per_hour_per_user > 0,
                "documents_per_hour_per_user must be at least 1",
            ),
            (
                (1..=256).contains(&self.documents_at_once),
                "documents_at_once must be 1 to 256",
            ),
        ];
        match rules.iter().find(|(kept, _)| !kept) {
            Some((_, rule)) => Err(ConfigError::Invalid { key: "kyc", rule }),
            None => Ok(()),
        }
    }
}
