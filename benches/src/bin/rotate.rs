//! `tessera-rotate`: fills a vault with cards and rotates its card KEK while holders reveal, and prints what they felt of it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use benches::rotation::RotationPlan;
use clap::Parser;

/// Measures a rotation under traffic. Build first: `cargo build --release -p vault -p gateway -p benches`.
#[derive(Debug, Parser)]
#[command(name = "tessera-rotate", version)]
struct Arguments {
    /// A directory on the volume to be measured; the stand is made in a new directory there.
    #[arg(long, default_value = "target")]
    directory: PathBuf,
    /// Cards in the vault.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..))]
    cards: u64,
    /// Reveals of one cell; at most 16 a card.
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u64).range(10..=16_000))]
    reveals: u64,
    /// Cells before and after.
    #[arg(long, default_value_t = 4)]
    rounds: usize,
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell that standard error is closed.
            let _ = writeln!(std::io::stderr(), "tessera-rotate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let directory = tempfile::Builder::new()
        .prefix("tessera-rotate-")
        .tempdir_in(&arguments.directory)
        .with_context(|| format!("no directory in {}", arguments.directory.display()))?;
    let plan = RotationPlan {
        directory: directory.path().to_owned(),
        cards: usize::try_from(arguments.cards)?,
        reveals: usize::try_from(arguments.reveals)?,
        rounds: arguments.rounds,
    };
    let say = |what: &str| {
        // Progress is no result: a closed standard error does not stop the run.
        let _ = writeln!(std::io::stderr(), "{what} …");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(plan.run(&say))?;
    write!(std::io::stdout(), "{report}")?;
    Ok(())
}
