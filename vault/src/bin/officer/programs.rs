//! Programs: the rules under which cards are issued.

use std::path::PathBuf;

use clap::Subcommand;
use shared::ids::ProgramName;
use shared::vault_api::governance::{Program, Proposal};
use shared::vault_api::paths;

use crate::cli::Context;
use crate::console::table;
use crate::failure::Failure;
use crate::jobs::name;
use crate::proposing::propose;
use crate::{files, words};

/// Programs are a page of JSON.
const MOST_PROGRAM_BYTES: u64 = 64 * 1024;

/// See programs, and propose new rules
#[derive(Debug, Subcommand)]
pub enum Programs {
    /// List programs
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: an unlocked vault.
    ///
    /// Next: `programs show NAME > FILE` gives a file to change and to hand to `programs set`.
    List,
    /// Print a program as JSON, as `programs set` takes it
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: the program's name.
    ///
    /// Next: change the file, then `programs set FILE`.
    Show {
        /// The program
        program: ProgramName,
    },
    /// Propose a new program, or new rules for one
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: a JSON file with every member; a program's partner never changes, and two programs share no BIN. Its
    /// partner, processor and bureau are registered with `parties register`.
    ///
    /// Next: the other officer runs `approvals approve`, which shows what changes; the gateway's configuration names the
    /// program too.
    Set {
        /// The file; `-` is stdin
        file: PathBuf,
    },
}

impl Programs {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let vault = context.vault()?;
        match self {
            Self::List => {
                let programs: Vec<Program> = vault.get(paths::PROGRAMS).await?;
                context.console.show(&programs, || list(&programs))
            }
            Self::Show { program } => {
                let programs: Vec<Program> = vault.get(paths::PROGRAMS).await?;
                let found = programs.into_iter().find(|known| known.name == program);
                let found = found.ok_or_else(|| Failure::usage(format!("there is no program {program}")))?;
                let pretty = serde_json::to_string_pretty(&found);
                let pretty = pretty.map_err(|error| Failure::Unfinished(error.to_string()))?;
                context.console.show(&found, || pretty)
            }
            Self::Set { file } => {
                let file = if file.as_os_str() == "-" {
                    PathBuf::from("/dev/stdin")
                } else {
                    file
                };
                let text = files::read_text(&file, MOST_PROGRAM_BYTES)?;
                let program: Program = serde_json::from_str(&text)
                    .map_err(|error| Failure::usage(format!("{} is no program: {error}", file.display())))?;
                let known: Vec<Program> = vault.get(paths::PROGRAMS).await?;
                if let Some(known) = known.iter().find(|known| known.name == program.name) {
                    for change in words::changes(known, &program)? {
                        context.console.remark(&format!("changes {change}"));
                    }
                }
                propose(context, &vault, &Proposal::SetProgram(program))
                    .await
                    .map(drop)
            }
        }
    }
}

fn list(programs: &[Program]) -> String {
    let row = |program: &Program| {
        [
            program.name.to_string(),
            program.partner.clone(),
            program.processor.clone(),
            program.bin.clone(),
            program.currency.to_string(),
            name(&program.holder_proof),
        ]
    };
    let rows: Vec<_> = programs.iter().map(row).collect();
    table(
        [
            "PROGRAM",
            "PARTNER",
            "PROCESSOR",
            "BIN",
            "CURRENCY",
            "HOLDER PROOF",
        ],
        &rows,
        "No program.",
    )
}
