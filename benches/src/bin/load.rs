//! `tessera-load`: starts the pair, measures it beside its yardsticks, and prints one report.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use benches::plan::Plan;
use benches::yardstick;
use clap::{Parser, Subcommand};

/// Measures the pair on this machine. Build first: `cargo build --release -p vault -p gateway -p benches`.
#[derive(Debug, Parser)]
#[command(name = "tessera-load", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// A directory on the volume to be measured; the stand is made in a new directory there.
    #[arg(long, default_value = "target")]
    directory: PathBuf,
    /// Seconds for each cell that has no end of its own.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Reveals for each cell (at most 16 times 1000 cards); a tenth with one connection.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(10..=16_000))]
    reveals: u64,
    /// Cards of the large store that is held against one of a thousand; 0 leaves the comparison out.
    #[arg(long, default_value_t = 100_000)]
    cards: usize,
    /// Rounds of that comparison.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The bare server that everything is compared with; started by the run itself.
    #[command(name = yardstick::SUBCOMMAND, hide = true)]
    Yardstick {
        /// A development set of certificates.
        certificates: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(Command::Yardstick { certificates }) => {
            actix_web::rt::System::new().block_on(yardstick::serve(certificates))
        }
        None => measure(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell that standard error is closed.
            let _ = writeln!(std::io::stderr(), "tessera-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let directory = tempfile::Builder::new()
        .prefix("tessera-load-")
        .tempdir_in(&arguments.directory)
        .with_context(|| format!("no directory in {}", arguments.directory.display()))?;
    let plan = Plan {
        directory: directory.path().to_owned(),
        cell: Duration::from_secs(arguments.seconds.max(1)),
        reveals: usize::try_from(arguments.reveals)?,
        many_cards: arguments.cards,
        rounds: arguments.rounds,
    };
    let say = |what: &str| {
        // Progress is no result: a closed standard error does not stop the run.
        let _ = writeln!(std::io::stderr(), "{what} …");
    };
    // One thread: the client takes one core at most.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(plan.run(&say))?;
    write!(std::io::stdout(), "{report}")?;
    Ok(())
}
