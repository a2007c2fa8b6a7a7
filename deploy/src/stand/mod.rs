//! The stand: one pair of real binaries with certificates, store and database of its own, brought up as an operator would
//! bring it up. Nothing is waited for by sleeping a fixed time; every start ends in an answer or in a sentence.

mod binaries;
mod bureau;
mod ceremony;
mod config;
mod layout;
mod memory;
mod officer_command;
mod operators;
mod options;
mod people;
mod ports;
mod process;
mod ready;
mod second_gateway;
mod sibling;

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use certs::{DevOptions, DevSet};
use shared::clock::Clock;

pub use binaries::path_of as binary;
pub use layout::Layout;
pub use memory::{MemoryScan, connections_to, count_in, scan_memory};
pub use officer_command::{OfficerCommand, Said};
pub use options::{Database, Limits, StandOptions, demo_program};
pub use ports::Ports;
pub use process::{Lifetime, Process};
pub use second_gateway::SecondGateway;
pub use sibling::Sibling;

/// A pair of binaries and everything they stand on.
#[derive(Debug)]
pub struct Stand {
    options: StandOptions,
    layout: Layout,
    certificates: DevSet,
    ports: Ports,
    vault: Option<Process>,
    gateway: Option<Process>,
}

impl Stand {
    /// Everything: certificates, configuration, store, both processes, unlocked and set up.
    ///
    /// # Errors
    /// The first step that failed, with the end of the log where a process did.
    pub async fn start(options: StandOptions) -> Result<Self> {
        let mut stand = Self::prepare(options).await?;
        stand.start_vault().await?;
        stand.unlock().await?;
        stand.set_up().await?;
        stand.start_gateway().await?;
        Ok(stand)
    }

    /// Certificates, configuration files and an initialised, empty store; nothing runs yet.
    ///
    /// # Errors
    /// When the directory is not empty, or the vault refuses to initialise.
    pub async fn prepare(mut options: StandOptions) -> Result<Self> {
        let layout = Layout::at(&options.dir)?;
        let wanted = DevOptions {
            partners: options.further_partners.clone(),
            ..DevOptions::default()
        };
        let certificates = DevSet::create(&layout.certificates, &wanted, &Clock::System)?;
        let ports = options.ports.resolve()?;
        if options.program.bureau.is_some() && options.program.bureau_key.is_none() {
            options.program.bureau_key = Some(bureau::make_key(&layout.bureau_key)?);
        }
        let stand = Self {
            options,
            layout,
            certificates,
            ports,
            vault: None,
            gateway: None,
        };
        stand.write_configuration()?;
        stand.initialise_vault().await?;
        stand.make_operators_key().await?;
        stand.make_documents_key().await?;
        Ok(stand)
    }

    /// Moves the clock of the vault and the gateway to `ahead` of the machine's, at once.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_clock_ahead(&self, ahead: Duration) -> Result<()> {
        let waiting = self.layout.clock.with_extension("next");
        fs::write(&waiting, ahead.as_secs().to_string())?;
        // A reader never finds half a number.
        fs::rename(&waiting, &self.layout.clock)?;
        Ok(())
    }

    /// Starts the vault and waits until it answers, locked or not.
    ///
    /// # Errors
    /// When it ends or stays silent.
    pub async fn start_vault(&mut self) -> Result<()> {
        let launch = self.launch("vault", &self.layout.vault_config, &self.layout.vault_log);
        let process = Process::spawn(launch)?;
        self.vault = Some(process);
        self.vault_answers().await
    }

    /// Starts the gateway and waits until it is ready: its database open, its vault unlocked.
    ///
    /// # Errors
    /// When it ends or does not become ready.
    pub async fn start_gateway(&mut self) -> Result<()> {
        let launch = self.launch("gateway", &self.layout.gateway_config, &self.layout.gateway_log);
        let process = Process::spawn(launch)?;
        self.gateway = Some(process);
        self.gateway_ready().await
    }

    /// Starts the gateway under other options, having ended it if it runs.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn restart_gateway(&mut self, change: impl FnOnce(&mut StandOptions)) -> Result<()> {
        self.configure(change)?;
        if self.gateway.is_some() {
            self.stop_gateway().await?;
        }
        self.start_gateway().await
    }

    /// Writes the configuration under other options, for what starts from now on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure(&mut self, change: impl FnOnce(&mut StandOptions)) -> Result<()> {
        change(&mut self.options);
        self.write_configuration()
    }

    /// Ends the vault in good order.
    ///
    /// # Errors
    /// When it does not run, or has to be killed.
    pub async fn stop_vault(&mut self) -> Result<()> {
        self.vault.take().context("the vault does not run")?.stop().await
    }

    /// Ends the gateway in good order.
    ///
    /// # Errors
    /// When it does not run, or has to be killed.
    pub async fn stop_gateway(&mut self) -> Result<()> {
        self.gateway
            .take()
            .context("the gateway does not run")?
            .stop()
            .await
    }

    /// Kills the vault where it stands (`SIGKILL`), and waits until it is gone.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill_vault(&mut self) -> Result<()> {
        self.vault.take().context("the vault does not run")?.kill().await
    }

    /// Kills the gateway where it stands (`SIGKILL`), and waits until it is gone.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill_gateway(&mut self) -> Result<()> {
        self.gateway
            .take()
            .context("the gateway does not run")?
            .kill()
            .await
    }

    /// Ends both in good order, the gateway first.
    ///
    /// # Errors
    /// When one has to be killed.
    pub async fn stop(&mut self) -> Result<()> {
        for process in [self.gateway.take(), self.vault.take()].into_iter().flatten() {
            process.stop().await?;
        }
        Ok(())
    }

    /// Lets both run on when this value is dropped.
    #[must_use]
    pub fn leave_running(mut self) -> Layout {
        for process in [self.gateway.take(), self.vault.take()].into_iter().flatten() {
            process.leave();
        }
        self.layout.clone()
    }

    /// Where the files are.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The certificates.
    #[must_use]
    pub const fn certificates(&self) -> &DevSet {
        &self.certificates
    }

    /// The ports of the three listeners.
    #[must_use]
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The running vault.
    ///
    /// # Errors
    /// When it does not run.
    pub fn vault(&self) -> Result<&Process> {
        self.vault.as_ref().context("the vault does not run")
    }

    /// The running gateway.
    ///
    /// # Errors
    /// When it does not run.
    pub fn gateway(&self) -> Result<&Process> {
        self.gateway.as_ref().context("the gateway does not run")
    }
}
