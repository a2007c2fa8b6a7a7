//! That a certificate no longer counts, since when, and why.

use clap::ValueEnum;
use rcgen::RevocationReason;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Why a certificate was revoked (RFC 5280 §5.3.1, as far as it applies to end entities and cannot be undone).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No reason is given.
    Unspecified,
    /// The private key is or may be in other hands; it is never certified again.
    KeyCompromise,
    /// The holder now belongs elsewhere.
    AffiliationChanged,
    /// A newer certificate took its place.
    Superseded,
    /// The holder ended its work.
    CessationOfOperation,
    /// The holder may no longer do what the certificate is for.
    PrivilegeWithdrawn,
}

impl Reason {
    /// The reason's word in the index and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
            Self::PrivilegeWithdrawn => "privilege-withdrawn",
        }
    }
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Unspecified => Self::Unspecified,
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::AffiliationChanged => Self::AffiliationChanged,
            Reason::Superseded => Self::Superseded,
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
        }
    }
}

/// A revocation as the index keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// When the CA was told.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Why.
    pub reason: Reason,
}
