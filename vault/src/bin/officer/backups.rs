//! Backups.

use clap::Args;
use shared::vault_api::governance::Proposal;
use shared::vault_api::paths;
use shared::vault_api::reports;

use crate::cli::Context;
use crate::console::{at, table};
use crate::failure::Failure;
use crate::proposing::{Watch, propose_and_watch};

/// Propose a backup: ciphertext only, with a signed manifest
///
/// Who: two registered officers: this proposes, the other approves.
///
/// Needs: room in the backup directory of the vault's configuration. The longer its life, the longer erased cards in it are
/// within reach of the root key's quorum.
///
/// Next: after `approvals approve` a job writes it; `backups` lists it with its file and hash. Copy the file away and drill it:
/// `vault restore` on another machine, unlocked by the custodians.
#[derive(Debug, Args)]
pub struct Backup {
    /// Days for which it opens
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    life_days: u16,
    #[command(flatten)]
    watch: Watch,
}

impl Backup {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let proposal = Proposal::Backup {
            life_days: self.life_days,
        };
        propose_and_watch(context, &context.vault()?, &proposal, &self.watch).await
    }
}

/// List backups whose life has not ended
///
/// Who: any registered officer or auditor.
///
/// Needs: an unlocked vault.
///
/// Next: compare the file's SHA-256 where you keep it; a backup whose life has ended opens no more.
#[derive(Debug, Args)]
pub struct Backups {}

impl Backups {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let backups: Vec<reports::Backup> = context.vault()?.get(paths::BACKUPS).await?;
        context.console.show(&backups, || list(&backups))
    }
}

fn list(backups: &[reports::Backup]) -> String {
    let row = |backup: &reports::Backup| {
        [
            backup.id.to_string(),
            at(backup.made_at),
            at(backup.life_ends_at),
            backup.records.to_string(),
            backup.file.clone(),
            backup.sha256.clone(),
        ]
    };
    let rows: Vec<_> = backups.iter().map(row).collect();
    table(
        ["BACKUP", "MADE", "LIFE ENDS", "RECORDS", "FILE", "SHA-256"],
        &rows,
        "No backup.",
    )
}
