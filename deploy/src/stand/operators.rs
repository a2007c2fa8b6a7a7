//! Operators as an administrator of the machine makes them: on the command line, beside the running gateway.

use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use certs::PairPaths;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{Stand, binaries};
use crate::actors::{Operator, ReceivingKey};

/// Bits of an RSA key that answers are sealed to: the least that the contract takes.
const RECEIVING_BITS: u32 = 2048;

impl Stand {
    /// `gateway operator new-key`.
    pub(super) async fn make_operators_key(&self) -> Result<()> {
        self.gateway_command(&["operator", "new-key"], None).await?;
        Ok(())
    }

    /// `gateway kyc new-key`.
    pub(super) async fn make_documents_key(&self) -> Result<()> {
        self.gateway_command(&["kyc", "new-key"], None).await?;
        Ok(())
    }

    /// `gateway operator create`: an operator of the platform, or of a partner, who has not logged in yet. `role` is
    /// `admin`, `manager` or `employee`.
    ///
    /// # Errors
    /// When the command refuses, or shows no second factor.
    pub async fn operator(&self, login: &str, role: &str, partner: Option<&str>) -> Result<Operator> {
        const PASSWORD: &str = "correct horse battery staple";
        let mut arguments = vec!["operator", "create", "--login", login, "--role", role];
        if let Some(partner) = partner {
            arguments.extend(["--partner", partner]);
        }
        let output = self.gateway_command(&arguments, Some(PASSWORD)).await?;
        let shown = String::from_utf8(output.stdout).context("the command showed no text")?;
        let uri = shown.lines().find(|line| line.starts_with("otpauth://"));
        let uri = uri.context("the command showed no second factor")?;
        let mut operator = self.operator_to_be(login, PASSWORD)?;
        operator.set_up_second_factor(uri)?;
        Ok(operator)
    }

    /// Somebody with a browser, who is no operator yet.
    ///
    /// # Errors
    /// When keys cannot be made.
    pub fn operator_to_be(&self, login: &str, password: &str) -> Result<Operator> {
        let door = self.door(&self.ports.gateway_url(), None)?;
        Ok(Operator::new(
            door,
            login,
            password,
            ReceivingKey::rsa(RECEIVING_BITS)?,
        ))
    }

    /// Pins a partner's certificate, so that its holder is let in.
    ///
    /// # Errors
    /// When the command refuses.
    pub async fn pin_certificate(&self, pair: &PairPaths) -> Result<()> {
        let certificate = pair.certificate.display().to_string();
        let arguments = ["partner", "pin-certificate", "--certificate", &certificate];
        self.gateway_command(&arguments, None).await?;
        Ok(())
    }

    async fn gateway_command(&self, arguments: &[&str], input: Option<&str>) -> Result<Output> {
        let mut command = Command::new(binaries::path_of("gateway")?);
        command
            .env_clear()
            .args(arguments)
            .arg("--config")
            .arg(&self.layout.gateway_config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot run `gateway`")?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            stdin.write_all(format!("{input}\n").as_bytes()).await?;
        }
        let output = child.wait_with_output().await?;
        ensure!(
            output.status.success(),
            "`gateway` failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(output)
    }
}
