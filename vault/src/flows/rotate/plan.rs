//! How far a rotation is: what is left to rotate, and what is being done to the first of it.

use serde::{Deserialize, Serialize};

/// A key whose old versions must be referred to by nothing before they are destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The KEK of cards: data keys are wrapped anew.
    CardKek,
    /// Every card gets a new data key under a new KEK, and its fields are sealed anew.
    DataKeys,
    /// The key that seals every record.
    Records,
    /// The key of the PAN fingerprints.
    Fingerprint,
}

/// Where a rotation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotating {
    /// What is still to be rotated, the present one first. After the last the epoch is replaced.
    pub plan: Vec<Target>,
}

impl Rotating {
    /// At the beginning.
    #[must_use]
    pub const fn of(plan: Vec<Target>) -> Self {
        Self { plan }
    }
}
