//! `gateway serve|migrate|check-config|operator|kyc --config gateway.toml`

mod kyc_commands;
mod operator_commands;
mod partner_commands;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gateway::config::Config;
use gateway::store::Db;
use gateway::{app, hardening};
use shared::clock::Clock;
use tracing_subscriber::EnvFilter;

use kyc_commands::KycCommand;
use operator_commands::OperatorCommand;
use partner_commands::PartnerCommand;

/// The gateway of Tessera: users, balances and cards, by token only.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until told to end.
    Serve {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Bring the database to this version's schema.
    Migrate {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Read the configuration and say whether it can be used.
    CheckConfig {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// What operators need before there is one who can invite others.
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// What documents of KYC applications need.
    #[command(subcommand)]
    Kyc(KycCommand),
    /// What a partner needs before its server is let in.
    #[command(subcommand)]
    Partner(PartnerCommand),
}

#[actix_web::main]
async fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter);
    match command {
        // What this command says on its standard output is shown once and is nobody's log.
        Command::Operator(_) | Command::Partner(_) => log.with_writer(std::io::stderr).init(),
        _ => log.init(),
    }
    match run(command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the gateway ends");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    hardening::harden()?;
    match command {
        Command::Serve { config } => {
            let config = Config::load(&config)?;
            tracing::info!(environment = config.environment.as_str(), "starting");
            let clock = Clock::of(config.development_clock.as_deref());
            app::serve(config, clock).await?;
        }
        Command::Migrate { config } => {
            let config = Config::load(&config)?;
            let db = Db::open(&config.database.url, config.database.connections).await?;
            db.migrate().await?;
            db.close().await;
        }
        Command::CheckConfig { config } => {
            Config::load(&config)?;
            tracing::info!("the configuration can be used");
        }
        Command::Operator(command) => command.run().await?,
        Command::Kyc(command) => command.run().await?,
        Command::Partner(command) => command.run().await?,
    }
    Ok(())
}
