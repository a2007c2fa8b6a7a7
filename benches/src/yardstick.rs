//! The yardstick: a bare actix-web answer behind the same mutual TLS and the same listener limits as the vault, in a process
//! of its own. What the vault takes beyond it is the vault's.

use std::process::Stdio;

use actix_web::{App, HttpServer, web};
use anyhow::{Context, Result};
use certs::{DevSet, PairPaths};
use shared::clock::Clock;
use shared::http::limits::ListenerLimits;
use shared::mtls::certificate::ReloadingCertificate;
use shared::mtls::server;
use shared::mtls::trust::ReloadingTrust;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::meter::Meter;

/// The subcommand under which the load generator starts itself as the yardstick.
pub const SUBCOMMAND: &str = "yardstick";
/// Answers `GET` with two bytes.
pub const BARE: &str = "/";
/// Reads a body and answers with [`SIZED_ANSWER_BYTES`]: the same with about the bytes of a reveal.
pub const SIZED: &str = "/sized";
/// About the answer to a reveal: a JWE and a Vault-Proof with its certificate.
const SIZED_ANSWER_BYTES: usize = 2_200;

/// Serves until the process ends; the port stands in the first line of the output.
///
/// # Errors
/// When a certificate cannot be read or no port is free.
pub async fn serve(certificates: &Path) -> Result<()> {
    let (set, clock) = (DevSet::open(certificates)?, Clock::System);
    let PairPaths { certificate, key } = set.vault;
    let own = Arc::new(ReloadingCertificate::load(certificate, key, clock.clone())?);
    let trust = ReloadingTrust::load(&set.internal_ca.certificate, &set.internal_crl, clock.clone())?;
    let tls = server::mutual(own, Arc::new(trust), &clock)?;
    let app = || {
        App::new().route(BARE, web::get().to(async || "ok")).route(
            SIZED,
            web::post().to(async |_: web::Bytes| "x".repeat(SIZED_ANSWER_BYTES)),
        )
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let server = ListenerLimits::mutual(workers).apply(HttpServer::new(app));
    let server = server.bind_rustls_0_23(("127.0.0.1", 0), tls)?;
    let port = server.addrs().first().context("no address")?.port();
    writeln!(std::io::stdout(), "{port}")?;
    server.run().await?;
    Ok(())
}

/// The running yardstick; ends when it is dropped.
pub struct Yardstick {
    process: Child,
    /// Its port.
    pub port: u16,
}

impl Yardstick {
    /// Starts this very binary as the yardstick.
    ///
    /// # Errors
    /// When it does not say its port.
    pub async fn start(set: &DevSet) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(SUBCOMMAND)
            .arg(&set.dir)
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().context("cannot start the yardstick")?;
        let output = process.stdout.take().context("no output")?;
        let mut lines = BufReader::new(output).lines();
        let line = lines.next_line().await?.context("the yardstick ended")?;
        Ok(Self {
            process,
            port: line.parse()?,
        })
    }

    /// Its meter.
    ///
    /// # Errors
    /// When it has ended.
    pub fn meter(&self) -> Result<Meter> {
        Ok(Meter::at(self.process.id().context("the yardstick ended")?))
    }
}
