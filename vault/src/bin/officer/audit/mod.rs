//! The audit log: read as lines, exported, verified.

mod checkpoint;
mod export;
mod proof;
mod read;
mod trust;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;

pub use trust::vault_trust;

use crate::cli::Context;
use crate::failure::Failure;

/// Read, export and verify the audit log
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Show the last events as lines, and with --follow those that come
    ///
    /// Who: any registered officer or auditor. Reading is itself an event.
    ///
    /// Needs: an unlocked vault.
    ///
    /// Next: `audit events` for the exact bytes.
    Tail {
        /// How many
        #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
        lines: u64,
        /// Go on with new events until Ctrl-C
        #[arg(long, short)]
        follow: bool,
    },
    /// Print events from a place on, as the vault keeps them: JSON, one a line
    ///
    /// Who: any registered officer or auditor. Reading is itself an event.
    ///
    /// Needs: an unlocked vault.
    ///
    /// Next: `audit export` for files that can be verified.
    Events {
        /// The first index
        #[arg(long, value_name = "INDEX", default_value_t = 0)]
        from: u64,
        /// Most events
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
    },
    /// Fetch a signed checkpoint; with --since prove that an earlier one is part of the same history
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: an unlocked vault. The key that signed it is checked against the attestation of the vault's certificate.
    ///
    /// Next: keep the checkpoint where the vault's host cannot reach it: it is what a later `audit verify` measures the
    /// log against. Exit code 4: the log was rewritten since.
    Checkpoint {
        /// Write it to a new file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// A checkpoint that was kept earlier (--out, or the checkpoint.json of an export)
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
    },
    /// Write the whole log and a checkpoint into a new directory
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: an unlocked vault, and room: about 500 bytes an event.
    ///
    /// Next: `audit verify --export DIR` on any machine, without the vault.
    Export {
        /// The directory, which must not exist: events.jsonl and checkpoint.json are written into it
        #[arg(value_name = "DIR")]
        out: PathBuf,
    },
    /// Verify a log: an export without the vault, or the vault's own
    ///
    /// Who: anybody with the export and the CA's certificate (or the log's first verifier key); without --export any
    /// registered officer or auditor.
    ///
    /// Needs: what the witness kept (--witness) finds a log that was cut or put back from an old disk; without it the
    /// log is measured against the checkpoint that lies beside it.
    ///
    /// Next: exit code 0: every event is what was signed. 4: each place that is not is named; go after it before the
    /// vault's disk is touched.
    Verify(verify::Verify),
    /// Prove that one event is in the log, and print it
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: the event's index: the header Audit-Index of an answer, or from `audit tail`.
    ///
    /// Next: exit code 4: it is not under the checkpoint that was signed.
    Proof {
        /// The event's index
        index: u64,
        /// A checkpoint that was kept, instead of a fresh one
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
}

impl Audit {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Tail { lines, follow } => read::tail(context, lines, follow).await,
            Self::Events { from, limit } => read::events(context, from, limit).await,
            Self::Checkpoint { out, since } => {
                checkpoint::run(context, out.as_deref(), since.as_deref()).await
            }
            Self::Export { out } => export::run(context, &out).await,
            Self::Verify(verify) => verify.run(context).await,
            Self::Proof { index, checkpoint } => proof::run(context, index, checkpoint.as_deref()).await,
        }
    }
}
