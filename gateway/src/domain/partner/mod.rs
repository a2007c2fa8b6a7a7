//! A partner as operators know it: its name, from where its servers may call, which keys may seal and be sealed to, and its
//! certificates.

mod certificate;
mod network;
mod sealing;

use shared::mtls::identity::Name;

pub use certificate::{Certificate, CertificateId, CertificateRefusal, CertificateState, Ending, Pinned};
pub use network::{Network, Networks};
pub use sealing::SealingRules;

/// The gateway's number of a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartnerId(pub i64);

/// A partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// The number.
    pub id: PartnerId,
    /// The name in its certificates' URI SAN.
    pub name: Name,
    /// What operators decided.
    pub settings: PartnerSettings,
}

/// What operators decide about a partner.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartnerSettings {
    /// From where its servers may call.
    pub networks: Networks,
    /// Which keys and algorithms its traffic may use.
    pub sealing: SealingRules,
}
