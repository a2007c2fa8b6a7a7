//! Finds the processes of a pair by the configuration file that they were started with: no pid file that could be stale.

use std::fmt;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Both binaries finish their requests within this time, or do not finish at all.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// The gateway first: it stops asking before the vault stops answering.
const CONFIGURATIONS: [(&str, &str); 2] = [("gateway", "gateway.toml"), ("vault", "vault.toml")];

/// A process of a pair that this program did not start.
#[derive(Debug)]
pub(crate) struct Running {
    name: &'static str,
    pid: i32,
    handle: OwnedFd,
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, process {}", self.name, self.pid)
    }
}

/// The processes that serve from this directory, the gateway first.
pub(crate) fn find(directory: &Path) -> Result<Vec<Running>> {
    let Ok(directory) = directory.canonicalize() else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for (name, file) in CONFIGURATIONS {
        let configuration = directory.join(file);
        for entry in fs::read_dir("/proc").context("there is no /proc")? {
            let file_name = entry?.file_name();
            let Some(pid) = file_name.to_str().and_then(|text| text.parse::<i32>().ok()) else {
                continue;
            };
            // The handle first: what is read afterwards is of the process that the handle holds.
            let Some(handle) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
            else {
                continue;
            };
            if serves_from(pid, &configuration) {
                found.push(Running { name, pid, handle });
            }
        }
    }
    Ok(found)
}

/// Whether the arguments are `… serve --config FILE`.
fn serves_from(pid: i32, configuration: &Path) -> bool {
    let Ok(arguments) = fs::read(format!("/proc/{pid}/cmdline")) else {
        return false;
    };
    let expected = [
        b"serve".as_slice(),
        b"--config",
        configuration.as_os_str().as_encoded_bytes(),
    ];
    arguments
        .split(|byte| *byte == 0)
        .collect::<Vec<_>>()
        .windows(3)
        .any(|window| window == expected)
}

impl Running {
    /// Asks it to end and waits until it is gone.
    pub(crate) async fn stop(&self) -> Result<()> {
        let _ = pidfd_send_signal(&self.handle, Signal::TERM);
        if self.wait().await? {
            return Ok(());
        }
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
        self.wait().await?;
        bail!(
            "it did not end within {} s and was killed",
            STOP_TIMEOUT.as_secs()
        )
    }

    /// Whether it is gone within the time: a pidfd becomes readable at the process's end.
    async fn wait(&self) -> Result<bool> {
        let handle = self.handle.try_clone()?;
        let gone = tokio::task::spawn_blocking(move || {
            let timeout = Timespec::try_from(STOP_TIMEOUT).ok();
            poll(&mut [PollFd::new(&handle, PollFlags::IN)], timeout.as_ref())
        });
        Ok(gone.await?? > 0)
    }
}
