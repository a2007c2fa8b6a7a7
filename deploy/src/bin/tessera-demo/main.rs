//! `tessera-demo`: brings the pair up on this machine and shows what it does, acting as partner, phone, processor, auditor and
//! attacker over the doors that everybody uses. `deploy/demo` builds and calls it.

mod acts;
mod directory;
mod info;
mod running;
mod settings;
mod teller;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use deploy::stand::{Lifetime, Stand, StandOptions};
use tokio::signal::unix::{SignalKind, signal};

use directory::DemoDirectory;
use settings::Settings;
use teller::Teller;

/// Starts the pair, shows what it does, and leaves it running.
#[derive(Debug, Parser)]
#[command(name = "deploy/demo", version)]
struct Arguments {
    /// The same acts, then stop the pair; status 0 only if all went as said.
    #[arg(long, conflicts_with_all = ["stop", "serve"])]
    exit: bool,
    /// Stop a running pair.
    #[arg(long, conflicts_with = "serve")]
    stop: bool,
    /// No acts: the pair in the foreground, in one process group, until SIGTERM.
    #[arg(long)]
    serve: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let teller = Teller::on_stdout();
    let done = match Settings::from_environment() {
        Ok(settings) if arguments.stop => stop(&settings, &teller).await,
        Ok(settings) if arguments.serve => serve(&settings, &teller).await,
        Ok(settings) => show(&settings, &teller, arguments.exit).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            teller.failure(&error);
            ExitCode::FAILURE
        }
    }
}

/// Brings the pair up, saying each step, and writes `info.json`.
async fn bring_up(settings: &Settings, teller: &Teller, lifetime: Lifetime) -> Result<Stand> {
    settings.refuse_taken_ports()?;
    let options = StandOptions::for_demo(&settings.directory, settings.ports, lifetime)?;
    teller.chapter("The stage");
    let mut stand = Stand::prepare(options).await?;
    teller.step(
        "certificates",
        "two CAs and a certificate for every role; three custodians hold a share each",
    );
    stand.start_vault().await?;
    let pid = stand.vault()?.pid();
    teller.step(
        "vault",
        &format!("process {pid}, locked: it has its store and cannot read it"),
    );
    stand.unlock().await?;
    teller.step(
        "unlock",
        "officer-1 and officer-2 handed in their shares: two of three open it, one opens nothing",
    );
    stand.set_up().await?;
    teller.step(
        "register",
        "five parties and the program demo-eur, each proposed by one officer, approved by another",
    );
    stand.start_gateway().await?;
    let pid = stand.gateway()?.pid();
    teller.step(
        "gateway",
        &format!("process {pid}, ready: it knows cards by token and never sees a number"),
    );
    let operator = stand.operator("desk@demo.example", "admin", None).await?;
    info::write(&stand, &operator)?;
    Ok(stand)
}

async fn show(settings: &Settings, teller: &Teller, exit: bool) -> Result<()> {
    let directory = DemoDirectory::claim(&settings.directory)?;
    let mut end = signal(SignalKind::terminate())?;
    let played = tokio::select! {
        played = play(settings, teller) => played,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted; the pair is stopped")),
        _ = end.recv() => Err(anyhow::anyhow!("asked to end; the pair is stopped")),
    };
    let mut stand = match played {
        Ok(stand) => stand,
        Err(error) => {
            directory.forget_info();
            return Err(error.context(format!(
                "the demo stopped; logs are in {}",
                settings.directory.display()
            )));
        }
    };
    if exit {
        directory.forget_info();
        stand.stop().await?;
        teller.closing_stopped();
    } else {
        teller.closing_running(&stand);
        drop(stand.leave_running());
    }
    Ok(())
}

async fn play(settings: &Settings, teller: &Teller) -> Result<Stand> {
    teller.title();
    let stand = bring_up(settings, teller, Lifetime::Detached).await?;
    acts::perform(&stand, teller).await?;
    Ok(stand)
}

async fn serve(settings: &Settings, teller: &Teller) -> Result<()> {
    let directory = DemoDirectory::claim(&settings.directory)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut stand = tokio::select! {
        stand = bring_up(settings, teller, Lifetime::WithParent) => stand?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    teller.serving(&stand);
    let ended = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        status = stand.vault()?.end() => Some(("vault", status?)),
        status = stand.gateway()?.end() => Some(("gateway", status?)),
    };
    directory.forget_info();
    stand.stop().await?;
    match ended {
        Some((name, status)) if !status.success() => bail!("the {name} ended with {status}"),
        _ => Ok(()),
    }
}

async fn stop(settings: &Settings, teller: &Teller) -> Result<()> {
    let pair = running::find(&settings.directory)?;
    if pair.is_empty() {
        teller.line(&format!("No pair runs in {}.", settings.directory.display()));
        return Ok(());
    }
    for process in &pair {
        process
            .stop()
            .await
            .with_context(|| format!("stopping {process}"))?;
        teller.line(&format!("Stopped the {process}."));
    }
    directory::forget_info(&settings.directory);
    Ok(())
}
