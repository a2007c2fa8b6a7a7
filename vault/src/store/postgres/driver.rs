//! The threads that speak to the database, and how a caller waits for them.

use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::store::engine::EngineError;

/// Speaking to the server is waiting; two threads keep a decoded answer from waiting behind another.
const THREADS: usize = 2;
/// What a caller waits beyond the time of the work itself, for threads that were slow to run.
const GRACE: Duration = Duration::from_secs(2);

/// A runtime of the engine's own: callers block on it from async workers, which a runtime does not let its own do.
pub(super) struct Driver(Option<Runtime>);

impl Driver {
    pub(super) fn start() -> Result<Self, EngineError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("store-postgres")
            .enable_all()
            .build();
        runtime
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| EngineError::Failed(error.to_string()))
    }

    /// Runs `work` on the engine's threads and waits for it, `limit` and a little more at most; work that takes longer
    /// is dropped, and with it the connection that it had.
    pub(super) fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
    ) -> Result<T, EngineError> {
        let silent = || EngineError::Unavailable(format!("no answer within {} s", limit.as_secs()));
        let runtime = self.0.as_ref().ok_or_else(silent)?;
        let (reply, answer) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            // Nobody may be left to hear it.
            let _ = reply.send(timeout(limit, work).await);
        });
        match answer.recv_timeout(limit + GRACE) {
            Ok(Ok(outcome)) => outcome.map_err(|error| super::session::told(&error)),
            Ok(Err(_)) | Err(_) => Err(silent()),
        }
    }

    /// Runs `make` where sqlx finds its runtime.
    pub(super) fn enter<T>(&self, make: impl FnOnce() -> T) -> T {
        let _entered = self.0.as_ref().map(Runtime::enter);
        make()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Waiting for it is forbidden where the last handle is dropped by an async task.
            runtime.shutdown_background();
        }
    }
}
