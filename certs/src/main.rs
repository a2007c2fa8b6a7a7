//! The command `certs`: what the custodian of a CA types.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::print::complain(&error);
            ExitCode::FAILURE
        }
    }
}
