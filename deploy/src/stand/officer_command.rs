//! The officers' command line, as an officer runs it: the real binary, a clean environment, the officer's own certificate.

use std::process::{Output, Stdio};

use anyhow::{Context, Result, bail, ensure};
use certs::PairPaths;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use super::{Stand, binaries};

/// One call of `officer`.
#[derive(Debug)]
pub struct OfficerCommand {
    command: Command,
    words: String,
    stdin: Option<Vec<u8>>,
}

/// What a call came to.
#[derive(Debug)]
pub struct Said {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// stdout.
    pub out: String,
    /// stderr.
    pub err: String,
    words: String,
}

impl Stand {
    /// `officer WORDS…` under the certificate of the officer of that number, 1 to 3.
    ///
    /// # Errors
    /// There is no such officer, or no binary.
    pub fn officer_command(&self, number: usize, words: &[&str]) -> Result<OfficerCommand> {
        let pair = number
            .checked_sub(1)
            .and_then(|index| self.certificates.officers.get(index));
        self.officer_command_as(pair.with_context(|| format!("no officer {number}"))?, words)
    }

    /// `officer WORDS…` under any certificate.
    ///
    /// # Errors
    /// There is no binary.
    pub fn officer_command_as(&self, pair: &PairPaths, words: &[&str]) -> Result<OfficerCommand> {
        let mut call = OfficerCommand::bare(words)?;
        let set = &self.certificates;
        call.command
            .env("TESSERA_OFFICER_VAULT", self.ports.vault_url())
            .env("TESSERA_OFFICER_CERT", &pair.certificate)
            .env("TESSERA_OFFICER_KEY", &pair.key)
            .env("TESSERA_OFFICER_CA", &set.internal_ca.certificate)
            .env("TESSERA_OFFICER_CRL", &set.internal_crl);
        Ok(call)
    }
}

impl OfficerCommand {
    /// `officer WORDS…` without a connection.
    ///
    /// # Errors
    /// There is no binary.
    pub fn bare(words: &[&str]) -> Result<Self> {
        let mut command = Command::new(binaries::path_of("officer")?);
        command.env_clear().args(words).kill_on_drop(true);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Self {
            command,
            words: words.join(" "),
            stdin: None,
        })
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Writes this to its stdin.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Starts it and lets it run.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(mut self) -> Result<Child> {
        self.command
            .stdin(Stdio::null())
            .spawn()
            .context("cannot run `officer`")
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn run(mut self) -> Result<Said> {
        let stdin = if self.stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        let mut child = self
            .command
            .stdin(stdin)
            .spawn()
            .context("cannot run `officer`")?;
        if let (Some(text), Some(mut pipe)) = (self.stdin, child.stdin.take()) {
            pipe.write_all(&text).await?;
        }
        Ok(Said::of(child.wait_with_output().await?, self.words))
    }
}

impl Said {
    /// What a finished call came to.
    #[must_use]
    pub fn of(output: Output, words: String) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            words,
        }
    }

    /// It ended with this code.
    ///
    /// # Errors
    /// With another; the sentence holds what it said.
    pub fn expect(self, code: i32) -> Result<Self> {
        if self.code == code {
            return Ok(self);
        }
        bail!(
            "`officer {}` ended with {} instead of {code}\n{}{}",
            self.words,
            self.code,
            self.out,
            self.err
        )
    }

    /// It said this, on stdout or stderr.
    ///
    /// # Errors
    /// It did not.
    pub fn says(self, text: &str) -> Result<Self> {
        ensure!(
            self.out.contains(text) || self.err.contains(text),
            "`officer {}` does not say {text:?}:\n{}{}",
            self.words,
            self.out,
            self.err
        );
        Ok(self)
    }

    /// The JSON documents on stdout, one a line.
    ///
    /// # Errors
    /// A line is none of that shape.
    pub fn lines<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        let read = |line: &str| {
            serde_json::from_str(line).with_context(|| format!("`officer {}`: {line}", self.words))
        };
        self.out.lines().map(read).collect()
    }

    /// The one JSON document on stdout.
    ///
    /// # Errors
    /// There is none of that shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.out).with_context(|| format!("`officer {}`: {}", self.words, self.out))
    }
}
