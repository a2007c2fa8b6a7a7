//! The two certification authorities. They are separate roots: who trusts the partner CA (the gateway's partner listener)
//! never thereby trusts an officer, and who trusts the internal CA never thereby trusts a partner.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// One of the two roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ca {
    /// Signs the vault, the gateway, officers, auditors, processors and bureaus.
    Internal,
    /// Signs partners' servers only.
    Partner,
}

impl Ca {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Internal, Self::Partner];

    /// The word that stands for this CA in file names, the index and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Partner => "partner",
        }
    }

    /// The common name of the root's subject.
    pub(crate) fn common_name(self) -> &'static str {
        match self {
            Self::Internal => "Tessera Internal CA",
            Self::Partner => "Tessera Partner CA",
        }
    }

    /// The root certificate's file in `dir`.
    #[must_use]
    pub fn certificate_path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{}-ca.pem", self.word()))
    }

    /// The root key's file in `dir`.
    #[must_use]
    pub fn key_path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{}-ca.key", self.word()))
    }

    /// The file in `dir` that lists what this CA issued.
    #[must_use]
    pub fn index_path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{}-ca.index.json", self.word()))
    }

    /// The current CRL's file in `dir`.
    #[must_use]
    pub fn crl_path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.crl.pem", self.word()))
    }
}

impl fmt::Display for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
