//! Where the vault runs. It loosens nothing by itself: what development permits is asked for by name and says so.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of place a vault runs in. Part of every AAD, so that nothing sealed in one opens in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A machine without real cards: key-file slots and memory that cannot be locked are let pass, loudly.
    Development,
    /// Everywhere else.
    Production,
}

impl Environment {
    /// The name in configuration, logs and AAD.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
