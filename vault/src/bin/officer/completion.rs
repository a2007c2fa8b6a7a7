//! Completion for shells.

use clap::{Args, CommandFactory as _, ValueEnum};

use crate::cli::Cli;
use crate::console::print;
use crate::failure::Failure;

/// Print the completion script of a shell
///
/// Who: anybody.
///
/// Needs: nothing; the vault is not asked.
///
/// Next: bash: `officer completion bash > ~/.local/share/bash-completion/completions/officer`; zsh: into a directory of
/// $fpath as `_officer`; fish: `~/.config/fish/completions/officer.fish`.
#[derive(Debug, Args)]
pub struct Completion {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completion {
    /// Prints the script.
    ///
    /// # Errors
    /// Nobody reads it.
    pub fn run(&self) -> Result<(), Failure> {
        let shell = match self.shell {
            Shell::Bash => clap_complete::Shell::Bash,
            Shell::Zsh => clap_complete::Shell::Zsh,
            Shell::Fish => clap_complete::Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "officer", &mut script);
        print(String::from_utf8_lossy(&script).trim_end())
    }
}
