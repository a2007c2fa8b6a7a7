//! A second vault process on the same database, with a port and a data directory of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context, Result};
use shared::vault_api::paths;

use super::Stand;
use super::config::write;
use super::options::StandOptions;
use super::process::Process;
use super::ready::answers;
use crate::actors::{Auditor, Officer, RawGateway};

/// The other process. It dies with this value.
#[derive(Debug)]
pub struct Sibling {
    port: u16,
    config: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Sibling {
    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Kills it where it stands (`SIGKILL`).
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        let process = self.process.take().context("the sibling does not run")?;
        process.kill().await
    }

    /// Ends it in good order.
    ///
    /// # Errors
    /// When it does not run, or has to be killed.
    pub async fn stop(&mut self) -> Result<()> {
        let process = self.process.take().context("the sibling does not run")?;
        process.stop().await
    }
}

impl Stand {
    /// Another vault process on the stand's vault database, started and unlocked.
    ///
    /// # Errors
    /// When the vault's store is embedded, or the process does not answer.
    pub async fn sibling(&self) -> Result<Sibling> {
        self.options
            .vault_database
            .as_ref()
            .context("an embedded store has one process")?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let data = self.layout.root.join(format!("vault-data-{port}"));
        std::fs::create_dir_all(&data)?;
        let mut sibling = Sibling {
            port,
            config: self.layout.root.join(format!("vault-{port}.toml")),
            log: self.layout.root.join(format!("vault-{port}.log")),
            process: None,
        };
        write(&sibling.config, &self.vault_toml(port, &data))?;
        self.start_sibling(&mut sibling).await?;
        Ok(sibling)
    }

    /// Starts a sibling again that was ended, and unlocks it.
    ///
    /// # Errors
    /// When it does not answer, or a share is refused.
    pub async fn start_sibling(&self, sibling: &mut Sibling) -> Result<()> {
        let process = Process::spawn(self.launch("vault", &sibling.config, &sibling.log))?;
        let door = self.door(&sibling.url(), Some(&self.certificates.officers[0]))?;
        answers(&process, &door, paths::HEALTH).await?;
        sibling.process = Some(process);
        self.unlock_at(&sibling.url()).await
    }

    /// The officer of that number, 1 to 3, at another process.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn officer_at(&self, url: &str, number: usize) -> Result<Officer> {
        let pair = number
            .checked_sub(1)
            .and_then(|index| self.certificates.officers.get(index));
        let pair = pair.with_context(|| format!("no officer {number}"))?;
        Ok(Officer::new(self.door(url, Some(pair))?))
    }

    /// Whoever has the gateway's certificate, at another process.
    ///
    /// # Errors
    /// When its credentials cannot be read.
    pub fn raw_gateway_at(&self, url: &str) -> Result<RawGateway> {
        let door = self.door(url, Some(&self.certificates.gateway_client))?;
        Ok(RawGateway::new(door))
    }

    /// The auditor at another process.
    ///
    /// # Errors
    /// When its credentials cannot be read.
    pub fn auditor_at(&self, url: &str) -> Result<Auditor> {
        let door = self.door(url, Some(&self.certificates.auditor))?;
        Ok(Auditor::new(door, self.trust()?))
    }

    /// Restarts the gateway against the vault process at `url`.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn move_gateway(&mut self, url: &str) -> Result<()> {
        let to = |options: &mut StandOptions| options.vault_url_for_gateway = Some(url.to_owned());
        self.restart_gateway(to).await
    }
}
