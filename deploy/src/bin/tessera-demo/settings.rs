//! What the environment may say: a directory and three ports, so that two demos can run side by side.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use deploy::stand::Ports;

const DIRECTORY_VARIABLE: &str = "TESSERA_DEMO_DIR";
const GATEWAY_VARIABLE: &str = "TESSERA_GATEWAY_PORT";
const PARTNER_VARIABLE: &str = "TESSERA_PARTNER_PORT";
const VAULT_VARIABLE: &str = "TESSERA_VAULT_PORT";

/// Directory and ports of this demo.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) directory: PathBuf,
    pub(crate) ports: Ports,
}

impl Settings {
    pub(crate) fn from_environment() -> Result<Self> {
        let directory =
            env::var_os(DIRECTORY_VARIABLE).map_or_else(|| PathBuf::from("var/demo"), PathBuf::from);
        let ports = Ports {
            gateway: port(GATEWAY_VARIABLE, 8443)?,
            partner: port(PARTNER_VARIABLE, 8444)?,
            vault: port(VAULT_VARIABLE, 9443)?,
        };
        if ports.gateway == ports.partner || ports.partner == ports.vault || ports.vault == ports.gateway {
            bail!(
                "{GATEWAY_VARIABLE}, {PARTNER_VARIABLE} and {VAULT_VARIABLE} must be three different ports"
            );
        }
        Ok(Self {
            directory: std::path::absolute(directory)?,
            ports,
        })
    }

    /// Says which port is taken before anything is made.
    pub(crate) fn refuse_taken_ports(&self) -> Result<()> {
        let ports = [
            (GATEWAY_VARIABLE, self.ports.gateway),
            (PARTNER_VARIABLE, self.ports.partner),
            (VAULT_VARIABLE, self.ports.vault),
        ];
        match ports.into_iter().find(|(_, port)| Ports::is_taken(*port)) {
            Some((variable, port)) => bail!("port {port} is in use; choose another one with {variable}=…"),
            None => Ok(()),
        }
    }
}

fn port(variable: &str, default: u16) -> Result<u16> {
    let Some(text) = env::var_os(variable) else {
        return Ok(default);
    };
    let text = text.to_string_lossy();
    let port = text.parse().ok().filter(|port| *port != 0);
    port.with_context(|| format!("{variable} must be a port from 1 to 65535, not {text:?}"))
}
