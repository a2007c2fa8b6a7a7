//! Waiting for a process to answer: asked again and again until it does, ended early when it dies.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use shared::vault_api::paths;
use tokio::time::{Instant, sleep};

use super::Stand;
use super::process::Process;
use crate::actors::Door;

/// A debug build on a busy machine makes its RSA key and opens its store well within this.
const READY_TIMEOUT: Duration = Duration::from_secs(90);
/// Between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// Where the gateway says whether it can serve: database open, vault reachable and unlocked.
pub(crate) const GATEWAY_READY: &str = "/health/ready";

impl Stand {
    pub(super) async fn vault_answers(&self) -> Result<()> {
        let door = self.door(&self.ports.vault_url(), Some(&self.certificates.officers[0]))?;
        answers(self.vault()?, &door, paths::HEALTH).await
    }

    pub(super) async fn gateway_ready(&self) -> Result<()> {
        let door = self.door(&self.ports.gateway_url(), None)?;
        answers(self.gateway()?, &door, GATEWAY_READY).await
    }
}

pub(super) async fn answers(process: &Process, door: &Door, path: &str) -> Result<()> {
    let deadline = Instant::now() + READY_TIMEOUT;
    loop {
        let last = door.get(path).await;
        if last.as_ref().is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        if let Some(status) = process.has_ended() {
            bail!("ended with {status} instead of answering; {}", process.log_tail());
        }
        if Instant::now() > deadline {
            let answer = last.with_context(|| process.log_tail())?;
            bail!(
                "not ready after {} s: {answer}; {}",
                READY_TIMEOUT.as_secs(),
                process.log_tail()
            );
        }
        sleep(ASK_AGAIN).await;
    }
}
