//! The command line, and the way from each word to its file.

use clap::{Parser, Subcommand};
use serde_json::{Map, Value};

use crate::approvals::Approvals;
use crate::audit::Audit;
use crate::backups::{Backup, Backups};
use crate::bulk::{Export, Import};
use crate::cards::{Cards, Erasures};
use crate::client::Vault;
use crate::completion::Completion;
use crate::connection::{Connection, Options, environment};
use crate::console::Console;
use crate::failure::Failure;
use crate::holders::Holders;
use crate::jobs::Jobs;
use crate::keys::Keys;
use crate::orders::Orders;
use crate::parties::Parties;
use crate::programs::Programs;
use crate::retention::Retention;
use crate::rotate::Rotate;
use crate::share::Share;
use crate::slots::Slots;
use crate::standing::{Lock, Status, Unlock};

/// What every `--help` ends with.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused by the vault, or a job or proposal that did not come to its end
  2  arguments, profile or files that cannot be used
  3  no connection: vault away, or a certificate that one side does not accept
  4  verification failed: a hash, signature, proof or log is not what it should be";

/// The security team's command line for the vault of Tessera
///
/// Every change takes two registered officers: one proposes, which prints a proposal and its hash; another approves with
/// `officer approvals approve`. Unlocking takes the custodians of a slot, each with their own share and certificate.
/// Secrets come from a prompt, a file or stdin, never from the command line.
///
/// The key ceremony, in order: `vault init` (makes the vault and each custodian's sealed share) - `officer share open`
/// (each custodian) - `officer unlock` (as many custodians as the threshold says) - `officer parties register` and
/// `officer programs set` (two officers) - `officer slots drill` (once a year) - `officer slots add`, `slots share`,
/// `slots verify` (further ways in, other custodians) - `officer rotate` (new key versions) - `officer backup`.
#[derive(Debug, Parser)]
#[command(name = "officer", version, max_term_width = 110, after_help = EXIT_CODES, after_long_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    /// How to say things.
    #[command(flatten)]
    pub console: Console,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(Status),
    Unlock(Unlock),
    Lock(Lock),
    #[command(subcommand)]
    Share(Share),
    #[command(subcommand)]
    Slots(Slots),
    Keys(Keys),
    Rotate(Rotate),
    #[command(subcommand)]
    Jobs(Jobs),
    #[command(subcommand)]
    Approvals(Approvals),
    #[command(subcommand)]
    Programs(Programs),
    #[command(subcommand)]
    Parties(Parties),
    #[command(subcommand)]
    Holders(Holders),
    #[command(subcommand)]
    Cards(Cards),
    #[command(subcommand)]
    Erasures(Erasures),
    Orders(Orders),
    Retention(Retention),
    #[command(subcommand)]
    Audit(Audit),
    Backup(Backup),
    Backups(Backups),
    #[command(subcommand)]
    Import(Import),
    #[command(subcommand)]
    Export(Export),
    Completion(Completion),
}

/// What every command is given: where the vault is, and how to say things.
pub struct Context {
    options: Options,
    /// How to say things.
    pub console: Console,
}

impl Context {
    /// The vault under our own certificate.
    ///
    /// # Errors
    /// The connection is not whole, or a file of it cannot be used.
    pub fn vault(&self) -> Result<Vault, Failure> {
        Vault::new(&self.connection()?)
    }

    /// Where the vault is and whose certificate is shown.
    ///
    /// # Errors
    /// The connection is not whole.
    pub fn connection(&self) -> Result<Connection, Failure> {
        self.options.connection(&environment)
    }

    /// The options themselves, for what needs no vault.
    pub const fn options(&self) -> &Options {
        &self.options
    }
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self) -> Result<(), Failure> {
        let context = Context {
            options: self.options,
            console: self.console,
        };
        let context = &context;
        match self.command {
            Command::Status(status) => status.run(context).await,
            Command::Unlock(unlock) => unlock.run(context).await,
            Command::Lock(lock) => lock.run(context).await,
            Command::Share(share) => share.run(context),
            Command::Slots(slots) => slots.run(context).await,
            Command::Keys(keys) => keys.run(context).await,
            Command::Rotate(rotate) => rotate.run(context).await,
            Command::Jobs(jobs) => jobs.run(context).await,
            Command::Approvals(approvals) => approvals.run(context).await,
            Command::Programs(programs) => programs.run(context).await,
            Command::Parties(parties) => parties.run(context).await,
            Command::Holders(holders) => holders.run(context).await,
            Command::Cards(cards) => cards.run(context).await,
            Command::Erasures(erasures) => erasures.run(context).await,
            Command::Orders(orders) => orders.run(context).await,
            Command::Retention(retention) => retention.run(context).await,
            Command::Audit(audit) => audit.run(context).await,
            Command::Backup(backup) => backup.run(context).await,
            Command::Backups(backups) => backups.run(context).await,
            Command::Import(import) => import.run(context).await,
            Command::Export(export) => export.run(context).await,
            Command::Completion(completion) => completion.run(),
        }
    }
}

/// The body of a request that says nothing but its path.
pub fn plain() -> Map<String, Value> {
    Map::new()
}

#[cfg(test)]
mod tests;
