//! The vault's command line: `vault init` makes one, `vault serve` runs it.

use std::alloc::System;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use shared::clock::Clock;
use tracing_subscriber::EnvFilter;
use vault::audit::note::VerifierKey;
use vault::bulk::restore::RestoreOptions;
use vault::ceremony::{Ceremony, TokenKey, init};
use vault::config::{Config, Level};
use vault::{app, bulk, hardening};
use zeroizing_alloc::ZeroAlloc;

/// Wipes whatever is given back to the heap: our own types wipe themselves, but the buffers of actix, rustls, serde and
/// sled through which card data and keys pass do not (PCI DSS 3.3; SECURITY.md, memory).
#[global_allocator]
static HEAP: ZeroAlloc<System> = ZeroAlloc(System);

/// The PCI zone of Tessera: the only process that sees card data in clear.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a vault: root key, epoch secret, keys, and one share for each custodian.
    Init(Init),
    /// Serve until SIGTERM. Starts locked.
    Serve(Serve),
    /// Restore a vault from a backup into the empty store of a configuration, of whichever engine.
    Restore(Restore),
}

#[derive(Args)]
struct Restore {
    /// The configuration file of the vault to be.
    #[arg(long)]
    config: PathBuf,
    /// The backup.
    #[arg(long)]
    from: PathBuf,
    /// Verify the backup and write nothing.
    #[arg(long)]
    check: bool,
    /// The key of the audit log (`name+id+key`), from a checkpoint or a witness: proves now that the backup is the
    /// vault's own. Without it the first unlock proves it, or fails.
    #[arg(long)]
    vkey: Option<VerifierKey>,
    /// The escrow of the backup's epoch, where the epoch has been replaced since. The epoch files must not be there.
    #[arg(long)]
    escrow: Option<PathBuf>,
}

#[derive(Args)]
struct Serve {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
}

#[derive(Args)]
struct Init {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
    /// How many custodians open the vault together; at least 2.
    #[arg(long)]
    threshold: u8,
    /// A custodian's certificate (role officer); once for each, at least two. They become the first officers.
    #[arg(long = "custodian", required = true)]
    custodians: Vec<PathBuf>,
    /// The directory to which each custodian's share is written as `share-NAME.jwe`, sealed to the key of their
    /// certificate (P-256).
    #[arg(long)]
    shares: PathBuf,
    /// The label of a PKCS#11 token that opens the vault besides, whenever it starts; the configuration names module and
    /// PIN file.
    #[arg(long, requires = "pkcs11_key")]
    pkcs11_token: Option<String>,
    /// The label of the token's AES-256 key; made on the token, never to leave it, when there is none.
    #[arg(long, requires = "pkcs11_token")]
    pkcs11_key: Option<String>,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the last word of a command that failed")]
            {
                eprintln!("vault: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let path = match &command {
        Command::Init(init) => &init.config,
        Command::Serve(serve) => &serve.config,
        Command::Restore(restore) => &restore.config,
    };
    let config = Config::load(path).with_context(|| format!("configuration {}", path.display()))?;
    let report = hardening::harden(config.environment).context("hardening")?;
    log_to_stderr(&config);
    tracing::info!(
        environment = %config.environment,
        core_dumps_off = report.core_dumps_off,
        not_dumpable = report.not_dumpable,
        memory_locked = report.memory_locked,
        "hardened"
    );
    match command {
        Command::Init(arguments) => make(&config, arguments),
        Command::Serve(_) => actix_web::rt::System::new()
            .block_on(app::serve(
                &config,
                Clock::of(config.development_clock.as_deref()),
            ))
            .context("serving"),
        Command::Restore(arguments) => restore(&config, arguments),
    }
}

fn restore(config: &Config, arguments: Restore) -> anyhow::Result<()> {
    let proven = arguments.vkey.is_some();
    let options = RestoreOptions {
        from: arguments.from,
        check: arguments.check,
        key: arguments.vkey,
        escrow: arguments.escrow,
    };
    let restoring = bulk::restore::restore(config, &options, &Clock::System);
    let manifest = actix_web::rt::System::new()
        .block_on(restoring)
        .context("restoring")?;
    #[expect(clippy::print_stdout, reason = "what the command tells whoever restores")]
    {
        let done = if options.check { "is whole" } else { "was restored" };
        println!("{} {done}: {} entries.", manifest.backup, manifest.records());
        println!(
            "Made {}, at commit {}, epoch {}, with {} audit events.",
            manifest.made_at, manifest.commit.number, manifest.epoch, manifest.log_size
        );
        if !proven {
            println!(
                "No --vkey was given: that the backup is the vault's own is proven by the first unlock alone."
            );
        }
        if !options.check {
            println!("It revives old state: reconcile with processor and gateway before serving.");
        }
    }
    Ok(())
}

fn make(config: &Config, arguments: Init) -> anyhow::Result<()> {
    let Init {
        threshold,
        custodians,
        shares,
        pkcs11_token,
        pkcs11_key,
        ..
    } = arguments;
    let token = pkcs11_token.zip(pkcs11_key);
    let ceremony = Ceremony {
        custodians,
        threshold,
        shares,
        token: token.map(|(token, key)| TokenKey { token, key }),
    };
    let shares = actix_web::rt::System::new().block_on(init(config, &ceremony, &Clock::System))?;
    #[expect(
        clippy::print_stdout,
        reason = "what the ceremony tells those who stand around it"
    )]
    {
        println!(
            "A vault was made. {threshold} of these {} shares open it:",
            shares.len()
        );
        for (identity, path) in &shares {
            println!("  {identity}: {}", path.display());
        }
        println!(
            "Each file is sealed to its custodian, who opens it with the private key of their certificate:"
        );
        println!("  officer share open share-NAME.jwe --key KEY.pem");
        println!("Hand them over and delete them here: the shares exist nowhere else.");
    }
    Ok(())
}

/// JSON lines on stderr. Only our own crates speak below warnings: what libraries say of requests is not ours to vouch for.
fn log_to_stderr(config: &Config) {
    let level = match config.log.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "warn,vault=info,shared=info",
        Level::Debug => "warn,vault=debug,shared=debug",
    };
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .init();
}
