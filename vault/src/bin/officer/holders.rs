//! Cardholders' keys that wait.

use clap::Subcommand;
use shared::ids::HolderToken;
use shared::thumbprint::Thumbprint;
use shared::vault_api::governance::Proposal;
use shared::vault_api::paths;
use shared::vault_api::reports::PendingKey;

use crate::cli::Context;
use crate::console::{at, at_or_dash, table};
use crate::failure::Failure;
use crate::proposing::propose;

/// See keys that wait, and propose to make one active
#[derive(Debug, Subcommand)]
pub enum Holders {
    /// List holder keys that wait to become active
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: an unlocked vault.
    ///
    /// Next: a key that the holder does not know of is an attack: have the gateway revoke it.
    Pending,
    /// Propose to make a pending key active before its time
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: the holder identified by another way than the gateway: the key may reveal cards from then on.
    ///
    /// Next: after `approvals approve` the key is active.
    Activate {
        /// The holder
        holder: HolderToken,
        /// The key's thumbprint
        key: Thumbprint,
    },
}

impl Holders {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let vault = context.vault()?;
        match self {
            Self::Pending => {
                let keys: Vec<PendingKey> = vault.get(paths::PENDING_KEYS).await?;
                context.console.show(&keys, || list(&keys))
            }
            Self::Activate { holder, key } => {
                propose(context, &vault, &Proposal::ActivateKey { holder, key })
                    .await
                    .map(drop)
            }
        }
    }
}

fn list(keys: &[PendingKey]) -> String {
    let row = |key: &PendingKey| {
        [
            key.holder.to_string(),
            key.program.to_string(),
            key.key.to_string(),
            at(key.enrolled_at),
            at_or_dash(key.matures_at),
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    table(
        ["HOLDER", "PROGRAM", "KEY", "WAITS SINCE", "MATURES"],
        &rows,
        "No key waits.",
    )
}
