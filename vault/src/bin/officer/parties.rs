//! The register of persons and parties: a CA's signature alone grants nothing.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use shared::mtls::identity::Identity;
use shared::mtls::peer::Peer;
use shared::vault_api::governance::{Party, Proposal};
use shared::vault_api::paths;

use crate::cli::Context;
use crate::console::{at, table};
use crate::failure::Failure;
use crate::files;
use crate::proposing::propose;

/// A certificate with its chain.
const MOST_CERTIFICATE_BYTES: u64 = 64 * 1024;

/// See, register and strike persons and parties
#[derive(Debug, Subcommand)]
pub enum Parties {
    /// List registered persons and parties with the thumbprints of their keys
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: an unlocked vault.
    ///
    /// Next: `parties register` or `parties strike`.
    List,
    /// Propose to register the holder of a certificate, or the next key of one
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: the certificate as the person or party handed it over; compare the key thumbprint with them by another
    /// way. Custodians of a new slot are registered as officers first.
    ///
    /// Next: after `approvals approve` whoever holds the private key may act in the role of the certificate.
    Register {
        /// The certificate, PEM
        certificate: PathBuf,
    },
    /// Propose to strike a person or party, with all their keys
    ///
    /// Who: two registered officers: this proposes, the other approves. Two officers must remain.
    ///
    /// Needs: the identity, spiffe://tessera/ROLE/NAME. An officer who left also has the certificate revoked (`certs
    /// revoke`) and, if a custodian, is replaced (`slots add --replaces`).
    ///
    /// Next: after `approvals approve` the next request under that identity is refused.
    Strike {
        /// The identity
        identity: Identity,
    },
}

impl Parties {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let vault = context.vault()?;
        match self {
            Self::List => {
                let parties: Vec<Party> = vault.get(paths::PARTIES).await?;
                context.console.show(&parties, || list(&parties))
            }
            Self::Register { certificate } => {
                let peer = holder_of(&certificate)?;
                context
                    .console
                    .remark(&format!("certificate until {}", at(peer.not_after)));
                let party = Party {
                    identity: peer.identity,
                    key_thumbprint: peer.key,
                };
                propose(context, &vault, &Proposal::RegisterParty(party))
                    .await
                    .map(drop)
            }
            Self::Strike { identity } => propose(context, &vault, &Proposal::StrikeParty(identity))
                .await
                .map(drop),
        }
    }
}

fn holder_of(path: &Path) -> Result<Peer, Failure> {
    let pem = files::read_text(path, MOST_CERTIFICATE_BYTES)?;
    let der = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| Failure::usage(format!("{} holds no certificate in PEM", path.display())))?;
    Peer::from_certificate(&der).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn list(parties: &[Party]) -> String {
    let row = |party: &Party| [party.identity.to_string(), party.key_thumbprint.to_string()];
    let rows: Vec<_> = parties.iter().map(row).collect();
    table(["WHO", "KEY"], &rows, "Nobody.")
}
