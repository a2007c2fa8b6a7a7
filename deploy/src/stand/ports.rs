//! The three listeners' ports, on loopback.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// Ports of the three listeners; 0 stands for any free one until the stand is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The gateway's public listener.
    pub gateway: u16,
    /// The gateway's partner listener.
    pub partner: u16,
    /// The vault.
    pub vault: u16,
}

impl Ports {
    /// Any three free ports.
    pub const FREE: Self = Self {
        gateway: 0,
        partner: 0,
        vault: 0,
    };

    /// Puts a free port in the place of each 0. All are held open together, so that no two are the same.
    pub(crate) fn resolve(self) -> Result<Self> {
        let mut held = Vec::new();
        let mut resolve = |port: u16| -> Result<u16> {
            if port != 0 {
                return Ok(port);
            }
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
            let port = listener.local_addr()?.port();
            held.push(listener);
            Ok(port)
        };
        Ok(Self {
            gateway: resolve(self.gateway)?,
            partner: resolve(self.partner)?,
            vault: resolve(self.vault)?,
        })
    }

    /// Whether anything listens on a port of loopback.
    #[must_use]
    pub fn is_taken(port: u16) -> bool {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err()
    }

    /// The URL of the public listener.
    #[must_use]
    pub fn gateway_url(&self) -> String {
        url(self.gateway)
    }

    /// The URL of the partner listener.
    #[must_use]
    pub fn partner_url(&self) -> String {
        url(self.partner)
    }

    /// The URL of the vault.
    #[must_use]
    pub fn vault_url(&self) -> String {
        url(self.vault)
    }
}

/// The certificates name `localhost`; no trailing slash.
fn url(port: u16) -> String {
    format!("https://localhost:{port}")
}
