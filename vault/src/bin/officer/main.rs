//! `officer`: the security team's command line. It speaks to the vault over mutual TLS with the officer's own certificate
//! and knows nothing but the wire types of `shared::vault_api` and the offline half of `vault::audit`.

mod approvals;
mod audit;
mod backups;
mod bulk;
mod cards;
mod cli;
mod client;
mod completion;
mod connection;
mod console;
mod failure;
mod files;
mod follow;
mod holders;
mod jobs;
mod keys;
mod orders;
mod parties;
mod programs;
mod proposing;
mod retention;
mod rotate;
mod secrets;
mod share;
mod slots;
mod standing;
#[cfg(test)]
mod testing;
mod transport;
mod words;

use std::alloc::System;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use vault::environment::Environment;
use vault::hardening::harden;
use zeroizing_alloc::ZeroAlloc;

use crate::cli::Cli;
use crate::failure::Failure;

/// Shares pass through buffers of other crates (the prompt, JSON, TLS): whatever is given back to the heap is wiped first.
#[global_allocator]
static WIPING: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let as_json = cli.console.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure, as_json);
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    // No core dump, no reading of this process's memory by others of the same user, files for their owner alone. Whether
    // memory can be locked is the vault's affair: an officer's laptop holds one share for a second.
    harden(Environment::Development).map_err(|error| Failure::usage(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Unfinished(format!("no runtime: {error}")))?;
    runtime.block_on(cli.run())
}

fn tell(failure: &Failure, as_json: bool) {
    let text = match failure {
        Failure::NobodyListens => return,
        failure if as_json => failure.to_json().to_string(),
        failure => format!("officer: {}", console::printable(&failure.to_string())),
    };
    // With stderr closed, the exit code is all there is to say.
    let _ = writeln!(std::io::stderr(), "{text}");
}
