//! Cards by the thousand: files that come in sealed to the vault, and go out sealed to a recipient.

mod seal;
mod upload;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use shared::ids::{ApprovalToken, ProgramName};
use shared::public_key::PublicKey;
use shared::vault_api::bulk::{ExportPlan, ImportBegun, ImportRow, ImportRows};
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::Job;
use shared::vault_api::paths;

use crate::approvals::import_plan;
use crate::cli::Context;
use crate::failure::Failure;
use crate::proposing::{Watch, propose_and_watch};
use crate::{files, follow, jobs};

/// Rows asked for at once.
const PAGE: u64 = 1000;
/// An RSA key of 8192 bits in PEM.
const MOST_KEY_BYTES: u64 = 16 * 1024;

/// Take in existing cards from a sealed file
#[derive(Debug, Subcommand)]
pub enum Import {
    Seal(seal::Seal),
    /// Propose to take in the cards of a file
    ///
    /// Who: two registered officers: this proposes, the other approves, with the same file at hand.
    ///
    /// Needs: the sealed file, as `import seal` makes it. Its hash and number of lines become part of the proposal.
    ///
    /// Next: the other officer runs `approvals approve APPROVAL --file FILE`, then one of the two `import upload`. Begin
    /// with --dry-run: every row is judged and nothing kept.
    Propose {
        /// The program that the cards belong to
        #[arg(long)]
        program: ProgramName,
        /// The sealed file: JSON lines
        file: PathBuf,
        /// Judge every row and keep nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Upload the file of an approved import
    ///
    /// Who: one registered officer, after the approval.
    ///
    /// Needs: exactly the file that was approved. An upload that breaks off is made again: rows that are in stay in.
    ///
    /// Next: `import rows` tells what became of each row; `jobs watch` follows the work.
    Upload {
        /// The approved proposal
        approval: ApprovalToken,
        /// The sealed file
        file: PathBuf,
        /// Follow the job to its end
        #[arg(long)]
        watch: bool,
    },
    /// Print what became of each row, one a line
    ///
    /// Who: a registered officer.
    ///
    /// Needs: an import that was uploaded.
    ///
    /// Next: the mapping from your reference to the card's token is in each line (`--json` for programs); rows that were
    /// refused are mended and come in by a further import.
    Rows {
        /// The approved proposal
        approval: ApprovalToken,
        /// The first row, counted from 1
        #[arg(long, value_name = "ROW", default_value_t = 1)]
        from: u64,
    },
}

impl Import {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let vault = context.vault()?;
        match self {
            Self::Seal(seal) => seal.run(context).await,
            Self::Propose {
                program,
                file,
                dry_run,
            } => {
                let plan = import_plan(program, &file, dry_run)?;
                propose_and_watch(context, &vault, &Proposal::ImportCards(plan), &Watch::default()).await
            }
            Self::Upload {
                approval,
                file,
                watch,
            } => upload(context, &approval, &file, watch).await,
            Self::Rows { approval, from } => {
                let mut next = Some(from);
                while let Some(from) = next {
                    let path = format!("{}?from={from}&limit={PAGE}", paths::import_rows(&approval));
                    let page: ImportRows = vault.get(&path).await?;
                    for row in &page.rows {
                        context.console.show(row, || row_line(row))?;
                    }
                    next = page.next.filter(|_| !page.rows.is_empty());
                }
                Ok(())
            }
        }
    }
}

async fn upload(
    context: &Context,
    approval: &ApprovalToken,
    file: &Path,
    watch: bool,
) -> Result<(), Failure> {
    let vault = context.vault()?;
    let (body, length) = upload::body(file)?;
    let prepare = |request: reqwest::RequestBuilder| {
        let request = request.header(CONTENT_TYPE, "application/jsonl");
        request.header(CONTENT_LENGTH, length).body(body)
    };
    let answer = vault
        .stream(Method::POST, &paths::import_file(approval), prepare)
        .await?;
    let begun: ImportBegun = answer.json().await.map_err(|error| vault.broken_off(error))?;
    if watch {
        let job: Job = vault.get(&paths::job(&begun.job)).await?;
        return follow::job(context, &vault, job).await;
    }
    context.console.show(&begun, || {
        format!(
            "Begun as {}; `officer import rows {approval}` tells what became of each row.",
            begun.job
        )
    })
}

fn row_line(row: &ImportRow) -> String {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    [
        row.row.to_string(),
        jobs::name(&row.outcome),
        text(row.reference.clone()),
        text(row.masked_card_no.as_ref().map(ToString::to_string)),
        text(row.card.as_ref().map(ToString::to_string)),
        text(row.code.clone()),
    ]
    .join("  ")
}

/// Give out card data, sealed to a recipient's key
#[derive(Debug, Subcommand)]
pub enum Export {
    /// Propose to give out card data of a program
    ///
    /// Who: two registered officers: this proposes, the other approves. CARD DATA LEAVES THE VAULT.
    ///
    /// Needs: the recipient's public key (PEM), compared with the recipient by another way; a reason for the audit log.
    ///
    /// Next: after `approvals approve` a job seals every card to the recipient; then `export download`.
    Propose {
        /// The program
        #[arg(long)]
        program: ProgramName,
        /// The recipient's public key, PEM (RSA or P-256)
        #[arg(long, value_name = "FILE")]
        recipient: PathBuf,
        /// Most cards that may leave; the job fails rather than to exceed it
        #[arg(long, value_name = "N")]
        most_cards: u64,
        /// Why, 1 to 200 characters
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        watch: Watch,
    },
    /// Fetch the file of an approved export, once its job is done
    ///
    /// Who: a registered officer.
    ///
    /// Needs: a job that is done (`jobs list`).
    ///
    /// Next: hand the file to the recipient; only their private key opens its lines.
    Download {
        /// The approved proposal
        approval: ApprovalToken,
        /// The new file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

impl Export {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let vault = context.vault()?;
        match self {
            Self::Propose {
                program,
                recipient,
                most_cards,
                reason,
                watch,
            } => {
                let pem = files::read_text(&recipient, MOST_KEY_BYTES)?;
                let recipient = PublicKey::from_spki_pem(&pem).map_err(|_| {
                    Failure::usage(format!(
                        "{} holds no RSA or P-256 public key in PEM",
                        recipient.display()
                    ))
                })?;
                let plan = ExportPlan {
                    program,
                    recipient,
                    most_cards,
                    reason,
                };
                propose_and_watch(context, &vault, &Proposal::ExportCards(plan), &watch).await
            }
            Self::Download { approval, out } => download(context, &approval, &out).await,
        }
    }
}

async fn download(context: &Context, approval: &ApprovalToken, out: &Path) -> Result<(), Failure> {
    let vault = context.vault()?;
    let mut answer = vault
        .stream(Method::GET, &paths::export_file(approval), |request| request)
        .await?;
    let mut file = files::create_new(out)?;
    let mut write = async || -> Result<u64, Failure> {
        let mut bytes = 0;
        while let Some(chunk) = answer.chunk().await.map_err(|error| vault.broken_off(error))? {
            file.write_all(&chunk)
                .map_err(|error| files::cannot_write(out, &error))?;
            bytes += chunk.len() as u64;
        }
        file.sync_all()
            .map_err(|error| files::cannot_write(out, &error))?;
        Ok(bytes)
    };
    let written = write().await;
    if written.is_err() {
        // Half a file must not pass for the whole; where it cannot be removed, the failure says that it is none.
        let _ = std::fs::remove_file(out);
    }
    let bytes = written?;
    context
        .console
        .remark(&format!("{bytes} bytes in {}.", out.display()));
    Ok(())
}
