//! The second half of dual control: look at what another officer proposed, and approve exactly that.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use ring::digest::{Context as Digest, SHA256};
use shared::ids::ApprovalToken;
use shared::vault_api::bulk::ImportPlan;
use shared::vault_api::governance::{Approval, Approve, Program, Proposal};
use shared::vault_api::paths;

use crate::cli::Context;
use crate::client::Vault;
use crate::console::{at, facts, table};
use crate::failure::Failure;
use crate::proposing::propose;
use crate::{files, jobs, words};

/// Letters of the hash that are typed: 32 bits are far more than a slip of the hand.
const TYPED: usize = 8;
/// A proposal with sixteen certificates.
const MOST_PROPOSAL_BYTES: u64 = 256 * 1024;

/// See what was proposed, and approve it as the second officer
#[derive(Debug, Subcommand)]
pub enum Approvals {
    /// List proposals and where they stand
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: an unlocked vault.
    ///
    /// Next: `approvals show APPROVAL` for the parameters.
    List {
        /// Only those that wait for a second officer
        #[arg(long)]
        open: bool,
    },
    /// Show a proposal: what it would do, every parameter, and the hash computed from them
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: the proposal's token.
    ///
    /// Next: `approvals approve APPROVAL`, by another officer than the one who proposed.
    Show {
        /// The proposal
        approval: ApprovalToken,
    },
    /// Approve what another officer proposed: it is done at once
    ///
    /// Who: a registered officer, another person than the one who proposed.
    ///
    /// Needs: compare the parameters on the screen with what was agreed by another way (a ticket, a phone call), then
    /// type the first 8 letters of the hash. This program computes the hash from what it shows, and refuses when the
    /// vault has another. Scripts give the whole hash with --hash; --yes is not enough.
    ///
    /// Next: `jobs watch` where it began a job; `slots share` and `slots verify` for a new slot.
    Approve {
        /// The proposal
        approval: ApprovalToken,
        /// The whole hash, for scripts: approves only what has it
        #[arg(long, value_name = "HASH")]
        hash: Option<String>,
        /// The file of a proposed import: its hash is computed and compared too
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Propose what a JSON file says, in the shape of the vault's API
    ///
    /// Who: a registered officer.
    ///
    /// Needs: {"type": "…", "parameters": …}; every kind has a command of its own that is easier.
    ///
    /// Next: another officer runs `approvals approve`.
    Propose {
        /// The file; `-` is stdin
        file: PathBuf,
    },
}

impl Approvals {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let vault = context.vault()?;
        match self {
            Self::List { open } => {
                let mut approvals: Vec<Approval> = vault.get(paths::APPROVALS).await?;
                approvals.retain(|approval| !open || jobs::name(&approval.state) == "OPEN");
                approvals.sort_by_key(|approval| std::cmp::Reverse(approval.expires_at));
                context.console.show(&approvals, || list(&approvals))
            }
            Self::Show { approval } => {
                let approval = find(&vault, &approval).await?;
                let shown = sheet(&vault, &approval).await?;
                context.console.show(&approval, || shown)
            }
            Self::Approve { approval, hash, file } => {
                let approval = find(&vault, &approval).await?;
                approve(context, &vault, approval, hash.as_deref(), file.as_deref()).await
            }
            Self::Propose { file } => {
                let file = if file == Path::new("-") {
                    PathBuf::from("/dev/stdin")
                } else {
                    file
                };
                let text = files::read_text(&file, MOST_PROPOSAL_BYTES)?;
                let proposal: Proposal = serde_json::from_str(&text)
                    .map_err(|error| Failure::usage(format!("{} is no proposal: {error}", file.display())))?;
                propose(context, &vault, &proposal).await.map(drop)
            }
        }
    }
}

/// One proposal.
///
/// # Errors
/// [`Failure`]; among others when there is none of that token.
pub async fn find(vault: &Vault, id: &ApprovalToken) -> Result<Approval, Failure> {
    vault.get(&paths::approval(id)).await
}

async fn approve(
    context: &Context,
    vault: &Vault,
    approval: Approval,
    given: Option<&str>,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let hash = checked_hash(&approval)?;
    if let Some(file) = file {
        compare(&approval.proposal, file)?;
    }
    match given {
        Some(given) if given.eq_ignore_ascii_case(&hash) => {}
        Some(_) => {
            return Err(Failure::Unverified(format!(
                "{} has another hash than you gave: its parameters are not those that were agreed",
                approval.id
            )));
        }
        None => {
            let shown = sheet(vault, &approval).await?;
            context.console.remark(&shown);
            let typed: String = hash.chars().take(TYPED).collect();
            let question = format!("To approve exactly this, type the first {TYPED} letters of the hash: ");
            if context.console.ask(&question)?.to_ascii_lowercase() != typed {
                return Err(Failure::usage("not those letters: nothing was approved"));
            }
        }
    }
    let approval: Approval = vault
        .post(&paths::approve(&approval.id), &Approve { hash })
        .await?;
    context.console.show(&approval, || {
        format!("Approved and done: {}.", words::sentence(&approval.proposal))
    })
}

/// The hash of what is shown; the vault's must be the same.
fn checked_hash(approval: &Approval) -> Result<String, Failure> {
    let hash = words::hash(&approval.proposal)?;
    if hash == approval.hash {
        return Ok(hash);
    }
    Err(Failure::Unverified(format!(
        "the parameters that the vault shows for {} have the hash {hash}, but it would have {} approved: do not approve, \
         and look into the vault",
        approval.id, approval.hash
    )))
}

/// An import's file is the one that the plan names.
fn compare(proposal: &Proposal, file: &Path) -> Result<(), Failure> {
    let Proposal::ImportCards(plan) = proposal else {
        return Err(Failure::usage("--file is for imports"));
    };
    let (sha256, lines) = digest_of(file)?;
    if sha256 == plan.sha256.to_ascii_lowercase() && lines == plan.lines {
        return Ok(());
    }
    Err(Failure::Unverified(format!(
        "{} has {lines} lines and SHA-256 {sha256}; proposed are {} lines and {}",
        file.display(),
        plan.lines,
        plan.sha256
    )))
}

/// Hex SHA-256 and number of lines of a file.
///
/// # Errors
/// [`Failure::Usage`]: it cannot be read.
pub fn digest_of(file: &Path) -> Result<(String, u64), Failure> {
    use std::io::Read as _;
    let mut source = std::fs::File::open(file).map_err(|error| files::cannot_read(file, &error))?;
    let (mut digest, mut lines, mut buffer) = (Digest::new(&SHA256), 0u64, vec![0; 1 << 16]);
    loop {
        let read = source
            .read(&mut buffer)
            .map_err(|error| files::cannot_read(file, &error))?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else {
            return Ok((words::hex(digest.finish().as_ref()), lines));
        };
        digest.update(part);
        lines += part.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
}

/// The plan of an import of this file.
///
/// # Errors
/// [`Failure::Usage`]: it cannot be read.
pub fn import_plan(
    program: shared::ids::ProgramName,
    file: &Path,
    dry_run: bool,
) -> Result<ImportPlan, Failure> {
    let (sha256, lines) = digest_of(file)?;
    Ok(ImportPlan {
        program,
        sha256,
        lines,
        dry_run,
    })
}

async fn sheet(vault: &Vault, approval: &Approval) -> Result<String, Failure> {
    let hash = checked_hash(approval)?;
    let mut text = format!(
        "{}\n\n{}\n",
        words::sentence(&approval.proposal),
        words::parameters(&approval.proposal)?
    );
    if let Proposal::SetProgram(proposed) = &approval.proposal {
        let programs: Vec<Program> = vault.get(paths::PROGRAMS).await?;
        let known = programs.iter().find(|program| program.name == proposed.name);
        text.push_str(
            &match known.map(|known| words::changes(known, proposed)).transpose()? {
                None => "\nThis is a new program.\n".to_owned(),
                Some(changes) if changes.is_empty() => "\nThis changes nothing.\n".to_owned(),
                Some(changes) => format!("\nThis changes:\n  {}\n", changes.join("\n  ")),
            },
        );
    }
    let about = facts(&[
        ("proposal", approval.id.to_string()),
        ("by", approval.proposed_by.to_string()),
        ("state", jobs::name(&approval.state)),
        ("lapses", at(approval.expires_at)),
        ("hash", hash),
    ]);
    Ok(format!("{text}\n{about}"))
}

fn list(approvals: &[Approval]) -> String {
    let row = |approval: &Approval| {
        [
            approval.id.to_string(),
            jobs::name(&approval.state),
            approval.proposed_by.to_string(),
            at(approval.expires_at),
            words::sentence(&approval.proposal),
        ]
    };
    let rows: Vec<_> = approvals.iter().map(row).collect();
    table(
        ["PROPOSAL", "STATE", "BY", "LAPSES", "WHAT"],
        &rows,
        "No proposal.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval(life_days: u16, hash: &str) -> Approval {
        serde_json::from_value(serde_json::json!({
            "id": "apr_aaaaaaaaaaaaaaaaaaaaaaaaaa",
            "proposal": { "type": "backup", "parameters": { "life_days": life_days } },
            "hash": hash,
            "proposedBy": "spiffe://tessera/officer/a",
            "state": "OPEN",
            "expiresAt": "2026-01-02T03:04:05Z",
        }))
        .unwrap()
    }

    #[test]
    fn a_vault_that_shows_one_thing_and_means_another_is_noticed() {
        let shown = approval(90, "");
        let right = words::hash(&shown.proposal).unwrap();
        assert_eq!(checked_hash(&approval(90, &right)).unwrap(), right);
        let failure = checked_hash(&approval(91, &right)).unwrap_err();
        assert_eq!(failure.code(), 4);
    }

    #[test]
    fn a_file_is_compared_by_content_and_lines() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("import.jsonl");
        files::write_new(&file, b"a\nb\n").unwrap();
        let plan = import_plan("demo-eur".parse().unwrap(), &file, true).unwrap();
        assert_eq!(plan.lines, 2);
        assert!(compare(&Proposal::ImportCards(plan.clone()), &file).is_ok());
        std::fs::write(&file, b"a\nc\n").unwrap();
        assert_eq!(
            compare(&Proposal::ImportCards(plan), &file).unwrap_err().code(),
            4
        );
        assert_eq!(
            compare(&Proposal::Backup { life_days: 1 }, &file)
                .unwrap_err()
                .code(),
            2
        );
    }
}
