//! The kinds of certificate: the roles of the product, the gateway's taken apart into the end that answers and the end that
//! calls.

use clap::ValueEnum;

/// A kind of certificate; a [`crate::profile::Profile`] is a kind with what makes it one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The vault's listener; the same key signs the vault's attestations and proofs.
    Vault,
    /// The gateway's public and partner listeners.
    GatewayServer,
    /// The gateway as it calls the vault.
    GatewayClient,
    /// A security officer or custodian at the vault's operator command line.
    Officer,
    /// An auditor who reads the vault's log.
    Auditor,
    /// An issuing processor.
    Processor,
    /// A personalisation bureau.
    Bureau,
    /// A partner's server at the gateway's partner listener.
    Partner,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Vault,
        Self::GatewayServer,
        Self::GatewayClient,
        Self::Officer,
        Self::Auditor,
        Self::Processor,
        Self::Bureau,
        Self::Partner,
    ];

    /// The kind's word on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::GatewayServer => "gateway-server",
            Self::GatewayClient => "gateway-client",
            Self::Officer => "officer",
            Self::Auditor => "auditor",
            Self::Processor => "processor",
            Self::Bureau => "bureau",
            Self::Partner => "partner",
        }
    }
}
