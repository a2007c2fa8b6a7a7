//! A second gateway process on the same database and vault, with ports of its own.

use anyhow::{Context, Result, ensure};

use super::Stand;
use super::config::write;
use super::options::Database;
use super::ports::Ports;
use super::process::Process;
use super::ready::{GATEWAY_READY, answers};

/// The other gateway. It dies with this value.
#[derive(Debug)]
pub struct SecondGateway {
    ports: Ports,
    process: Process,
}

impl SecondGateway {
    /// Where it listens.
    #[must_use]
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Kills it where it stands (`SIGKILL`).
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(self) -> Result<()> {
        self.process.kill().await
    }
}

impl Stand {
    /// Another gateway process on the stand's database.
    ///
    /// # Errors
    /// When the database is a file of one process, or the gateway does not become ready.
    pub async fn second_gateway(&self) -> Result<SecondGateway> {
        ensure!(
            matches!(self.options.database, Database::Postgres(_)),
            "a file has one process"
        );
        let ports = Ports::FREE.resolve().context("no free ports")?;
        let config = self.layout.root.join(format!("gateway-{}.toml", ports.gateway));
        let log = self.layout.root.join(format!("gateway-{}.log", ports.gateway));
        write(&config, &self.gateway_toml(&ports))?;
        let process = Process::spawn(self.launch("gateway", &config, &log))?;
        let door = self.door(&ports.gateway_url(), None)?;
        answers(&process, &door, GATEWAY_READY).await?;
        Ok(SecondGateway { ports, process })
    }
}
