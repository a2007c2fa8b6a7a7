//! One running binary: started with a clean environment, watched through a pidfd, so that no signal ever goes to a process that
//! merely inherited the number.

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::watch;

use super::binaries;

/// Both binaries finish their requests within this time, or do not finish at all.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of a log an error shows.
const LOG_TAIL_LINES: usize = 12;
/// Part of util-linux, which Debian always has: sets the signal that a child gets when its parent dies.
const SETPRIV: &str = "/usr/bin/setpriv";

/// What becomes of the process when the one that started it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// The kernel kills it when the parent dies of anything.
    WithParent,
    /// In a process group of its own, so that it can be left running.
    Detached,
}

/// What to start.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) name: &'static str,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) log: PathBuf,
    pub(crate) lifetime: Lifetime,
}

/// A process of the pair. Killed when the value is dropped, unless it was left running on purpose.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    pid: u32,
    handle: OwnedFd,
    log: PathBuf,
    left_running: bool,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts it; its output goes to the end of the log.
    pub(crate) fn spawn(launch: Launch) -> Result<Self> {
        let name = launch.name;
        let mut command = command(&launch)?;
        let (started, start) = mpsc::sync_channel(1);
        let (end, ended) = watch::channel(None);
        // The thread that starts the child also waits for it: the kernel binds "parent death" to that very thread.
        thread::Builder::new()
            .name(format!("waits for {name}"))
            .spawn(move || {
                let child = command
                    .spawn()
                    .context("cannot start")
                    .and_then(|child| Ok((handle_of(&child)?, child)));
                match child {
                    Err(error) => drop(started.send(Err(error))),
                    Ok((handle, mut child)) => {
                        let _ = started.send(Ok((child.id(), handle)));
                        let _ = end.send(child.wait().ok());
                    }
                }
            })?;
        let (pid, handle) = start
            .recv()
            .context("the thread ended")?
            .with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name,
            pid,
            handle,
            log: launch.log,
            left_running: false,
            ended,
        })
    }

    /// The process id of the binary itself.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        pidfd_send_signal(&self.handle, signal).with_context(|| format!("{} does not run", self.name))
    }

    /// How it ended, when it has.
    #[must_use]
    pub fn has_ended(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the waiting thread is gone.
    pub async fn end(&self) -> Result<ExitStatus> {
        let mut ended = self.ended.clone();
        let status = ended
            .wait_for(Option::is_some)
            .await
            .context("nobody waits for the process")?;
        (*status).context("the process ended without a status")
    }

    /// Asks it to end (`SIGTERM`) and waits.
    ///
    /// # Errors
    /// When it ended with a failure, or had to be killed.
    pub async fn stop(self) -> Result<()> {
        // An error says that it has ended already: its status tells how.
        let _ = self.signal(Signal::TERM);
        match tokio::time::timeout(STOP_TIMEOUT, self.end()).await {
            Ok(status) => {
                let status = status?;
                if status.success() {
                    return Ok(());
                }
                bail!("{} ended with {status}\n{}", self.name, self.log_tail())
            }
            Err(_) => {
                self.kill().await?;
                bail!("the process did not end within {} s", STOP_TIMEOUT.as_secs())
            }
        }
    }

    /// Kills it (`SIGKILL`) and waits until it is gone.
    ///
    /// # Errors
    /// When it has ended before.
    pub async fn kill(self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.end().await?;
        Ok(())
    }

    /// Lets it run on.
    pub(crate) fn leave(mut self) {
        self.left_running = true;
    }

    /// The last lines of the log, for an error's sentence.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines
            .get(lines.len().saturating_sub(LOG_TAIL_LINES)..)
            .unwrap_or_default();
        format!("the end of {}:\n{}", self.log.display(), tail.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.left_running {
            // An error says that it has ended already.
            let _ = pidfd_send_signal(&self.handle, Signal::KILL);
        }
    }
}

fn handle_of(child: &Child) -> Result<OwnedFd> {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .context("no process id")?;
    pidfd_open(pid, PidfdFlags::empty()).context("the kernel gives no pidfd (Linux 5.3 or later is needed)")
}

fn command(launch: &Launch) -> Result<Command> {
    let binary = binaries::path_of(launch.name)?;
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&launch.log)
        .with_context(|| format!("cannot open {}", launch.log.display()))?;
    let mut command = match launch.lifetime {
        Lifetime::WithParent if Path::new(SETPRIV).is_file() => {
            let mut command = Command::new(SETPRIV);
            command.args(["--pdeathsig", "KILL", "--"]).arg(binary);
            command
        }
        Lifetime::WithParent => Command::new(binary),
        Lifetime::Detached => {
            let mut command = Command::new(binary);
            command.process_group(0);
            command
        }
    };
    // Configuration by environment must come from nowhere but the files of the stand.
    command.env_clear().args(&launch.arguments);
    command.envs(launch.environment.iter().cloned());
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(command)
}
